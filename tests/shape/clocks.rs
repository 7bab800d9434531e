//! Time, randomness and ids are arguments in layers 1 and 2 and in the base station's mind.

use crate::repository::{files, shown, text};

const BANNED: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "tokio::",
    "thread::sleep",
    "thread_rng",
    "rand::rng(",
    "OsRng",
    "HashMap",
    "HashSet",
];
const MINDS: &[&str] = &[
    "crates/sip/src",
    "crates/dect/src",
    "crates/media/src",
    "crates/handset/src",
    "crates/portable/src",
    "base-station/src/cell",
];

#[test]
fn minds_look_at_no_clock() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for folder in MINDS {
        for file in files(folder, ".rs") {
            let name = shown(&file);
            read += 1;
            // The first instant of the tests comes from t0(), the one place that may ask the clock.
            if name.ends_with("src/tests.rs") {
                continue;
            }
            for (number, line) in text(&file).lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for banned in BANNED.iter().filter(|b| code.contains(**b)) {
                    wrong.push(format!("{name}:{}: {banned}", number + 1));
                }
            }
        }
    }
    assert!(read > 50, "only {read} files were read");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn minds_have_their_own_bans() {
    for krate in ["sip", "dect", "media", "handset", "portable"] {
        let found = files(&format!("crates/{krate}"), "clippy.toml");
        assert_eq!(found.len(), 1, "crates/{krate} has no clippy.toml");
        let bans = text(&found[0]);
        for ban in [
            "std::time::Instant::now",
            "std::time::SystemTime::now",
            "std::thread::sleep",
        ] {
            assert!(
                bans.contains(ban),
                "crates/{krate}/clippy.toml does not ban {ban}"
            );
        }
    }
}
