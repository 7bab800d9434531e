//! What the server makes of a damaged store, and of a disk without room.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::disk::on_a_small_disk;
use ipdect_tests::kit::wait::until;

use crate::call::Line;
use crate::lab::{Lab, on_a_bench};
use crate::office::{Office, PHONE_HZ};
use crate::operator::Operator;
use crate::peers::phone::{Options, Phone};
use crate::system::{self, Node, PATIENCE, Settings};

/// Octets that are written to a disk, or damaged, at once.
const PAGE: usize = 4096;

/// What happens to the octets of a file.
type Damage = fn(&mut Vec<u8>);

fn server(lab: &Lab) -> Result<Node> {
    let mut server = system::server(lab, &Settings::default())?;
    server.is_ready(lab)?;
    Ok(server)
}

/// Starts a server that does not come up, and says all of these texts in its last line.
fn is_refused(lab: &Lab, texts: &[&str]) -> Result<()> {
    let mut server = system::server(lab, &Settings::default())?;
    let status = server.program.ends(PATIENCE)?;
    ensure!(status.code() == Some(1), "it ended with {status}");
    let said = server.program.page();
    let last = said.lines().last().context("it said nothing")?;
    for text in texts {
        ensure!(last.contains(text), "no {text:?} in {last:?}");
    }
    Ok(())
}

#[test]
fn a_damaged_store_is_named_with_a_remedy_and_left_as_it_is() {
    on_a_bench(|lab| {
        server(lab)?.program.stop();
        let file = lab.folder("server")?.join("store.redb");
        let sound = fs::read(&file)?;
        let damages: [(&str, Damage); 3] = [
            ("cut short", |octets| octets.truncate(octets.len() / 2)),
            ("another file", |octets| octets[..PAGE].fill(b'x')),
            ("spoilt on each page", |octets| {
                for page in octets.chunks_mut(PAGE).skip(1) {
                    page.iter_mut().take(64).for_each(|octet| *octet ^= 0xFF);
                }
            }),
        ];
        for (how, damage) in damages {
            let mut octets = sound.clone();
            damage(&mut octets);
            fs::write(&file, &octets)?;
            let texts = [
                "start-store:",
                &file.to_string_lossy(),
                "damaged",
                "put a backup in its place, or move it away to begin with an empty store",
            ];
            is_refused(lab, &texts).context(how)?;
            ensure!(fs::read(&file)? == octets, "{how}: the file was changed");
        }
        fs::write(&file, sound)?;
        server(lab).map(drop)
    });
}

/// Writes a file until there is no room. Its name.
fn fill(disk: &Path) -> Result<PathBuf> {
    let name = disk.join("filler");
    let mut file = File::create(&name)?;
    loop {
        match file.write_all(&[0; PAGE]) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(name),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Adds users until one is refused for want of room; the others are noted.
fn add_until_full(operator: &Operator, users: &mut Vec<String>) -> Result<()> {
    // What has been freed in the store takes some of them.
    for number in 3000..3500 {
        let name = number.to_string();
        let done = operator.types(&["users", "add", &name])?;
        if done.status != Some(0) {
            return done.is_refused(1, &["ResourceExhausted", NO_ROOM]);
        }
        users.push(name);
    }
    anyhow::bail!("the store never needs room")
}

const NO_ROOM: &str = "no room left for the store; free space on its disk";

#[test]
fn a_change_is_refused_while_the_disk_is_full_and_made_when_there_is_room() {
    on_a_bench(|lab| {
        let disk = lab.folder("server")?;
        on_a_small_disk(&disk, 8 * 1024, || {
            let mut server = server(lab)?;
            let operator = Operator::starts(lab)?;
            let mut users = operator.users()?;
            let filler = fill(&disk)?;
            add_until_full(&operator, &mut users)?;
            ensure!(operator.users()? == users, "while the disk is full");

            fs::remove_file(&filler)?;
            operator.types(&["users", "add", "4000"])?.is_good()?;
            users.push("4000".into());

            // The same once more with a server that is killed and cannot start.
            fill(&disk)?;
            server.is_killed()?;
            is_refused(lab, &["start-store:", NO_ROOM])?;
            fs::remove_file(&filler)?;
            server.starts_again(lab)?;
            until("the admin API asks the server again", PATIENCE, || {
                Ok(operator.users().ok())
            })?;
            ensure!(operator.users()? == users, "after the next start");
            Ok(())
        })
    });
}

#[test]
fn calls_go_on_while_the_disk_is_full() {
    on_a_bench(|lab| {
        let disk = lab.folder("server")?;
        on_a_small_disk(&disk, 8 * 1024, || {
            let (office, handset) = Office::plain(lab)?;
            let phone = Options::new("2001", PHONE_HZ);
            let phone = Phone::start(lab, &phone, &office.kamailio.root())?;
            fill(&disk)?;
            let mut line = Line::between(handset, phone);
            line.carries_both_ways()?;
            office
                .system
                .server
                .counts(lab, "ipdect_store_errors_total", "", 1.0)?;
            office.system.is_at_rest(lab)?;
            line.ears().map(drop)
        })
    });
}

#[test]
fn a_store_without_its_key_is_not_opened_and_gets_no_other_one() {
    on_a_bench(|lab| {
        server(lab)?.program.stop();
        let folder = lab.folder("server")?;
        let (key, aside) = (folder.join("secret.key"), folder.join("aside"));
        fs::rename(&key, &aside)?;
        is_refused(lab, &["start-", "secret.key"])?;
        ensure!(!key.exists(), "another key was made");
        fs::rename(&aside, &key)?;
        server(lab).map(drop)
    });
}
