//! The registrar: reads REGISTER, changes the location service, lists what is bound. Source: RFC 3261 section 10.3.

use super::location::{Binding, Location, MOST_CONTACTS};
use crate::message::{HeaderName, Message, NameAddr};
use crate::transaction::Flow;

/// Registration time when the phone names none, in seconds.
pub const DEFAULT_EXPIRES: u32 = 3600;
/// Shortest registration time; less is refused with 423.
pub const MIN_EXPIRES: u32 = 60;
/// Longest registration time; more is cut down to it.
pub const MAX_EXPIRES: u32 = 7200;

/// Why a REGISTER changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A contact or number cannot be read, or `*` stands beside others or without Expires 0: 400.
    #[error("contacts cannot be read")]
    Malformed,
    /// The time asked for is too short: 423.
    #[error("registration time is below {MIN_EXPIRES} s")]
    TooBrief,
    /// An older request than one already obeyed: 500.
    #[error("CSeq is not higher than before")]
    Stale,
    /// There would be more than ten contacts: 403.
    #[error("more than {MOST_CONTACTS} contacts")]
    TooMany,
}

impl Refusal {
    /// The status that says so.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Malformed => 400,
            Refusal::TooBrief => 423,
            Refusal::Stale => 500,
            Refusal::TooMany => 403,
        }
    }
}

/// Carries out an authenticated REGISTER: all of it or nothing. Tells whether a binding changed.
///
/// # Errors
/// A [`Refusal`]; the bindings are as before then.
pub fn register(
    location: &mut Location,
    aor: &str,
    request: &Message,
    flow: Flow,
    wall_ms: u64,
) -> Result<bool, Refusal> {
    let malformed = |_| Refusal::Malformed;
    let number = request.cseq().map_err(malformed)?.number;
    let call_id = request.call_id().map_err(malformed)?;
    let header = request.expires().map_err(malformed)?;
    let contacts = request.contacts().map_err(malformed)?;
    let mut bindings: Vec<_> = location.of(aor, wall_ms).cloned().collect();
    let is_stale = |b: &Binding| b.call_id == call_id && number <= b.cseq;
    if request.contact_is_star() {
        if header != Some(0) || request.headers(HeaderName::Contact).count() > 1 {
            return Err(Refusal::Malformed);
        }
        if bindings.iter().any(is_stale) {
            return Err(Refusal::Stale);
        }
        location.replace(aor, vec![]);
        return Ok(true);
    }
    for contact in &contacts {
        let seconds = time_of(contact, header)?;
        let instance = contact
            .params
            .unquoted("+sip.instance")
            .map(|text| text.into_owned());
        let same = |b: &Binding| {
            b.contact == contact.uri || (instance.is_some() && b.instance == instance)
        };
        if bindings.iter().any(|b| same(b) && is_stale(b)) {
            return Err(Refusal::Stale);
        }
        bindings.retain(|b| !same(b));
        if seconds > 0 {
            bindings.push(Binding {
                contact: contact.uri.clone(),
                flow: Some(flow),
                call_id: call_id.to_owned(),
                cseq: number,
                expires_at_ms: wall_ms + u64::from(seconds) * 1000,
                instance,
                user_agent: request
                    .header(HeaderName::UserAgent)
                    .map(|v| v.text().into_owned())
                    .unwrap_or_default(),
            });
        }
    }
    if bindings.len() > MOST_CONTACTS {
        return Err(Refusal::TooMany);
    }
    location.replace(aor, bindings);
    Ok(!contacts.is_empty())
}

/// The time asked for one contact, in seconds.
fn time_of(contact: &NameAddr, header: Option<u32>) -> Result<u32, Refusal> {
    // RFC 3261 section 10.2.1.1: an expires parameter that cannot be read counts as an hour.
    let own = contact
        .params
        .get("expires")
        .map(|text| text.trim().parse().unwrap_or(DEFAULT_EXPIRES));
    match own.or(header).unwrap_or(DEFAULT_EXPIRES) {
        0 => Ok(0),
        seconds if seconds < MIN_EXPIRES => Err(Refusal::TooBrief),
        seconds => Ok(seconds.min(MAX_EXPIRES)),
    }
}

/// The Contact list of a 200: every binding with its remaining time.
pub fn contact_list(location: &Location, aor: &str, wall_ms: u64) -> Vec<NameAddr> {
    let bindings = location.of(aor, wall_ms);
    bindings
        .map(|b| {
            let left = b.expires_at_ms.saturating_sub(wall_ms).div_ceil(1000);
            let mut contact = NameAddr::new(b.contact.clone());
            if let Some(instance) = &b.instance {
                contact.params.set_quoted("+sip.instance", instance);
            }
            contact.with_param("expires", Some(&left.to_string()))
        })
        .collect()
}
