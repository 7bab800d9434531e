//! Which releases may talk to which, as pure functions. Source: guide 14207900, Firmware Compatibility; operations B3.

use crate::{release::Release, role::Role};

const PCS08: Release = Release::named(8, None);
const PCS08B: Release = Release::named(8, Some('B'));
const PCS12: Release = Release::named(12, None);
const PCS12A: Release = Release::named(12, Some('A'));

/// Lowest generation of the link contract that we speak.
pub const MIN_GENERATION: u32 = 2;
/// Highest generation of the link contract that we speak.
pub const MAX_GENERATION: u32 = 3;

/// Rule of the guide that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Media resources older than PCS08B_ cannot connect to a server at PCS08B_ or newer.
    R1,
    /// Base stations older than PCS08_ cannot connect to a server at PCS08B_ or newer.
    R2,
    /// Nothing is said about servers older than PCS08B_.
    R3,
    /// Nothing reboots before servers and media resources have PCS12_ and base stations PCS12A_ installed.
    R4,
    /// Lync needs the server to run PCS12_ or newer.
    R5,
}

impl Rule {
    /// The rule's name, such as `R1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::R4 => "R4",
            Self::R5 => "R5",
        }
    }
}

/// Whether a device may link to a server, by their releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compatibility {
    /// It may.
    Connects,
    /// It may not.
    Refused {
        /// The rule that says so.
        rule: Rule,
        /// Oldest release that could.
        required: Release,
    },
    /// The guide does not say (R3).
    NotStated,
}

/// Tells whether a device of `role` at release `peer` may link to a server at release `server`.
///
/// Roles that the guide does not know follow the server's own silence: not stated below PCS08B_, else they connect.
#[must_use]
pub fn connects(server: Release, role: Role, peer: Release) -> Compatibility {
    if server.rank() < PCS08B.rank() {
        return Compatibility::NotStated;
    }
    match oldest_peer(role) {
        Some((rule, required)) if peer.rank() < required.rank() => {
            Compatibility::Refused { rule, required }
        }
        _ => Compatibility::Connects,
    }
}

/// Oldest device that a server at PCS08B_ or newer takes, and the rule that says so.
fn oldest_peer(role: Role) -> Option<(Rule, Release)> {
    match role {
        Role::Media => Some((Rule::R1, PCS08B)),
        Role::Base => Some((Rule::R2, PCS08)),
        _ => None,
    }
}

/// Newest generation of the link contract that a node of `role` at `release` speaks: 1, 2 or 3.
#[must_use]
pub fn newest_generation(role: Role, release: Release) -> u32 {
    let second = if role == Role::Base { PCS08 } else { PCS08B };
    match release.rank() {
        rank if rank < second.rank() => 1,
        rank if rank < PCS12.rank() => 2,
        _ => 3,
    }
}

/// Tells whether a server that *runs* `server` may interoperate with Lync (R5).
#[must_use]
pub fn lync_usable(server: Release) -> bool {
    server.rank() >= PCS12.rank()
}

/// What a unit will run after its next boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// It runs this release and nothing else is staged.
    Running(Release),
    /// It runs one release and has another one staged; an unverified one does not count.
    Staged {
        /// What runs now.
        running: Release,
        /// What waits.
        staged: Release,
        /// Digest and signature of what waits are right.
        verified: bool,
    },
    /// It does not answer.
    Unreachable,
}

impl Installed {
    /// The release of the next boot, if known.
    fn next_boot(self) -> Option<Release> {
        match self {
            Self::Running(running)
            | Self::Staged {
                running,
                verified: false,
                ..
            } => Some(running),
            Self::Staged {
                staged,
                verified: true,
                ..
            } => Some(staged),
            Self::Unreachable => None,
        }
    }
}

/// One configured unit of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its node id.
    pub node_id: String,
    /// What it is.
    pub role: Role,
    /// What it will run.
    pub installed: Installed,
    /// The operator named it as left out (`--exclude`).
    pub excluded: bool,
}

/// Why nothing may be rebooted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The unit in the way.
    pub node_id: String,
    /// What it will run; `None`: it does not answer.
    pub installed: Option<Release>,
    /// What it needs.
    pub required: Release,
}

/// Tells whether anything may be rebooted (R4): every configured unit that is not excluded has its floor installed.
///
/// # Errors
/// All units in the way, in the order given.
pub fn may_reboot(fleet: &[Unit]) -> Result<(), Vec<Obstacle>> {
    let obstacles: Vec<Obstacle> = fleet
        .iter()
        .filter(|unit| !unit.excluded)
        .filter_map(obstacle)
        .collect();
    if obstacles.is_empty() {
        Ok(())
    } else {
        Err(obstacles)
    }
}

