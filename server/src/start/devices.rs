//! The devices that live views know from the start.

use ipdect_link::release::Release;
use ipdect_link::role::Role;
use ipdect_proto::admin::v1 as admin;

use crate::core::Core;
use crate::live::utc_ms;

/// Devices that have enrolled are listed from the start, as down until they link.
pub(super) fn list(core: &Core) {
    let devices: Vec<admin::Device> = core
        .directory
        .book()
        .devices()
        .filter_map(|(_, kept)| {
            let mut device = kept.row.device.clone()?;
            device.rpn = kept.row.rpn;
            device.revision = kept.revision;
            device.status = Some(admin::DeviceStatus {
                state: admin::DeviceState::Enrolled.into(),
                ..Default::default()
            });
            Some(device)
        })
        .collect();
    for device in devices {
        core.live.device(device);
    }
    core.live.device(admin::Device {
        node_id: core.node.clone(),
        role: Role::Server.into(),
        release: Release::ours().to_string(),
        status: Some(admin::DeviceStatus {
            state: admin::DeviceState::Up.into(),
            seen_utc_ms: utc_ms(),
            ..Default::default()
        }),
        ..Default::default()
    });
}
