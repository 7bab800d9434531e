//! A server is killed in the middle of a call, or on the way to one, and started again: the call goes on as if nothing had
//! happened, and either side ends it in good order.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::call::{Line, Side, without_a_gap};
use crate::handset::Handset;
use crate::lab::{Lab, on_a_bench};
use crate::office::{HANDSET_HZ, Office, PHONE_HZ};
use crate::peers::Peer as _;
use crate::peers::phone::{Options, Phone};
use crate::system::{PATIENCE, Settings, System, root};

/// Speech before the server is killed, while nobody is there, and afterwards.
const TALK: Duration = Duration::from_secs(2);

/// The server is killed, stays away for a while, and has taken its calls over again.
fn dies_and_comes_back(lab: &Lab, system: &mut System) -> Result<()> {
    system.server.is_killed()?;
    std::thread::sleep(TALK);
    system.server.starts_again(lab)?;
    system.server.program.says("calls are taken over", PATIENCE)
}

/// Whoever called, a call that stands outlives the server, until somebody hangs up.
fn outlives(
    lab: &Lab,
    system: &mut System,
    mut line: Line<Handset, Phone>,
    ended_by: Side,
) -> Result<()> {
    line.begins(Side::Near)?;
    line.talks(TALK);
    dies_and_comes_back(lab, system)?;
    // The peer has answered the refresh: the dialog stands on both sides.
    let answers = "direction=\"in\",code_class=\"2xx\"";
    let server = &system.server;
    server.counts(lab, "ipdect_sip_responses_total", answers, 1.0)?;
    // The time without a server counts: speech went on.
    line.talks(2 * TALK);
    line.ends(ended_by)?;
    system.is_at_rest(lab)?;
    let ears = line.ears()?;
    without_a_gap(&ears.far)?;
    ensure!(ears.near.len() == 1, "one stretch of sound: {ears:?}");
    Ok(())
}

fn outlives_at_kamailio(lab: &Lab, ended_by: Side) -> Result<()> {
    let (mut office, handset) = Office::plain(lab)?;
    let root = office.kamailio.root();
    let phone = Phone::start(lab, &Options::new("2001", PHONE_HZ), &root)?;
    let line = Line::between(handset, phone);
    outlives(lab, &mut office.system, line, ended_by)
}

#[test]
fn a_call_outlives_its_server_and_the_handset_hangs_up() {
    on_a_bench(|lab| outlives_at_kamailio(lab, Side::Near));
}

#[test]
fn a_call_outlives_its_server_and_the_peer_hangs_up() {
    on_a_bench(|lab| outlives_at_kamailio(lab, Side::Far));
}

/// The proxy of the call dies with the server: its routes are good after it, and the phone hangs up through it.
#[test]
fn a_call_in_the_embedded_domain_outlives_server_and_domain() {
    on_a_bench(|lab| {
        let settings = Settings {
            embedded: true,
            ..Default::default()
        };
        let mut system = System::start(lab, &settings)?;
        let handset = Handset::start(lab, 0, HANDSET_HZ)?;
        let phone = Phone::start(lab, &Options::new("2001", PHONE_HZ), &root(lab)?)?;
        let line = Line::between(handset, phone);
        outlives(lab, &mut system, line, Side::Far)
    });
}

#[test]
fn a_handset_that_rings_when_its_server_dies_rings_on_and_is_answered() {
    on_a_bench(|lab| {
        let mut office = Office::without_handset(lab, &Default::default(), &Settings::default())?;
        let handset = Handset::that_rings(lab, 0, HANDSET_HZ)?;
        office.kamailio.has("1001", PATIENCE)?;
        let root = office.kamailio.root();
        let phone = Phone::start(lab, &Options::new("2001", PHONE_HZ), &root)?;
        let mut line = Line::between(handset, phone);
        line.far.calls(line.near.number())?;
        line.near.shows("ringing")?;
        dies_and_comes_back(lab, &mut office.system)?;
        line.near.shows("ringing")?;
        line.near.presses("(")?;
        line.near.talks()?;
        line.far.talks()?;
        line.talks(2 * TALK);
        line.ends(Side::Far)?;
        office.system.is_at_rest(lab)?;
        line.ears().map(drop)
    });
}

#[test]
fn a_call_that_waits_for_its_answer_when_its_server_dies_is_made_anew() {
    on_a_bench(|lab| {
        let (mut office, handset) = Office::plain(lab)?;
        let options = Options {
            answers: false,
            ..Options::new("2001", PHONE_HZ)
        };
        let phone = Phone::start(lab, &options, &office.kamailio.root())?;
        let mut line = Line::between(handset, phone);
        line.near.calls(line.far.number())?;
        line.far.rings()?;
        dies_and_comes_back(lab, &mut office.system)?;
        // The first call is given up, and it rings once more.
        line.far.rings()?;
        line.far.talks()?;
        line.near.talks()?;
        line.talks(2 * TALK);
        line.ends(Side::Near)?;
        office.system.is_at_rest(lab)?;
        line.ears().map(drop)
    });
}
