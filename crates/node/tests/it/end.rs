//! How programs end: drained, cut off, failed, by signal.

use ipdect_node::{Ended, Environment, Metrics, Random, Running, shutdown};
use rand_core::RngCore;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

fn running() -> (Running, ipdect_node::Control) {
    Running::new(
        "media",
        [("probe.listen", SocketAddr::from(([127, 0, 0, 1], 7471)))],
    )
}

#[tokio::test(start_paused = true)]
async fn a_program_that_finishes_in_time_ends_cleanly() {
    let (running, mut control) = running();
    let begun = tokio::time::Instant::now();
    tokio::spawn(async move {
        control.set_ready();
        let deadline = control.drain_asked().await;
        assert_eq!(deadline - begun, Duration::from_secs(5));
        tokio::time::sleep(Duration::from_secs(4)).await;
        control.ended(Ended::Cleanly);
    });
    running.ready().await.unwrap();
    assert_eq!(running.address("probe.listen").unwrap().port(), 7471);
    assert_eq!(running.drain(Duration::from_secs(5)).await, Ended::Cleanly);
    assert_eq!(begun.elapsed(), Duration::from_secs(4));
    assert_eq!(running.wait().await, Ended::Cleanly, "asked again");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_finish_is_cut_off() {
    let (running, mut control) = running();
    let stuck = tokio::spawn(async move {
        control.stop_asked().await;
        std::future::pending::<()>().await;
        drop(control);
    });
    let begun = tokio::time::Instant::now();
    let Ended::Failed(why) = running.drain(Duration::from_secs(5)).await else {
        panic!("it did not end")
    };
    assert!(why.contains("still busy"), "{why}");
    assert_eq!(begun.elapsed(), Duration::from_secs(6));
    stuck.abort();
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_holds_and_zero_means_now() {
    let (running, mut control) = running();
    tokio::spawn(async move {
        control.stop_asked().await;
        control.ended(Ended::Cleanly);
    });
    let begun = tokio::time::Instant::now();
    let (late, soon) = (
        running.drain(Duration::from_secs(60)),
        running.drain(Duration::from_secs(2)),
    );
    assert_eq!(tokio::join!(late, soon), (Ended::Cleanly, Ended::Cleanly));
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    let (running, mut control) = self::running();
    tokio::spawn(async move {
        control.stop_asked().await;
        control.ended(Ended::Cleanly);
    });
    assert_eq!(running.drain(Duration::ZERO).await, Ended::Cleanly);
}

#[tokio::test]
async fn a_program_that_vanishes_has_failed() {
    let (running, control) = running();
    drop(control);
    let Err(Ended::Failed(why)) = running.ready().await else {
        panic!("it is not there")
    };
    assert!(why.contains("without a word"), "{why}");
    let (running, control) = self::running();
    control.ended(Ended::Failed("no store".into()));
    assert_eq!(running.ready().await, Err(Ended::Failed("no store".into())));
    assert_eq!(running.not_ready(), ["starting", "ended"]);
}

#[test]
fn seeded_chance_repeats_itself_and_the_systems_does_not() {
    let two = |random: Random| [random.generator().next_u64(), random.generator().next_u64()];
    let first = two(Random::seeded(7));
    assert_eq!(first, two(Random::seeded(7)));
    assert_ne!(first[0], first[1]);
    assert_ne!(first, two(Random::seeded(8)));
    let environment = Environment::system(Metrics::new(&[]));
    assert_ne!(environment.random.number(), environment.random.number());
    assert!(environment.clock.now() <= environment.clock.now());
}

/// Not a test by itself: the process that gets signals.
#[tokio::test]
async fn signalled() {
    if std::env::var_os("IPDECT_SIGNALLED").is_none() {
        return;
    }
    println!();
    let never = std::future::pending::<()>();
    let listening = async {
        println!("listening");
        never.await;
    };
    let drained = shutdown::signalled(listening, || async {
        println!("draining");
        std::future::pending::<()>().await;
    });
    println!("drained: {}", drained.await.unwrap());
}

#[test]
fn the_first_signal_drains_and_the_second_ends() {
    for (first, second) in [("INT", "TERM"), ("TERM", "INT")] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "end::signalled", "--nocapture"])
            .env("IPDECT_SIGNALLED", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let mut until = |wanted: &str| lines.find(|line| line == wanted).expect("the line comes");
        let signal = |name: &str| {
            let sent = Command::new("sh")
                .args(["-c", &format!("kill -{name} {}", child.id())])
                .status()
                .unwrap();
            assert!(sent.success());
        };
        until("listening");
        signal(first);
        until("draining");
        signal(second);
        until("drained: false");
        child.wait().unwrap();
    }
}
