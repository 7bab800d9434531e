//! From the wire to the handset whose message it is; what is nobody's is answered here.

use std::sync::Arc;

use ipdect_handset::Event;
use ipdect_sip::message::{Builder, Message, Method, StatusCode};
use ipdect_sip::transaction::{Flow, note_source};
use ipdect_sip::user_agent::{RouteKey, route_key};
use tracing::debug;

use super::sender::{Sender, class_of, method_label};
use super::transport::{Happened, Received};
use crate::directory::Directory;
use crate::handset::registry::{Handsets, Untold};
use crate::handset::trace;
use ipdect_dect::identity::Ipei;

/// Seconds after which a caller may try again when a handset does not keep up.
const RETRY_AFTER: &str = "2";

/// Finds handsets for messages.
pub struct Dispatch {
    directory: Arc<Directory>,
    handsets: Handsets,
    sender: std::sync::OnceLock<Sender>,
}

impl Dispatch {
    /// Over the directory and the actors.
    #[must_use]
    pub fn new(directory: Arc<Directory>, handsets: Handsets) -> Self {
        Self {
            directory,
            handsets,
            sender: std::sync::OnceLock::new(),
        }
    }

    /// Sets who sends the answers; the listening point must be open for that.
    pub fn set_sender(&self, sender: Sender) {
        // Set once, at the start.
        let _ = self.sender.set(sender);
    }

    /// Takes in what a listening point tells.
    pub fn happened(&self, happened: Happened) {
        match happened {
            Happened::Message(received) => self.message(received),
            Happened::ConnectionLost { flow } => self.handsets.tell_all(|| Event::FlowLost(flow)),
            Happened::Garbage { transport, reason } => {
                metrics::counter!("ipdect_sip_parse_errors_total", "transport" => transport.via_name(), "reason" => reason)
                    .increment(1);
            }
        }
    }

    fn message(&self, Received { message, flow }: Received) {
        count(&message, &flow);
        if let Err(refusal) = message.check() {
            metrics::counter!("ipdect_sip_parse_errors_total", "transport" => flow.transport.via_name(), "reason" => "check")
                .increment(1);
            debug!(peer = %flow.remote, status = refusal.status, detail = %refusal.detail, "a SIP message is refused");
            if message.method().is_some_and(|m| *m != Method::Ack) {
                self.answer(&message, &flow, refusal.status, Some(refusal.reason), &[]);
            }
            return;
        }
        let Some(ipei) = self.owner(&message) else {
            return self.nobodys(&message, &flow);
        };
        let event = Event::Sip {
            message: Box::new(message.clone()),
            flow,
            trace: trace::begun(message.method()),
        };
        match self.handsets.tell(ipei, event) {
            Ok(()) => {}
            Err(Untold::Unknown) => self.nobodys(&message, &flow),
            Err(Untold::Full) if message.method().is_some_and(|m| *m != Method::Ack) => {
                self.answer(&message, &flow, 503, None, &[("Retry-After", RETRY_AFTER)]);
            }
            Err(Untold::Full) => {}
        }
    }

    fn owner(&self, message: &Message) -> Option<Ipei> {
        let book = self.directory.book();
        match route_key(message)? {
            RouteKey::Handset(key) => book.handset_by_key(&key),
            RouteKey::Aor(uri) => {
                let user = uri.user_unescaped()?;
                let domain = uri.host()?.to_string();
                // A user without a domain of his own is known under any name this server goes by.
                let id = book
                    .user_named(&user, &domain)
                    .or_else(|| book.user_named(&user, ""))?;
                book.handset_of(id)
            }
        }
    }

    /// Answers a request that belongs to no handset, without keeping any state.
    fn nobodys(&self, message: &Message, flow: &Flow) {
        let Some(method) = message.method() else {
            debug!(peer = %flow.remote, "a response that nobody waits for");
            return;
        };
        let in_dialog = message.to().is_ok_and(|to| to.tag().is_some());
        match method {
            Method::Ack => {}
            Method::Cancel => self.answer(message, flow, 481, None, &[]),
            Method::Bye => self.answer(message, flow, if in_dialog { 481 } else { 404 }, None, &[]),
            Method::Options if !in_dialog && is_for_the_server(message) => {
                self.answer(
                    message,
                    flow,
                    200,
                    None,
                    &[("Allow", ALLOW), ("Accept", "application/sdp")],
                );
            }
            _ if in_dialog => self.answer(message, flow, 481, None, &[]),
            Method::Register => self.answer(message, flow, 405, None, &[("Allow", ALLOW)]),
            _ => self.answer(message, flow, 404, None, &[]),
        }
    }

    fn answer(
        &self,
        request: &Message,
        flow: &Flow,
        status: u16,
        reason: Option<&str>,
        extra: &[(&str, &str)],
    ) {
        let Some(sender) = self.sender.get() else {
            return;
        };
        let Some(status) = StatusCode::new(status) else {
            return;
        };
        let mut builder = Builder::response_to(&note_source(request, *flow), status, reason);
        for (name, value) in extra {
            builder = builder.header(*name, *value);
        }
        let response = builder.build();
        if let Err(error) = sender.reply(flow, &response) {
            debug!(%error, "an answer could not be sent");
        }
    }
}

/// Methods that our user agents understand.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS";

/// A request whose address names no user asks for the server itself.
fn is_for_the_server(message: &Message) -> bool {
    message.request_uri().is_ok_and(|uri| uri.user().is_none())
}

fn count(message: &Message, flow: &Flow) {
    let transport = flow.transport.via_name();
    match message.method() {
        Some(method) => {
            metrics::counter!("ipdect_sip_requests_total", "direction" => "in", "method" => method_label(method), "transport" => transport)
                .increment(1);
        }
        None => {
            let class = message.status().map_or("0xx", |s| class_of(s.code()));
            metrics::counter!("ipdect_sip_responses_total", "direction" => "in", "code_class" => class).increment(1);
        }
    }
}
