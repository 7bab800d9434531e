//! A call that the phone holds and takes back: no speech in either direction meanwhile, and all of it again afterwards.

use std::time::Duration;

use anyhow::{Result, ensure};
use ipdect_tests::kit::capture::Capture;
use ipdect_tests::kit::sound::{self, Heard};

use crate::call::{Line, Side, TALK};
use crate::lab::on_a_bench;
use crate::office::{Office, PHONE_HZ};
use crate::peers::phone::{Options, Phone};

/// How long the call is held.
const HELD: Duration = Duration::from_secs(4);

/// Holds what was heard to two stretches of sound with the hold between them.
fn paused_once(at: &str, heard: &[Heard]) -> Result<()> {
    ensure!(heard.len() == 2, "at {at}: {} stretches", heard.len());
    let silence = heard[0].silence_until(&heard[1]);
    ensure!(
        silence >= HELD.as_secs_f64(),
        "at {at}: silent for {silence} s only"
    );
    Ok(())
}

#[test]
fn a_phone_holds_the_call_and_takes_it_back() {
    on_a_bench(|lab| {
        let (office, handset) = Office::plain(lab)?;
        let options = Options::new("2001", PHONE_HZ);
        let beside = Capture::start(lab.namespace(), options.rtp)?;
        let phone = Phone::start(lab, &options, &office.kamailio.root())?;
        let mut line = Line::between(handset, phone);
        line.begins(Side::Near)?;
        line.talks(TALK);
        line.far.holds()?;
        line.near.shows("On hold")?;
        std::thread::sleep(HELD);
        line.far.resumes()?;
        line.near.shows_no_longer("On hold")?;
        line.talks(TALK);
        line.ends(Side::Far)?;
        let to_phone = sound::measure(&beside.samples()?)?;
        let ears = line.ears()?;
        paused_once("the handset", &ears.near)?;
        paused_once("the phone", &to_phone)
    });
}
