//! How a message finds its transaction. Source: RFC 3261 sections 17.1.3 and 17.2.3.

use std::fmt;

use crate::message::{Message, Method};

/// Which side of a transaction we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// We sent the request.
    Client,
    /// We received it.
    Server,
}

/// Name of a transaction: side, branch, sent-by and method; ACK has the name of its INVITE.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionKey {
    side: Side,
    method: Method,
    id: Box<str>,
}

impl TransactionKey {
    /// The client transaction of a request of ours, or of a response; `None` without Via or CSeq.
    pub fn client(message: &Message) -> Option<TransactionKey> {
        let via = message.top_via().ok()?;
        let method = message.cseq().ok()?.method;
        Some(TransactionKey {
            side: Side::Client,
            method,
            id: via.branch()?.into(),
        })
    }

    /// The server transaction of a request, ACK counted to its INVITE; `None` if its headers do not tell.
    pub fn server(request: &Message) -> Option<TransactionKey> {
        let method = match request.method()? {
            Method::Ack => Method::Invite,
            other => other.clone(),
        };
        TransactionKey::server_for(request, method)
    }

    /// The server transaction of the INVITE that a CANCEL is about.
    pub fn cancelled(cancel: &Message) -> Option<TransactionKey> {
        TransactionKey::server_for(cancel, Method::Invite)
    }

    fn server_for(request: &Message, method: Method) -> Option<TransactionKey> {
        let via = request.top_via().ok()?;
        let port = via.port.unwrap_or(0);
        let id = match via.branch() {
            Some(branch) if via.has_unique_branch() => {
                format!("{} {}:{port}", branch, via.host).to_ascii_lowercase()
            }
            _ => old_style(request)?,
        };
        Some(TransactionKey {
            side: Side::Server,
            method,
            id: id.into(),
        })
    }

    /// Which side we are.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The method, INVITE for its ACK too.
    pub fn method(&self) -> &Method {
        &self.method
    }
}

impl fmt::Display for TransactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {}", self.side, self.method, self.id)
    }
}

/// Name by RFC 2543, for senders without the cookie: all that stays the same between an INVITE and its ACK or CANCEL.
///
/// The To tag is left out: the INVITE has none yet, and we never have two dialogs for one INVITE.
fn old_style(request: &Message) -> Option<String> {
    let (from, via) = (request.from().ok()?, request.top_via().ok()?);
    Some(format!(
        "old {} {} {} {} {}:{}",
        request.request_uri_text()?,
        request.call_id().ok()?,
        from.tag().unwrap_or(""),
        request.cseq().ok()?.number,
        via.host,
        via.port.unwrap_or(0),
    ))
}

/// What a request that took two ways has in common. Source: RFC 3261 section 8.2.2.2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MergeKey(Box<str>);

impl MergeKey {
    /// `None` for requests inside a dialog, which cannot be merged.
    pub(crate) fn of(request: &Message) -> Option<MergeKey> {
        if request.to().ok()?.tag().is_some() {
            return None;
        }
        let (from, cseq) = (request.from().ok()?, request.cseq().ok()?);
        let call_id = request.call_id().ok()?;
        Some(MergeKey(format!("{call_id} {} {cseq}", from.tag()?).into()))
    }
}
