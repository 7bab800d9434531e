//! Whether a link opens: one pure function, first miss wins. Source: contracts 5.

use ipdect_proto::link::v1::{Hello, Refusal, RefusalReason};

use crate::{
    compat::{self, Compatibility, MAX_GENERATION, MIN_GENERATION, Rule},
    identity::PeerIdentity,
    release::Release,
    role::{Role, role_name},
};

/// After how long a refused device tries again, seconds.
pub const RETRY_AFTER_S: u32 = 5;

/// What the server brings into the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its release.
    pub release: Release,
    /// UUID of its cluster.
    pub cluster_id: String,
    /// Lowest generation that it speaks.
    pub min_generation: u32,
    /// Highest generation that it speaks.
    pub max_generation: u32,
    /// Setting `compat.unknown = "allow"`: pairs of releases of which nothing is stated are let in.
    pub allow_not_stated: bool,
    /// It takes no new links.
    pub draining: bool,
}

impl Offer {
    /// The offer of this build in a cluster: own release, own generations, strict, not draining.
    #[must_use]
    pub fn of(cluster_id: impl Into<String>) -> Self {
        Self {
            release: Release::ours(),
            cluster_id: cluster_id.into(),
            min_generation: MIN_GENERATION,
            max_generation: MAX_GENERATION,
            allow_not_stated: false,
            draining: false,
        }
    }
}

/// What the server knows about the caller beside its `Hello`.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Who it is by its certificate.
    pub identity: &'a PeerIdentity,
    /// The store's device record names the certificate's serial number.
    pub known: bool,
    /// Role that this link is for.
    pub link_role: Role,
    /// Boot id under which the same node is linked already and answers, if it is.
    pub linked_as: Option<u64>,
}

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Generation spoken from now on.
    pub generation: u32,
    /// The caller's release.
    pub release: Release,
    /// The pair is let in although nothing is stated about it (R3): to be shown as a warning.
    pub not_stated: bool,
}

/// Decides whether a caller may link, and in which generation.
///
/// # Errors
/// A [`Refusal`] with reason, rule and remedy; it is sent back as it is.
pub fn negotiate(ours: &Offer, caller: Caller<'_>, hello: &Hello) -> Result<Agreement, Refusal> {
    check_identity(caller, hello)?;
    check_cluster(ours, caller, hello)?;
    let release = check_release(hello)?;
    let not_stated = check_compatibility(ours, caller.link_role, release, hello)?;
    let generation = common_generation(ours, hello)?;
    if caller
        .linked_as
        .is_some_and(|boot_id| boot_id != hello.boot_id)
    {
        return Err(no(
            RefusalReason::DuplicateNode,
            hello,
            "another unit uses this node id; enrol one of them anew under its own name",
        ));
    }
    if ours.draining {
        return Err(no(
            RefusalReason::Draining,
            hello,
            "this server leaves service; use another one of the cluster",
        ));
    }
    Ok(Agreement {
        generation,
        release,
        not_stated,
    })
}

fn no(reason: RefusalReason, hello: &Hello, remedy: impl Into<String>) -> Refusal {
    Refusal {
        reason: reason.into(),
        offered_release: hello.release.chars().take(32).collect(),
        remedy: remedy.into(),
        retry_after_s: RETRY_AFTER_S,
        ..Refusal::default()
    }
}

fn check_identity(caller: Caller<'_>, hello: &Hello) -> Result<(), Refusal> {
    let same_role = hello.role() == caller.identity.role && hello.role() == caller.link_role;
    let same_name = hello.node_id == caller.identity.node_id.as_str();
    if caller.known && same_role && same_name {
        return Ok(());
    }
    let remedy = if caller.known {
        format!(
            "the certificate is for {} {}; enrol the unit anew",
            role_name(caller.identity.role),
            caller.identity.node_id
        )
    } else {
        "the certificate no longer counts; enrol the unit anew with a fresh token".to_owned()
    };
    Err(no(RefusalReason::NotEnrolled, hello, remedy))
}

fn check_cluster(ours: &Offer, caller: Caller<'_>, hello: &Hello) -> Result<(), Refusal> {
    if hello.cluster_id == ours.cluster_id && caller.identity.cluster_id == ours.cluster_id {
        return Ok(());
    }
    Err(no(
        RefusalReason::WrongCluster,
        hello,
        "the unit is enrolled in another cluster; enrol it in this one, or give it the address of its own",
    ))
}

fn check_release(hello: &Hello) -> Result<Release, Refusal> {
    hello.release.parse().map_err(|_| {
        no(
            RefusalReason::ReleaseUnknown,
            hello,
            "the unit names no release such as PCS12A_; install one that does",
        )
    })
}

