//! `ipdect press`: uses a virtual handset, wherever it runs.

use clap::Args;
use ipdect_proto::admin::v1::virtual_handsets_client::VirtualHandsetsClient;
use ipdect_proto::admin::v1::{ListPortablesRequest, Portable, PressRequest};

use super::{ClientError, Session};
use crate::host::keys;
use crate::host::sound::Speech;

/// Which handset, and which keys.
#[derive(Clone, Debug, Args)]
pub(crate) struct Strokes {
    /// Number of its user, or its IPEI.
    handset: String,
    /// Keys: 0 to 9, *, #, R, ( off hook, ) on hook. "1002#(" calls 1002.
    #[arg(value_parser = known)]
    keys: String,
    /// What it says from now on: silence, tone:1000, tone:1000@-20.
    #[arg(long, value_parser = said)]
    speak: Option<String>,
}

fn known(text: &str) -> Result<String, String> {
    keys::parse(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

fn said(text: &str) -> Result<String, String> {
    Speech::from_afar(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

/// Presses the keys.
///
/// # Errors
/// [`ClientError`].
pub(crate) async fn run(session: &Session, press: Strokes) -> Result<(), ClientError> {
    let portables = portables(session).await?;
    let ipei = find(&portables, &press.handset).ok_or_else(|| {
        let known: Vec<&str> = portables.iter().map(|p| p.number.as_str()).collect();
        ClientError::Input(format!(
            "no virtual handset {}; there are {}",
            press.handset,
            known.join(", ")
        ))
    })?;
    let request = PressRequest {
        ipei,
        keys: press.keys,
        speech_source: press.speak.unwrap_or_default(),
    };
    VirtualHandsetsClient::new(session.channel())
        .press(session.request(request))
        .await?;
    Ok(())
}

/// All virtual handsets.
///
/// # Errors
/// [`ClientError`].
pub(super) async fn portables(session: &Session) -> Result<Vec<Portable>, ClientError> {
    let listed = VirtualHandsetsClient::new(session.channel())
        .list(session.request(ListPortablesRequest {}))
        .await?;
    Ok(listed.into_inner().portables)
}

fn find(portables: &[Portable], handset: &str) -> Option<String> {
    let ipei = handset
        .parse()
        .ok()
        .map(|ipei: ipdect_dect::identity::Ipei| ipei.digits());
    let is = |p: &&Portable| p.number == handset || Some(&p.ipei) == ipei.as_ref();
    portables
        .iter()
        .find(is)
        .map(|portable| portable.ipei.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handset_is_found_by_number_and_by_identity() {
        let portable = Portable {
            ipei: "655350000001".into(),
            number: "1001".into(),
            ..Portable::default()
        };
        let all = [portable];
        for name in ["1001", "65535 0000001", "65535 0000001 3"] {
            assert_eq!(find(&all, name).as_deref(), Some("655350000001"), "{name}");
        }
        assert_eq!(find(&all, "1002"), None);
        assert!(known("12x").is_err() && said("wav:/etc/x").is_err());
    }
}
