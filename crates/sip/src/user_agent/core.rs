//! What all parts of the user agent use: sending, answering, identifiers, and the owners of transactions.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use rand_core::RngCore;

use super::{Call, Config, Event, Extra, Output, Transmit, UserAgent};
use crate::message::{
    Builder, HeaderName, Host, MAGIC_COOKIE, Message, Method, NameAddr, StatusCode, Uri, Via,
};
use crate::transaction::{Effect, Hop, TransactionKey, Transport};
use crate::trunk::{Failure, Tried};

/// Methods we take, as in Allow.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS";
/// Extensions we know, as in Supported.
pub(super) const SUPPORTED: &str = "timer";
pub(super) const SDP: &str = "application/sdp";

/// One call of a public method: the time, chance, and what came out so far.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) rng: &'a mut dyn RngCore,
    pub(super) out: Vec<Output>,
}

impl Turn<'_> {
    pub(super) fn tell(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }

    /// Sixteen hexadecimal digits of chance.
    pub(super) fn token(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }
}

/// Whose a client transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Register,
    Options(Option<Call>),
    Invite(Call),
    Cancel(Call),
    Bye(Call),
    Reinvite(Call),
    Update(Call),
    /// Nobody waits for the answer, as for the BYE to a fork that came too late.
    Nobody,
}

/// A request on its way through the proxies.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// As last sent.
    pub(super) request: Message,
    pub(super) key: Option<TransactionKey>,
    pub(super) tried: Tried,
    pub(super) proxy: Option<u8>,
    /// Challenges answered since the last change of anything.
    pub(super) challenges: u8,
    pub(super) last_failure: Option<Failure>,
}

impl Attempt {
    pub(super) fn new(request: Message) -> Attempt {
        Attempt {
            request,
            key: None,
            tried: Tried::default(),
            proxy: None,
            challenges: 0,
            last_failure: None,
        }
    }
}

/// A response as good as one from the network, or the lack of it.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Response(Message),
    Failed(Failure),
}

impl Outcome {
    /// The status, that of the failure if there is no response (RFC 3261 section 8.1.3.1).
    pub(super) fn status(&self) -> u16 {
        match self {
            Outcome::Response(message) => crate::transaction::code(message),
            Outcome::Failed(Failure::Timeout) => 408,
            Outcome::Failed(Failure::Transport | Failure::Unavailable(_)) => 503,
        }
    }
}

