//! A server that runs from an old copy of the store: devices know a newer owner of every handset, and do not obey it.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::call::Line;
use crate::lab::{Lab, on_a_bench};
use crate::office::{Office, PHONE_HZ};
use crate::peers::Peer as _;
use crate::peers::phone::{Options, Phone};
use crate::system::{self, Node, Settings};

/// Waits until the base station and the media resource are linked.
fn has_devices(lab: &Lab, server: &Node) -> Result<()> {
    server.counts(lab, "ipdect_radio_bases", "", 1.0)?;
    server.counts(lab, "ipdect_media_resources", "", 1.0)
}

#[test]
fn devices_do_not_obey_a_server_that_runs_from_an_old_copy_of_the_store() {
    on_a_bench(|lab| {
        let (mut office, mut handset) = Office::plain(lab)?;
        let system = &mut office.system;
        system.server.program.stop();
        let (current, old) = (lab.folder("server")?, lab.folder("server-old")?);
        let mut copy = Command::new("cp");
        let copied = copy.arg("-aT").args([&current, &old]).status()?;
        ensure!(copied.success(), "cp ended with {copied}");
        // Each start claims all handsets with higher tokens, and tells the devices.
        for _ in 0..2 {
            system.server.starts_again(lab)?;
            has_devices(lab, &system.server)?;
            system.server.is_killed()?;
        }

        let mut stale = system::server_in(lab, "server-old", &Settings::default())?;
        stale.is_ready(lab)?;
        has_devices(lab, &stale)?;
        handset.calls("2001")?;
        let refusals = [
            (&system.base, "ipdect_base_orders_total", "fenced"),
            (&system.media, "ipdect_media_orders_total", "STATUS_FENCED"),
        ];
        for (device, orders, fenced) in refusals {
            device.counts(lab, orders, fenced, 1.0)?;
        }
        handset.is_over()?;
        stale.program.stop();

        system.server.starts_again(lab)?;
        has_devices(lab, &system.server)?;
        let phone = Options::new("2001", PHONE_HZ);
        let phone = Phone::start(lab, &phone, &office.kamailio.root())?;
        let mut line = Line::between(handset, phone);
        line.carries_both_ways()?;
        line.ears().map(drop)
    });
}