fn obstacle(unit: &Unit) -> Option<Obstacle> {
    let required = match unit.role {
        Role::Server | Role::Media => PCS12,
        Role::Base => PCS12A,
        _ => return None,
    };
    let installed = unit.installed.next_boot();
    let fits = installed.is_some_and(|release| release.rank() >= required.rank());
    (!fits).then(|| Obstacle {
        node_id: unit.node_id.clone(),
        installed,
        required,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: [&str; 8] = [
        "PCS07_", "PCS08_", "PCS08A_", "PCS08B_", "PCS09_", "PCS12_", "PCS12A_", "PCS14B_",
    ];

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    /// Compares rows of `Y`, `N` and `?` with the function, cell by cell.
    fn check_table(role: Role, refusal: Compatibility, rows: &[(&str, &str)]) {
        for (peer, cells) in rows {
            let cells: Vec<char> = cells.chars().filter(|cell| *cell != ' ').collect();
            assert_eq!(cells.len(), SERVERS.len());
            for (server, cell) in SERVERS.iter().zip(cells) {
                let wanted = match cell {
                    'Y' => Compatibility::Connects,
                    'N' => refusal,
                    _ => Compatibility::NotStated,
                };
                assert_eq!(
                    connects(release(server), role, release(peer)),
                    wanted,
                    "{peer} at {server}"
                );
            }
        }
    }

    #[test]
    fn every_cell_of_the_media_table_holds() {
        let refusal = Compatibility::Refused {
            rule: Rule::R1,
            required: PCS08B,
        };
        check_table(
            Role::Media,
            refusal,
            &[
                ("PCS07_", "? ? ? N N N N N"),
                ("PCS08_", "? ? ? N N N N N"),
                ("PCS08A_", "? ? ? N N N N N"),
                ("PCS08B_", "? ? ? Y Y Y Y Y"),
                ("PCS09_", "? ? ? Y Y Y Y Y"),
                ("PCS12_", "? ? ? Y Y Y Y Y"),
                ("PCS12A_", "? ? ? Y Y Y Y Y"),
                ("PCS14B_", "? ? ? Y Y Y Y Y"),
            ],
        );
    }

    #[test]
    fn every_cell_of_the_base_table_holds() {
        let refusal = Compatibility::Refused {
            rule: Rule::R2,
            required: PCS08,
        };
        check_table(
            Role::Base,
            refusal,
            &[
                ("PCS07_", "? ? ? N N N N N"),
                ("PCS07B_", "? ? ? N N N N N"),
                ("PCS08_", "? ? ? Y Y Y Y Y"),
                ("PCS08A_", "? ? ? Y Y Y Y Y"),
                ("PCS08B_", "? ? ? Y Y Y Y Y"),
                ("PCS12_", "? ? ? Y Y Y Y Y"),
                ("PCS12A_", "? ? ? Y Y Y Y Y"),
            ],
        );
    }

    #[test]
    fn a_build_number_changes_no_verdict() {
        assert_eq!(
            connects(release("PCS08B_1"), Role::Media, release("PCS08B_")),
            Compatibility::Connects
        );
        assert_eq!(
            connects(release("PCS16_"), Role::Base, release("PCS08_3")),
            Compatibility::Connects
        );
    }

    #[test]
    fn generations_follow_the_release() {
        for (role, text, generation) in [
            (Role::Media, "PCS08A_", 1),
            (Role::Media, "PCS08B_", 2),
            (Role::Media, "PCS10_", 2),
            (Role::Media, "PCS12_", 3),
            (Role::Base, "PCS07_", 1),
            (Role::Base, "PCS08_", 2),
            (Role::Base, "PCS12A_", 3),
            (Role::Server, "PCS08_", 1),
            (Role::Server, "PCS08B_", 2),
            (Role::Server, "PCS16_", 3),
        ] {
            assert_eq!(
                newest_generation(role, release(text)),
                generation,
                "{role:?} {text}"
            );
        }
    }

    #[test]
    fn lync_needs_a_running_server_at_pcs12() {
        let answers =
            ["PCS08B_", "PCS10_", "PCS12_", "PCS12A_"].map(|text| lync_usable(release(text)));
        assert_eq!(answers, [false, false, true, true]);
    }

    fn unit(role: Role, installed: Installed) -> Unit {
        Unit {
            node_id: format!("{role:?}").to_lowercase(),
            role,
            installed,
            excluded: false,
        }
    }

    fn fleet(server: &str, media: Option<Installed>, base: &str) -> Vec<Unit> {
        let mut fleet = vec![unit(Role::Server, Installed::Running(release(server)))];
        fleet.extend(media.map(|installed| unit(Role::Media, installed)));
        fleet.push(unit(Role::Base, Installed::Running(release(base))));
        fleet
    }

    #[test]
    fn every_row_of_the_reboot_table_holds() {
        let runs = |text: &str| Some(Installed::Running(release(text)));
        let staged = |verified| {
            Some(Installed::Staged {
                running: release("PCS10_"),
                staged: release("PCS12_"),
                verified,
            })
        };
        for (server, media, base, may) in [
            ("PCS12_", runs("PCS12_"), "PCS12A_", true),
            ("PCS14B_", runs("PCS12_"), "PCS12A_", true),
            ("PCS12_", runs("PCS12_"), "PCS12_", false),
            ("PCS12A_", runs("PCS12A_"), "PCS12_", false),
            ("PCS12_", runs("PCS08B_"), "PCS12A_", false),
            ("PCS08B_", runs("PCS12_"), "PCS12A_", false),
            ("PCS14B_", runs("PCS14B_"), "PCS08_", false),
            ("PCS12_", None, "PCS12A_", true),
            ("PCS12_", Some(Installed::Unreachable), "PCS12A_", false),
            ("PCS12_", staged(false), "PCS12A_", false),
            ("PCS12_", staged(true), "PCS12A_", true),
        ] {
            assert_eq!(
                may_reboot(&fleet(server, media, base)).is_ok(),
                may,
                "{server} {media:?} {base}"
            );
        }
    }

    #[test]
    fn an_excluded_unit_is_not_asked_and_obstacles_are_named() {
        let mut units = fleet("PCS12_", Some(Installed::Unreachable), "PCS12_");
        let media = Obstacle {
            node_id: "media".into(),
            installed: None,
            required: PCS12,
        };
        let base = Obstacle {
            node_id: "base".into(),
            installed: Some(PCS12),
            required: PCS12A,
        };
        assert_eq!(may_reboot(&units), Err(vec![media, base.clone()]));
        units[1].excluded = true;
        assert_eq!(may_reboot(&units), Err(vec![base]));
    }
}
