//! What can a stranger send us? Every parser's fuzz function over its corpus, and over damaged copies of it.
//!
//! The functions are plain and live beside their parsers; `cargo-fuzz/` drives the same ones with a coverage-guided fuzzer.
//! An input that ever broke one of them is added to `corpus/<target>/` and stays there.

mod damage;
mod seeds;
mod targets;

use std::path::{Path, PathBuf};

use damage::Damage;
use targets::{TARGETS, Target};

/// Damaged inputs for each target.
const ROUNDS: usize = 20_000;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// Inputs of a target with their file names, in order.
fn inputs(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = corpus().join(target.name);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut found: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("a readable folder").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (
                name,
                std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
            )
        })
        .collect();
    found.sort();
    found
}

/// Runs one input; a panic names it, so that it can be added to the corpus.
fn feed(target: &Target, input: &[u8], what: &str) {
    let run = std::panic::catch_unwind(|| (target.run)(input));
    assert!(
        run.is_ok(),
        "{} broke on {what}: {}",
        target.name,
        hex::encode(input)
    );
}

fn replay(name: &str) {
    let target = targets::named(name);
    for (file, input) in inputs(target) {
        feed(target, &input, &file);
    }
}

fn damage(name: &str) {
    let target = targets::named(name);
    let seeds: Vec<Vec<u8>> = inputs(target).into_iter().map(|(_, input)| input).collect();
    let mut damage = Damage::seeded(target.name);
    let mut accepted = 0;
    for round in 0..ROUNDS {
        let mut input = seeds[round % seeds.len()].clone();
        damage.inflict(&mut input, &seeds);
        accepted += usize::from((target.accepts)(&input));
        feed(target, &input, &format!("round {round}"));
    }
    // Damage that is always noticed, or never, would test little. Few get past a checksum.
    match target.anyone_may_speak {
        true => assert!(
            (20..ROUNDS).contains(&accepted),
            "{accepted} of {ROUNDS} were read"
        ),
        false => assert_eq!(accepted, 0, "only who has the key is heard"),
    }
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(mod $name {
            #[test]
            fn its_corpus_is_survived() {
                crate::replay(stringify!($name));
            }

            #[test]
            fn damaged_copies_are_survived() {
                crate::damage(stringify!($name));
            }
        })*

        #[test]
        fn every_target_is_tested_here() {
            let listed: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(listed, [$(stringify!($name)),*]);
        }
    };
}

targets!(
    message, stream, sdp, digest, nwk, dlc, air, rtp, rtcp, srtp, record
);

#[test]
fn every_corpus_holds_what_its_parser_reads() {
    for target in TARGETS {
        let inputs = inputs(target);
        assert!(
            inputs.len() >= 3,
            "{} has {} inputs",
            target.name,
            inputs.len()
        );
        let read = inputs
            .iter()
            .filter(|(_, input)| (target.accepts)(input))
            .count();
        let wanted = if target.anyone_may_speak { 2 } else { 0 };
        assert!(
            read >= wanted,
            "{}: {read} of {} are read; write them anew",
            target.name,
            inputs.len()
        );
    }
}

#[test]
fn every_target_has_a_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/cargo-fuzz");
    let manifest =
        std::fs::read_to_string(folder.join("Cargo.toml")).expect("the fuzzer's manifest");
    for target in TARGETS {
        assert!(
            manifest.contains(&format!("name = \"{}\"", target.name)),
            "{} is not in the manifest",
            target.name
        );
        let source = folder.join(format!("fuzz_targets/{}.rs", target.name));
        let source =
            std::fs::read_to_string(source).unwrap_or_else(|e| panic!("{}: {e}", target.name));
        assert!(
            source.contains(&format!("fuzz_{}(", target.name)),
            "{} calls another function",
            target.name
        );
    }
}

/// Seeds come out of our own encoders and one whole call; `IPDECT_WRITE_CORPUS=1` writes them anew.
#[test]
fn seeds_are_made_for_every_target() {
    let seeds = seeds::all();
    for target in TARGETS {
        let made: Vec<_> = seeds
            .iter()
            .filter(|seed| seed.target == target.name)
            .collect();
        assert!(made.len() >= 3, "{} has {} seeds", target.name, made.len());
        for seed in made {
            assert_eq!(
                (target.accepts)(&seed.octets),
                target.anyone_may_speak,
                "{} {}",
                target.name,
                seed.name
            );
        }
    }
    if std::env::var_os("IPDECT_WRITE_CORPUS").is_some() {
        for seed in &seeds {
            let folder = corpus().join(seed.target);
            std::fs::create_dir_all(&folder).expect("a folder for the corpus");
            std::fs::write(folder.join(&seed.name), &seed.octets).expect("a file of the corpus");
        }
    }
}
