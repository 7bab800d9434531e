//! A process is killed while it writes, again and again: the next one finds all that was confirmed.
//!
//! `IPDECT_KILLS` sets how often; the process that writes is this test program, told so by `IPDECT_KILL_FILE`.

use ipdect_cluster::{Embedded, Store, Txn};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const KILLS: u64 = 1_000;
/// Files that are written at the same time.
const LANES: u64 = 4;
const ME: &str = "kill::writer";
const FILE: &str = "IPDECT_KILL_FILE";

/// Not a test by itself: the process that gets killed.
#[test]
fn writer() {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(write(Path::new(&file)));
}

/// Tells what it found, then counts, and tells each number that was confirmed. Never ends by itself.
async fn write(path: &Path) {
    let store = Embedded::open(path).unwrap();
    // The harness has begun a line.
    println!();
    let mut count = read(&store).await;
    tell("found", count);
    loop {
        count += 1;
        let value = count.to_string();
        let txn = Txn::new().put("/count", value.clone()).put("/copy", value);
        let txn = txn.put(
            format!("/log/{}", count % 50),
            vec![b'x'; (count % 7 * 900) as usize],
        );
        store.txn(txn).await.unwrap();
        tell("confirmed", count);
    }
}

async fn read(store: &Embedded) -> u64 {
    let number = async |key| {
        let row = store.get(key).await.unwrap();
        row.map_or(0, |row| {
            String::from_utf8_lossy(&row.value).parse::<u64>().unwrap()
        })
    };
    let count = number("/count").await;
    assert_eq!(
        number("/copy").await,
        count,
        "a transaction is there as a whole"
    );
    assert_eq!(
        store.range("/", None, 1).await.unwrap().revision,
        count,
        "one revision a transaction"
    );
    count
}

fn tell(what: &str, count: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {count}")
        .and_then(|()| out.flush())
        .unwrap();
}

fn start(file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", ME, "--nocapture", "--test-threads=1"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Starts the writer and kills it some time after some confirmations; gives what it found and what it had confirmed
/// last.
fn life(file: &Path, confirmations: usize, after: Duration) -> (u64, u64) {
    let mut child = start(file);
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let number = |line: &str, what: &str| line.strip_prefix(what)?.trim().parse::<u64>().ok();
    let found = lines
        .by_ref()
        .find_map(|line| number(&line, "found"))
        .expect("the writer finds its store sound");
    let mut confirmed = lines.filter_map(|line| number(&line, "confirmed"));
    let before = confirmed.by_ref().take(confirmations).last();
    std::thread::sleep(after);
    child.kill().unwrap();
    let confirmed = confirmed.last().or(before).unwrap_or(found);
    child.wait().unwrap();
    (found, confirmed)
}

#[test]
fn nothing_confirmed_is_lost_by_a_kill() {
    let kills = std::env::var("IPDECT_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(KILLS);
    // What a kill can do is the same in memory, and there a thousand of them take seconds.
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let file = dir.path().join(format!("{lane}.redb"));
            scope.spawn(move || kill_again_and_again(&file, lane, kills / LANES));
        }
    });
}

fn kill_again_and_again(file: &Path, seed: u64, kills: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut last = 0;
    for kill in 0..kills {
        let after = Duration::from_micros(rng.next_u64() % 800);
        let (found, confirmed) = life(file, rng.next_u32() as usize % 4, after);
        // One more may have been written whose confirmation nobody heard.
        assert!(
            found == last || found == last + 1,
            "kill {kill}: {last} confirmed, {found} found"
        );
        last = confirmed;
    }
    assert!(last > kills, "the writers wrote: {last}");
}

/// A new file is killed while it is made: the next process makes it or finds it, and what was begun does no harm.
#[test]
fn a_kill_while_the_file_is_made_leaves_none_or_a_whole_one() {
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    for kill in 0..40_u64 {
        let file = dir.path().join(format!("{kill}.redb"));
        let mut child = start(&file);
        std::thread::sleep(Duration::from_micros(kill * 500));
        child.kill().unwrap();
        child.wait().unwrap();
        let (found, _) = life(&file, 0, Duration::ZERO);
        assert!(found < 1_000, "{found}");
    }
}