/// Tells whether the pair is let in although nothing is stated about it.
fn check_compatibility(
    ours: &Offer,
    role: Role,
    theirs: Release,
    hello: &Hello,
) -> Result<bool, Refusal> {
    match compat::connects(ours.release, role, theirs) {
        Compatibility::Connects => Ok(false),
        Compatibility::NotStated if ours.allow_not_stated => Ok(true),
        Compatibility::NotStated => Err(Refusal {
            rule: Rule::R3.name().into(),
            ..no(
                RefusalReason::NotStated,
                hello,
                format!(
                    "nothing is stated about {theirs} at a server with {}; upgrade the server, or set compat.unknown to allow",
                    ours.release
                ),
            )
        }),
        Compatibility::Refused { rule, required } => Err(Refusal {
            rule: rule.name().into(),
            required_release: required.to_string(),
            ..no(
                RefusalReason::ReleaseTooOld,
                hello,
                format!("install {required} or newer on this unit"),
            )
        }),
    }
}

fn common_generation(ours: &Offer, hello: &Hello) -> Result<u32, Refusal> {
    let generation = ours.max_generation.min(hello.max_generation);
    if generation >= ours.min_generation.max(hello.min_generation) && generation > 0 {
        return Ok(generation);
    }
    Err(no(
        RefusalReason::NoCommonGeneration,
        hello,
        format!(
            "this server speaks generations {} to {} of the link, the unit {} to {}; upgrade the older side",
            ours.min_generation, ours.max_generation, hello.min_generation, hello.max_generation
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(role: Role) -> PeerIdentity {
        PeerIdentity {
            cluster_id: "c1".into(),
            role,
            node_id: "unit-1".parse().unwrap(),
            certificate_serial: vec![7],
        }
    }

    fn offer(release: &str) -> Offer {
        Offer {
            release: release.parse().unwrap(),
            ..Offer::of("c1")
        }
    }

    fn hello(role: Role, release: &str) -> Hello {
        let generation = release
            .parse()
            .map_or(3, |parsed| compat::newest_generation(role, parsed));
        Hello {
            min_generation: generation.saturating_sub(1).max(1),
            max_generation: generation,
            release: release.into(),
            role: role.into(),
            node_id: "unit-1".into(),
            cluster_id: "c1".into(),
            boot_id: 1,
            ..Hello::default()
        }
    }

    fn verdict(
        offer: &Offer,
        role: Role,
        hello: &Hello,
    ) -> Result<Agreement, (RefusalReason, String)> {
        let identity = identity(role);
        let caller = Caller {
            identity: &identity,
            known: true,
            link_role: role,
            linked_as: None,
        };
        negotiate(offer, caller, hello).map_err(|refusal| (refusal.reason(), refusal.rule))
    }

    /// G1's connect table through the whole handshake: `Y`, `N`, `?` for each server.
    fn check_table(role: Role, rule: &str, rows: &[(&str, &str)]) {
        let servers = [
            "PCS07_", "PCS08_", "PCS08A_", "PCS08B_", "PCS09_", "PCS12_", "PCS12A_", "PCS14B_",
        ];
        for (peer, cells) in rows {
            for (server, cell) in servers.iter().zip(cells.split(' ')) {
                let strict = verdict(&offer(server), role, &hello(role, peer));
                let lenient = Offer {
                    allow_not_stated: true,
                    min_generation: 1,
                    ..offer(server)
                };
                let lenient = verdict(&lenient, role, &hello(role, peer));
                let place = format!("{peer} at {server}");
                match cell {
                    "Y" => assert!(strict.is_ok_and(|agreed| !agreed.not_stated), "{place}"),
                    "N" => assert_eq!(
                        strict,
                        Err((RefusalReason::ReleaseTooOld, rule.into())),
                        "{place}"
                    ),
                    _ => {
                        assert_eq!(
                            strict,
                            Err((RefusalReason::NotStated, "R3".into())),
                            "{place}"
                        );
                        assert!(lenient.is_ok_and(|agreed| agreed.not_stated), "{place}");
                    }
                }
            }
        }
    }

    #[test]
    fn media_resources_are_let_in_by_g1() {
        check_table(
            Role::Media,
            "R1",
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
    fn base_stations_are_let_in_by_g1() {
        check_table(
            Role::Base,
            "R2",
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
    fn the_generation_is_the_highest_common_one() {
        let ours = offer("PCS16_");
        assert_eq!(
            verdict(&ours, Role::Base, &hello(Role::Base, "PCS10_"))
                .unwrap()
                .generation,
            2
        );
        assert_eq!(
            verdict(&ours, Role::Base, &hello(Role::Base, "PCS12A_"))
                .unwrap()
                .generation,
            3
        );
        let newer = Hello {
            min_generation: 3,
            max_generation: 4,
            ..hello(Role::Base, "PCS20_")
        };
        assert_eq!(verdict(&ours, Role::Base, &newer).unwrap().generation, 3);
    }

    #[test]
    fn an_old_release_is_told_what_it_needs() {
        let identity = identity(Role::Media);
        let caller = Caller {
            identity: &identity,
            known: true,
            link_role: Role::Media,
            linked_as: None,
        };
        let refusal =
            negotiate(&offer("PCS16_"), caller, &hello(Role::Media, "PCS08A_")).unwrap_err();
        assert_eq!(
            refusal,
            Refusal {
                reason: RefusalReason::ReleaseTooOld.into(),
                rule: "R1".into(),
                offered_release: "PCS08A_".into(),
                required_release: "PCS08B_".into(),
                remedy: "install PCS08B_ or newer on this unit".into(),
                retry_after_s: 5,
            }
        );
    }

    #[test]
    fn the_first_miss_wins_all_the_way_down() {
        // One mistake of each kind at once; mending them one by one uncovers the next.
        let mut identity = identity(Role::Base);
        identity.cluster_id = "c2".into();
        let mut ours = Offer {
            draining: true,
            ..offer("PCS16_")
        };
        let mut caller = Caller {
            identity: &identity,
            known: false,
            link_role: Role::Base,
            linked_as: Some(9),
        };
        let mut said = Hello {
            min_generation: 4,
            max_generation: 5,
            release: "new".into(),
            cluster_id: "c2".into(),
            ..hello(Role::Base, "PCS16_")
        };
        let reason = |ours: &Offer, caller, said: &Hello| {
            negotiate(ours, caller, said).map_err(|no| no.reason())
        };

        assert_eq!(
            reason(&ours, caller, &said),
            Err(RefusalReason::NotEnrolled)
        );
        caller.known = true;
        assert_eq!(
            reason(&ours, caller, &said),
            Err(RefusalReason::WrongCluster)
        );
        let identity = PeerIdentity {
            cluster_id: "c1".into(),
            ..identity.clone()
        };
        caller.identity = &identity;
        assert_eq!(
            reason(&ours, caller, &said),
            Err(RefusalReason::WrongCluster)
        );
        said.cluster_id = "c1".into();
        assert_eq!(
            reason(&ours, caller, &said),
            Err(RefusalReason::ReleaseUnknown)
        );
        said.release = "PCS07_".into();
        assert_eq!(
            reason(&ours, caller, &said),
            Err(RefusalReason::ReleaseTooOld)
        );
        said.release = "PCS16_".into();
        assert_eq!(
            reason(&ours, caller, &said),
            Err(RefusalReason::NoCommonGeneration)
        );
        said.min_generation = 3;
        assert_eq!(
            reason(&ours, caller, &said),
            Err(RefusalReason::DuplicateNode)
        );
        caller.linked_as = Some(said.boot_id);
        assert_eq!(reason(&ours, caller, &said), Err(RefusalReason::Draining));
        ours.draining = false;
        assert_eq!(
            reason(&ours, caller, &said).map(|agreed| agreed.generation),
            Ok(3)
        );
    }

    #[test]
    fn role_and_name_must_be_the_certificates_and_the_links() {
        let ours = offer("PCS16_");
        let refused = Err((RefusalReason::NotEnrolled, String::new()));
        assert_eq!(
            verdict(&ours, Role::Base, &hello(Role::Media, "PCS16_")),
            refused
        );
        let other = Hello {
            node_id: "unit-2".into(),
            ..hello(Role::Base, "PCS16_")
        };
        assert_eq!(verdict(&ours, Role::Base, &other), refused);
        let identity = identity(Role::Media);
        let caller = Caller {
            identity: &identity,
            known: true,
            link_role: Role::Base,
            linked_as: None,
        };
        let reason =
            negotiate(&ours, caller, &hello(Role::Media, "PCS16_")).map_err(|no| no.reason());
        assert_eq!(reason, Err(RefusalReason::NotEnrolled));
    }

    #[test]
    fn a_generation_of_zero_is_none() {
        let ours = Offer {
            min_generation: 0,
            ..offer("PCS16_")
        };
        let said = Hello {
            min_generation: 0,
            max_generation: 0,
            ..hello(Role::Base, "PCS16_")
        };
        assert_eq!(
            verdict(&ours, Role::Base, &said),
            Err((RefusalReason::NoCommonGeneration, String::new()))
        );
    }
}