impl UserAgent {
    /// Runs effects of the transaction layer until there are none.
    pub(super) fn run(&mut self, t: &mut Turn<'_>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { key, message, to } => {
                    t.out.push(Output::Send(Transmit {
                        message,
                        to,
                        transaction: Some(key),
                    }));
                }
                Effect::Response { key, message } => {
                    self.concluded(t, &key, Outcome::Response(message))
                }
                Effect::TimedOut { key } => {
                    self.concluded(t, &key, Outcome::Failed(Failure::Timeout))
                }
                Effect::TransportFailed { key } => {
                    self.concluded(t, &key, Outcome::Failed(Failure::Transport))
                }
                Effect::Ack { message, .. } => self.ack_received(t, &message),
                Effect::Terminated { key } => {
                    self.owners.remove(&key);
                    if self.owners.is_empty() {
                        // As in the table of transactions.
                        self.owners = BTreeMap::new();
                    }
                }
            }
        }
    }

    /// Hands the outcome of a client transaction to its owner.
    fn concluded(&mut self, t: &mut Turn<'_>, key: &TransactionKey, outcome: Outcome) {
        match self.owners.get(key).copied() {
            Some(Owner::Register) => self.register_concluded(t, outcome),
            Some(Owner::Invite(call)) => self.invite_concluded(t, call, key, outcome),
            Some(Owner::Bye(call)) => self.bye_concluded(t, call, key, outcome),
            Some(Owner::Reinvite(call)) => self.reinvite_concluded(t, call, key, outcome),
            Some(Owner::Update(call)) => self.update_concluded(t, call, key, outcome),
            Some(Owner::Options(call)) => self.options_concluded(t, call, key, &outcome),
            Some(Owner::Cancel(_) | Owner::Nobody) | None => {}
        }
    }

    /// Starts a client transaction and sends its request.
    pub(super) fn transmit(
        &mut self,
        t: &mut Turn<'_>,
        request: Message,
        to: Hop,
        owner: Owner,
    ) -> Option<TransactionKey> {
        let reliable = self.transport_of(&to).is_reliable();
        let (key, effect) = self.table.start_client(t.now, request, to, reliable)?;
        self.owners.insert(key.clone(), owner);
        self.run(t, vec![effect]);
        Some(key)
    }

    /// Sends an attempt to the next proxy; tells whether there was one left.
    ///
    /// The same request in a new transaction: only the branch differs (RFC 3263 section 4.3).
    pub(super) fn try_next(
        &mut self,
        t: &mut Turn<'_>,
        attempt: &mut Attempt,
        owner: Owner,
    ) -> bool {
        let Some(proxy) = self
            .trunk
            .choose(t.now, &self.config.proxies, attempt.tried, t.rng)
        else {
            return false;
        };
        attempt.tried.add(proxy);
        attempt.proxy = Some(proxy);
        // Counts the nonce on: the same credentials twice would look like a replay.
        attempt.request = self.authorized(t, &attempt.request);
        self.send_attempt(t, attempt, owner);
        true
    }

    /// Sends an attempt to the proxy it is at, in a new transaction.
    pub(super) fn send_attempt(&mut self, t: &mut Turn<'_>, attempt: &mut Attempt, owner: Owner) {
        let hop = Hop::Proxy(attempt.proxy.unwrap_or(0));
        let via = self.via(t, &hop);
        attempt.request = crate::message::Edit::new(&attempt.request)
            .replace_top(HeaderName::Via, via)
            .build();
        attempt.key = self.transmit(t, attempt.request.clone(), hop, owner);
    }

    /// Notes what an outcome says about the proxy; `Some` if another one should be tried for it.
    pub(super) fn judge_proxy(
        &mut self,
        t: &Turn<'_>,
        proxy: Option<u8>,
        outcome: &Outcome,
    ) -> Option<Failure> {
        let failure = match outcome {
            Outcome::Failed(failure) => Some(*failure),
            Outcome::Response(r) if outcome.status() == 503 => {
                Some(Failure::Unavailable(retry_after(r)))
            }
            Outcome::Response(_) => None,
        };
        if let Some(proxy) = proxy {
            match failure {
                Some(failure) => self.trunk.failed(t.now, proxy, failure),
                None => self.trunk.answered(proxy),
            }
        }
        failure
    }

    /// The transport a hop is reached over.
    pub(super) fn transport_of(&self, hop: &Hop) -> Transport {
        let of_uri = |uri: &Uri| {
            let secure = uri.scheme() == &crate::message::Scheme::Sips;
            let named = uri.transport().and_then(Transport::from_name);
            if secure {
                Transport::Tls
            } else {
                named.unwrap_or(self.config.transport)
            }
        };
        match hop {
            Hop::Flow(flow) => flow.transport,
            Hop::Uri(uri) => of_uri(uri),
            Hop::Proxy(i) => self
                .config
                .proxies
                .get(*i)
                .map_or(self.config.transport, |p| of_uri(&p.uri)),
        }
    }

    /// A Via of ours with a new branch that starts with the handset key.
    pub(super) fn via(&self, t: &mut Turn<'_>, hop: &Hop) -> String {
        let transport = self.transport_of(hop);
        let branch = format!("{MAGIC_COOKIE}{}.{}", self.config.branch_prefix, t.token());
        let sent_by = self.config.sent_by.of(transport);
        format!(
            "SIP/2.0/{} {sent_by};branch={branch};rport",
            transport.via_name()
        )
    }

    /// A new tag that starts with the handset key.
    pub(super) fn tag(&self, t: &mut Turn<'_>) -> String {
        format!("{}.{}", self.config.branch_prefix, t.token())
    }

    /// A new Call-ID.
    pub(super) fn new_call_id(&self, t: &mut Turn<'_>) -> String {
        format!("{}{}.{}", t.token(), t.token(), self.config.branch_prefix)
    }

    /// Our Contact: the GRUU if one was granted, without header parameters.
    pub(super) fn contact(&self) -> NameAddr {
        NameAddr::new(
            self.binding
                .gruu
                .clone()
                .unwrap_or_else(|| self.config.contact.clone()),
        )
    }

    /// A request outside any dialog, without Via.
    pub(super) fn request(
        &self,
        method: Method,
        uri: &Uri,
        ids: (&NameAddr, &NameAddr, &str),
        cseq: u32,
    ) -> Builder {
        let (from, to, call_id) = ids;
        Builder::request(method.clone(), uri)
            .header(HeaderName::MaxForwards, self.config.max_forwards)
            .header(HeaderName::From, from)
            .header(HeaderName::To, to)
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, format!("{cseq} {method}"))
            .header(HeaderName::UserAgent, &self.config.user_agent)
    }

    /// Our address with a tag, as From.
    pub(super) fn own_address(&self, tag: &str) -> NameAddr {
        NameAddr::new(self.config.aor.clone())
            .with_display(&self.config.display_name)
            .with_tag(tag)
    }

    /// Starts a response; a tag is added to To where it is missing.
    pub(super) fn response(&self, request: &Message, status: u16, tag: &str) -> Builder {
        let status = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        Builder::response_with_tag(request, status, None, tag)
            .header(HeaderName::Server, &self.config.user_agent)
    }

    /// Answers a request by the transaction it came in, with a new tag if it needs one.
    pub(super) fn respond(
        &mut self,
        t: &mut Turn<'_>,
        key: &TransactionKey,
        request: &Message,
        status: u16,
        extra: &[(HeaderName, String)],
    ) {
        let tag = self.tag(t);
        let mut builder = self.response(request, status, &tag);
        for (name, value) in extra {
            builder = builder.header(*name, value);
        }
        let effects = self.table.respond(t.now, key, builder.build());
        self.run(t, effects);
    }
}

