//! `ipdect status`: what runs, who is there, which calls stand.

use ipdect_admin_api::conversation::{Conversation, conversations};
use ipdect_link::role::role_name;
use ipdect_proto::admin::v1::calls_client::CallsClient;
use ipdect_proto::admin::v1::devices_client::DevicesClient;
use ipdect_proto::admin::v1::handsets_client::HandsetsClient;
use ipdect_proto::admin::v1::{
    Call, CallState, Device, DeviceState, Handset, ListCallsRequest, ListDevicesRequest,
    ListHandsetsRequest, Portable, PortableCallState,
};

use super::{ClientError, Session};

/// Prints devices, handsets and calls.
///
/// # Errors
/// [`ClientError`].
pub(crate) async fn run(session: &Session) -> Result<(), ClientError> {
    let devices = DevicesClient::new(session.channel())
        .list(session.request(ListDevicesRequest::default()))
        .await?
        .into_inner()
        .devices;
    devices
        .iter()
        .map(device)
        .for_each(|line| println!("{line}"));
    let handsets = HandsetsClient::new(session.channel())
        .list(session.request(ListHandsetsRequest::default()))
        .await?
        .into_inner()
        .handsets;
    handsets
        .iter()
        .map(handset)
        .for_each(|line| println!("{line}"));
    let portables = super::press::portables(session).await?;
    portables
        .iter()
        .map(portable)
        .for_each(|line| println!("{line}"));
    let calls = CallsClient::new(session.channel())
        .list(session.request(ListCallsRequest::default()))
        .await?
        .into_inner()
        .calls;
    conversations(&calls)
        .iter()
        .map(call)
        .for_each(|line| println!("{line}"));
    Ok(())
}

fn device(device: &Device) -> String {
    let status = device.status.clone().unwrap_or_default();
    let state = match status.state() {
        DeviceState::Up => "up",
        DeviceState::Down => "down",
        DeviceState::Enrolled => "enrolled",
        DeviceState::Refused => "refused",
        DeviceState::Draining => "draining",
        DeviceState::Unspecified => "unknown",
    };
    let why = status
        .refusal
        .map_or(status.warning, |refusal| refusal.remedy);
    let role = role_name(device.role());
    let line = format!(
        "{role:8} {:20} {state:9} {} {why}",
        device.node_id, device.release
    );
    line.trim_end().to_owned()
}

fn handset(handset: &Handset) -> String {
    let state = handset.state.clone().unwrap_or_default();
    let what = match (handset.subscribed, state.located, state.registered) {
        (false, ..) => "not subscribed".to_owned(),
        (_, false, _) => "not located".to_owned(),
        (_, _, false) if state.last_error.is_empty() => "not registered".to_owned(),
        (_, _, false) => format!("not registered: {}", state.last_error),
        _ => format!("registered, base {}", state.base_node_id),
    };
    format!("handset  {:20} {:9} {what}", handset.ipei, handset.username)
}

fn portable(portable: &Portable) -> String {
    let display = portable.display.join(" | ");
    let state = match portable.call() {
        PortableCallState::Idle => "idle",
        PortableCallState::Dialling => "dialling",
        PortableCallState::Calling => "calling",
        PortableCallState::Ringing => "ringing",
        PortableCallState::Connected => "connected",
        PortableCallState::Released => "released",
        PortableCallState::Unspecified => "unknown",
    };
    let heard = match portable.ear_hz {
        0.0 => String::new(),
        hz => format!("hears {hz:.0} Hz at {:.0} dBm0, ", portable.ear_level_dbm0),
    };
    let line = format!(
        "virtual  {:20} {:9} {state}, {heard}{display}",
        portable.ipei, portable.number
    );
    line.trim_end_matches([' ', ',', '|']).to_owned()
}

/// One line for a conversation, whoever of the handsets here takes part.
fn call(all: &Conversation<'_>) -> String {
    let state = match all.first.state() {
        CallState::Dialling => "dialling",
        CallState::Calling => "calling",
        CallState::Ringing => "ringing",
        CallState::Active => "active",
        CallState::Held => "held",
        CallState::Ended => "ended",
        CallState::Unspecified => "unknown",
    };
    let (first, others) = (all.first, &all.others);
    let ours = users(all.ends());
    let (from, to) = match (first.outgoing, others.is_empty()) {
        (true, true) => (&first.username, first.peer_number.clone()),
        (true, false) => (&first.username, users(others.iter().copied())),
        (false, _) => (&first.peer_number, ours.clone()),
    };
    format!("call     {ours:20} {state:9} {from} to {to}")
}

fn users<'a>(ends: impl Iterator<Item = &'a Call>) -> String {
    let names: Vec<&str> = ends.map(|end| end.username.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_proto::admin::v1::{DeviceStatus, HandsetState};
    use ipdect_proto::link::v1::{Refusal, Role};

    #[test]
    fn a_refused_device_tells_the_remedy() {
        let refused = Device {
            node_id: "base-7".into(),
            role: Role::Base.into(),
            release: "PCS07_".into(),
            status: Some(DeviceStatus {
                state: DeviceState::Refused.into(),
                refusal: Some(Refusal {
                    remedy: "upgrade it".into(),
                    ..Refusal::default()
                }),
                ..DeviceStatus::default()
            }),
            ..Device::default()
        };
        assert_eq!(
            device(&refused),
            "base     base-7               refused   PCS07_ upgrade it"
        );
    }

    #[test]
    fn a_call_between_two_handsets_is_one_line() {
        let end = |username: &str, outgoing, peer: &str| Call {
            username: username.into(),
            outgoing,
            peer_number: peer.into(),
            state: CallState::Active.into(),
            ..Call::default()
        };
        let caller = end("1001", true, "1002");
        let called = end("1002", false, "sip:1001@ipdect.internal");
        assert_eq!(
            call(&Conversation {
                first: &caller,
                others: vec![&called],
            }),
            "call     1001, 1002           active    1001 to 1002"
        );
        assert_eq!(
            call(&Conversation::of(&called)),
            "call     1002                 active    sip:1001@ipdect.internal to 1002"
        );
    }

    #[test]
    fn a_handset_tells_how_far_it_has_come() {
        let mut one = Handset {
            ipei: "655350000001".into(),
            username: "1001".into(),
            ..Handset::default()
        };
        assert!(handset(&one).ends_with("not subscribed"));
        one.subscribed = true;
        one.state = Some(HandsetState {
            located: true,
            last_error: "no proxy".into(),
            ..HandsetState::default()
        });
        assert!(handset(&one).ends_with("not registered: no proxy"));
    }
}
