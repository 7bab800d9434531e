//! Arrows point down: no crate may use one of its own layer or of a higher one, and the lower layers see no runtime.

use crate::repository::{files, root, shown, text};

/// A member, its layer, and what it may use besides lower layers.
struct Member {
    folder: &'static str,
    name: &'static str,
    layer: u8,
}

const MEMBERS: &[Member] = &[
    Member {
        folder: "proto",
        name: "ipdect-proto",
        layer: 0,
    },
    Member {
        folder: "crates/sip",
        name: "ipdect-sip",
        layer: 1,
    },
    Member {
        folder: "crates/dect",
        name: "ipdect-dect",
        layer: 1,
    },
    Member {
        folder: "crates/media",
        name: "ipdect-media",
        layer: 1,
    },
    Member {
        folder: "crates/handset",
        name: "ipdect-handset",
        layer: 2,
    },
    Member {
        folder: "crates/portable",
        name: "ipdect-portable",
        layer: 2,
    },
    Member {
        folder: "crates/link",
        name: "ipdect-link",
        layer: 3,
    },
    Member {
        folder: "crates/cluster",
        name: "ipdect-cluster",
        layer: 3,
    },
    Member {
        folder: "crates/node",
        name: "ipdect-node",
        layer: 3,
    },
    Member {
        folder: "server",
        name: "ipdect-server",
        layer: 4,
    },
    Member {
        folder: "media-resource",
        name: "ipdect-media-resource",
        layer: 4,
    },
    Member {
        folder: "base-station",
        name: "ipdect-base-station",
        layer: 4,
    },
    Member {
        folder: "admin-api",
        name: "ipdect-admin-api",
        layer: 4,
    },
    Member {
        folder: "deploy/ipdect",
        name: "ipdect",
        layer: 5,
    },
    Member {
        folder: "tests",
        name: "ipdect-tests",
        layer: 6,
    },
];

/// What a manifest depends on, tests included when `dev` is set.
fn uses(folder: &str, dev: bool) -> Vec<String> {
    let manifest = text(&root().join(folder).join("Cargo.toml"));
    let parsed: toml::Table = manifest.parse().expect("a manifest is TOML");
    let mut tables = vec!["dependencies"];
    if dev {
        tables.push("dev-dependencies");
    }
    tables
        .into_iter()
        .filter_map(|t| parsed.get(t).and_then(toml::Value::as_table))
        .flat_map(|t| t.keys().cloned())
        .collect()
}

/// May a crate of `layer` use one of `used`? Layer 3 sees only layer 0; the rest all that is strictly below.
fn may_use(layer: u8, used: u8) -> bool {
    match layer {
        0..=2 => used != 0 && used < layer,
        3 => used == 0,
        _ => used < layer,
    }
}

#[test]
fn no_crate_looks_up() {
    let mut wrong = Vec::new();
    for member in MEMBERS {
        for used in uses(member.folder, false) {
            let Some(other) = MEMBERS.iter().find(|m| m.name == used) else {
                continue;
            };
            if !may_use(member.layer, other.layer) {
                wrong.push(format!(
                    "{} (layer {}) uses {} (layer {})",
                    member.name, member.layer, other.name, other.layer
                ));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_member_is_listed_here() {
    let manifest: toml::Table = text(&root().join("Cargo.toml")).parse().expect("TOML");
    let members: Vec<String> = manifest["workspace"]["members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(|m| m.as_str().map(String::from))
        .collect();
    let listed: Vec<String> = MEMBERS.iter().map(|m| m.folder.to_string()).collect();
    assert_eq!(members, listed);
}

#[test]
fn protocol_crates_and_minds_know_no_runtime() {
    const BANNED: &[&str] = &[
        "tokio",
        "tokio-util",
        "actix",
        "actix-rt",
        "tonic",
        "prost",
        "mio",
        "socket2",
        "nix",
        "rand",
        "redb",
        "rustls",
    ];
    let mut wrong = Vec::new();
    for member in MEMBERS.iter().filter(|m| (1..=2).contains(&m.layer)) {
        for used in uses(member.folder, false) {
            if BANNED.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", member.name));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// `rsip` draws ids at random and `webrtc-srtp` brings a runtime along: each has one chaperone.
#[test]
fn guests_stay_with_their_chaperone() {
    let mut wrong = Vec::new();
    // The fuzz functions of the same crate hold the conversion to `rsip` to its promise too.
    let homes: [(&str, &[&str]); 2] = [
        (
            "rsip::",
            &["crates/sip/src/message/", "crates/sip/src/fuzzing.rs"],
        ),
        ("webrtc_srtp::", &["crates/media/src/srtp"]),
    ];
    for (guest, homes) in homes {
        for folder in [
            "crates",
            "server",
            "media-resource",
            "base-station",
            "admin-api",
            "deploy",
        ] {
            for file in files(folder, ".rs") {
                let name = shown(&file);
                let is_test = name.contains("/tests/") || name.contains("/benches/");
                let imports = text(&file)
                    .lines()
                    .any(|l| !l.trim_start().starts_with("//") && l.contains(guest));
                if imports && !homes.iter().any(|home| name.starts_with(home)) && !is_test {
                    wrong.push(format!("{name} imports {guest}"));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_wire_type_stops_at_the_door() {
    // The base station's mind is held to the rule of layer 2.
    let wrong: Vec<String> = files("base-station/src/cell", ".rs")
        .into_iter()
        .filter(|f| {
            text(f).lines().any(|l| {
                !l.trim_start().starts_with("//")
                    && (l.contains("ipdect_proto") || l.contains("tokio::"))
            })
        })
        .map(|f| shown(&f))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert!(!files("base-station/src/cell", ".rs").is_empty());
}
