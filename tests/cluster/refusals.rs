//! Bad input to the separate programs: each names what is wrong and what to do, and ends with the right status.

use std::net::TcpListener;

use anyhow::{Context as _, Result, bail, ensure};
use ipdect_link::contract::RadioLink;
use ipdect_link::dial::{DialError, dial};
use ipdect_link::enrol::{Enrolling, enrol};
use ipdect_link::pki::credentials::read_root;
use ipdect_link::pki::tls::client_config;
use ipdect_link::release::Release;
use ipdect_proto::link::v1::{Hello, Refusal, RefusalReason, Role};
use tokio_util::sync::CancellationToken;

use crate::handset::Handset;
use crate::lab::{Lab, on_a_bench};
use crate::peers::kamailio::{self, Kamailio};
use crate::system::{self, PATIENCE, Settings, System};

/// Links and enrolments that a server refused.
const REJECTED: &str = "ipdect_link_rejected_total";

#[test]
fn a_base_with_a_wrong_token_is_refused_and_ends() {
    on_a_bench(|lab| {
        let mut server = system::server(lab, &Settings::default())?;
        server.is_ready(lab)?;
        let mut base =
            system::base_with_token(lab, "stranger", "base.abcdefghijklmnopqrstuvwxyznobody")?;
        let status = base.program.ends(PATIENCE)?;
        ensure!(!status.success(), "it ended with {status}");
        base.program.says("the token is wrong", PATIENCE)?;
        base.program
            .says("ipdect token create --role base", PATIENCE)?;
        server.counts(
            lab,
            REJECTED,
            "peer_kind=\"base\",reason=\"enrolment\"",
            1.0,
        )
    });
}

#[test]
fn a_base_with_old_firmware_is_refused_with_the_release_it_needs() {
    on_a_bench(|lab| {
        let mut server = system::server(lab, &Settings::default())?;
        server.is_ready(lab)?;
        let refusal = lab.namespace().inside(|| refusal_of(lab, "PCS07C_"))??;
        ensure!(
            refusal.reason() == RefusalReason::ReleaseTooOld
                && (refusal.rule.as_str(), refusal.required_release.as_str()) == ("R2", "PCS08_"),
            "{refusal:?}"
        );
        ensure!(refusal.remedy.contains("PCS08_"), "{refusal:?}");
        let old = "peer_kind=\"base\",reason=\"RELEASE_TOO_OLD\"";
        server.counts(lab, REJECTED, old, 1.0)?;
        server.program.says("link refused", PATIENCE)
    });
}

/// Enrols a base station and says a `Hello` with that release.
fn refusal_of(lab: &Lab, release: &str) -> Result<Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let enrolling = Enrolling {
            servers: vec![system::LINK.into()],
            token: system::token("base").parse()?,
            root: Some(read_root(&system::root(lab)?)?),
            serial: "old-1".into(),
            release: Release::ours(),
            wished_name: String::new(),
            folder: lab.folder("old")?,
        };
        let credentials = enrol(&enrolling).await?.credentials;
        let hello = Hello {
            min_generation: 1,
            max_generation: 1,
            release: release.into(),
            role: Role::Base.into(),
            node_id: credentials.identity.node_id.to_string(),
            cluster_id: credentials.identity.cluster_id.clone(),
            serial: "old-1".into(),
            boot_id: 1,
            ..Hello::default()
        };
        let stop = CancellationToken::new();
        let tls = client_config(&credentials)?;
        match dial::<RadioLink>(system::LINK, tls, hello, &stop).await {
            Err(DialError::Refused(refusal)) => Ok(*refusal),
            Err(other) => Err(other).context("not a refusal"),
            Ok(_) => bail!("{release} was let in"),
        }
    })
}

#[test]
fn a_port_in_use_is_named_with_its_key_and_a_remedy() {
    on_a_bench(|lab| {
        let _holder = lab
            .namespace()
            .inside(|| TcpListener::bind(system::LINK))??;
        let mut server = system::server(lab, &Settings::default())?;
        let status = server.program.ends(PATIENCE)?;
        let said = server.program.said();
        let last = said.lines().last().unwrap_or_default();
        for part in [
            "link.listen",
            system::LINK,
            "in use; stop what listens there",
        ] {
            ensure!(last.contains(part), "no {part:?} in {last:?}");
        }
        ensure!(status.code() == Some(1), "it ended with {status}");
        Ok(())
    });
}

#[test]
fn a_wrong_password_leaves_the_user_unregistered_and_says_why() {
    on_a_bench(|lab| {
        let kamailio = Kamailio::start(lab, &kamailio::Options::default())?;
        let settings = Settings {
            password: Some("wrong"),
            ..Default::default()
        };
        let mut system = System::start(lab, &settings)?;
        let _handset = Handset::start(lab, 0, 1000.0)?;
        let server = &mut system.server;
        server.program.says("registration failed", PATIENCE)?;
        server
            .program
            .says("refuses the user name or password", PATIENCE)?;
        ensure!(!kamailio.bindings("1001")?.contains("Address:"));
        let registered = server.metric(lab, "ipdect_sip_registrations", "")?;
        ensure!(registered == 0.0, "{registered} registrations");
        Ok(())
    });
}
