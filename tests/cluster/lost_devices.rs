//! A base station or a media resource that is killed in the middle of a call: what becomes of the call, and that the next
//! one works.

use anyhow::{Result, ensure};

use crate::call::{Call, Line, Side, TALK};
use crate::handset::Handset;
use crate::lab::{Lab, on_a_bench};
use crate::office::{HANDSET_HZ, Office, PHONE_HZ};
use crate::peers::Peer as _;
use crate::peers::phone::{Options, Phone};
use crate::system;

/// A call to a phone that stands, and has stood for a while.
fn in_a_call(lab: &Lab, office: &Office, handset: Handset) -> Result<Line<Handset, Phone>> {
    let options = Options::new("2001", PHONE_HZ);
    let phone = Phone::start(lab, &options, &office.kamailio.root())?;
    let mut line = Line::between(handset, phone);
    line.begins(Side::Near)?;
    line.talks(TALK);
    Ok(line)
}

/// Goes on with the call, ends it, makes others, and sees that nothing is left of any.
fn goes_on(lab: &Lab, office: &Office, mut line: Line<Handset, Phone>) -> Result<()> {
    line.talks(TALK);
    line.ends(Side::Near)?;
    line.carries_both_ways()?;
    office.system.is_at_rest(lab)?;
    line.ears().map(drop)
}

#[test]
fn a_call_resumes_when_its_base_was_killed_and_starts_again() {
    on_a_bench(|lab| {
        let (mut office, handset) = Office::plain(lab)?;
        let mut line = in_a_call(lab, &office, handset)?;
        office.system.base.is_killed()?;
        office.system.base.starts_again(lab)?;
        line.near.is_over()?;
        line.near.resumes()?;
        goes_on(lab, &office, line)
    });
}

#[test]
fn a_call_resumes_at_another_base_when_its_own_was_killed() {
    on_a_bench(|lab| {
        let (mut office, _away) = Office::plain(lab)?;
        // The second one comes when the handset has settled at the first: it would take either.
        let handset = Handset::near_both_bases(lab, 1, HANDSET_HZ)?;
        office.kamailio.has("1002", system::PATIENCE)?;
        let mut second = system::second_base(lab)?;
        second.is_ready(lab)?;
        let mut line = in_a_call(lab, &office, handset)?;
        office.system.base.is_killed()?;
        line.near.is_over()?;
        line.near.resumes()?;
        // The lost one comes back in the middle of the call, and is told what to forget.
        office.system.base.starts_again(lab)?;
        goes_on(lab, &office, line)
    });
}

#[test]
fn a_call_goes_on_when_its_media_resource_was_killed_and_starts_again() {
    on_a_bench(|lab| {
        let (mut office, handset) = Office::plain(lab)?;
        let mut line = in_a_call(lab, &office, handset)?;
        line.far.turns_page();
        office.system.media.is_killed()?;
        office.system.media.starts_again(lab)?;
        line.far.says("## media active")?;
        goes_on(lab, &office, line)
    });
}

#[test]
fn a_call_goes_on_at_another_media_resource_when_its_own_was_killed() {
    on_a_bench(|lab| {
        let (mut office, handset) = Office::plain(lab)?;
        let mut line = in_a_call(lab, &office, handset)?;
        let mut first = office
            .system
            .changes_media(lab, system::second_media(lab)?)?;
        line.far.turns_page();
        first.is_killed()?;
        line.far.says("## media active")?;
        goes_on(lab, &office, line)
    });
}

#[test]
fn without_a_media_resource_a_call_is_refused_in_words_and_the_next_one_works() {
    on_a_bench(|lab| {
        let (mut office, handset) = Office::plain(lab)?;
        let mut line = in_a_call(lab, &office, handset)?;
        office.system.media.is_killed()?;
        line.ends(Side::Near)?;
        line.near.calls("2001")?;
        line.near.shows("All lines busy")?;
        line.near.is_over()?;
        line.far.calls("1001")?;
        let over = line.far.is_told_the_end()?;
        ensure!(over.contains("480"), "{over}");
        office.system.media.starts_again(lab)?;
        line.carries(Call::by(Side::Near))?;
        office.system.is_at_rest(lab)?;
        line.ears().map(drop)
    });
}