/// Adds header fields of the owner's.
pub(super) fn with_extra(mut builder: Builder, extra: &[Extra]) -> Builder {
    for (name, value) in extra {
        builder = builder.header(name.as_str(), value);
    }
    builder
}

/// The SDP of a message, if it has one.
pub(super) fn sdp_of(message: &Message) -> Option<Bytes> {
    let is_sdp = message
        .content_type()
        .ok()
        .flatten()
        .is_some_and(|kind| kind == SDP);
    (is_sdp && !message.body().is_empty()).then(|| message.body_bytes())
}

/// A number that tells one SDP from another (FNV-1a).
pub(super) fn hash(octets: &[u8]) -> u64 {
    let step = |h: u64, o: &u8| (h ^ u64::from(*o)).wrapping_mul(0x0100_0000_01b3);
    octets.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Retry-After of a response.
pub(super) fn retry_after(response: &Message) -> Option<std::time::Duration> {
    let seconds = response.retry_after().ok().flatten()?;
    Some(std::time::Duration::from_secs(seconds.into()))
}

/// Where responses to a request go when its transaction died with its owner: by its top Via (RFC 3261 section 18.2.2).
pub(super) fn hop_by_via(via: &Via) -> Hop {
    let host = via.received().map_or_else(|| via.host.clone(), Host::from);
    let uri = Uri::sip(None, host, via.rport().or(via.port));
    Hop::Uri(uri.with_param("transport", Some(&via.transport.to_ascii_lowercase())))
}

/// The same settings with `sips:` everywhere if that is wanted (guide 14207900, SIP page, Use SIPS URI).
pub(super) fn secured(mut config: Config) -> Config {
    if config.use_sips {
        let sips = |uri: &Uri| uri.clone().with_scheme(crate::message::Scheme::Sips);
        config.aor = sips(&config.aor);
        config.contact = sips(&config.contact);
        config.registrar = sips(&config.registrar);
    }
    config
}
