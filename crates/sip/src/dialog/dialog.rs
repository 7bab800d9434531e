//! The state of one dialog: who, where to, over which proxies, and which numbers come next.
//!
//! Source: RFC 3261 section 12.

use super::sequence::Sequence;
use crate::message::{Builder, HeaderError, HeaderName, Message, Method, NameAddr, Uri};

/// One dialog, early or confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: String,
    /// Our address with our tag.
    pub local: NameAddr,
    /// The peer's address with its tag (RFC 2543 peers may have none).
    pub remote: NameAddr,
    /// Where requests go in the end: the peer's Contact.
    pub remote_target: Uri,
    /// The way there, next hop first.
    pub route_set: Vec<NameAddr>,
    /// Our CSeq numbers.
    pub sequence: Sequence,
    /// The peer's last CSeq number.
    pub remote_cseq: Option<u32>,
}

/// What to make of the CSeq number of a request inside a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Newer than all before.
    New,
    /// Older than one already seen: 500 (RFC 3261 section 12.2.2).
    Stale,
}

impl Dialog {
    /// The dialog that a response with a To tag makes of our INVITE.
    ///
    /// # Errors
    /// If the response lacks what a dialog needs.
    pub fn of_caller(
        invite: &Message,
        response: &Message,
        sequence: Sequence,
    ) -> Result<Dialog, HeaderError> {
        let mut route_set = response.record_routes()?;
        route_set.reverse();
        let target = response.contact()?.map(|c| c.uri);
        Ok(Dialog {
            call_id: invite.call_id()?.into(),
            local: invite.from()?,
            remote: response.to()?,
            // A broken peer without Contact is still reached where the INVITE went.
            remote_target: target.map_or_else(|| invite.request_uri(), Ok)?,
            route_set,
            sequence,
            remote_cseq: None,
        })
    }

    /// The dialog that our response with this tag makes of the peer's INVITE.
    ///
    /// # Errors
    /// If the INVITE lacks what a dialog needs; Contact above all.
    pub fn of_callee(
        invite: &Message,
        tag: &str,
        sequence: Sequence,
    ) -> Result<Dialog, HeaderError> {
        let missing = HeaderError::Missing {
            name: HeaderName::Contact.as_str(),
        };
        Ok(Dialog {
            call_id: invite.call_id()?.into(),
            local: invite.to()?.with_tag(tag),
            remote: invite.from()?,
            remote_target: invite.contact()?.ok_or(missing)?.uri,
            route_set: invite.record_routes()?,
            sequence,
            remote_cseq: Some(invite.cseq()?.number),
        })
    }

    /// Our tag.
    pub fn local_tag(&self) -> &str {
        self.local.tag().unwrap_or("")
    }

    /// The peer's tag; empty if it has none.
    pub fn remote_tag(&self) -> &str {
        self.remote.tag().unwrap_or("")
    }

    /// Tells whether a request of the peer is for this dialog.
    pub fn owns_request(&self, request: &Message) -> bool {
        let (Ok(to), Ok(from)) = (request.to(), request.from()) else {
            return false;
        };
        request.call_id() == Ok(&*self.call_id)
            && to.tag() == Some(self.local_tag())
            && from.tag().unwrap_or("") == self.remote_tag()
    }

    /// Judges and notes the CSeq number of a request.
    pub fn note_cseq(&mut self, number: u32) -> Order {
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return Order::Stale;
        }
        self.remote_cseq = Some(number);
        Order::New
    }

    /// Takes the Contact of a target refresh request or its 2xx (RFC 3261 section 12.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Ok(Some(contact)) = message.contact() {
            self.remote_target = contact.uri;
        }
    }

    /// Starts a request inside the dialog; Via, Max-Forwards and Contact are the caller's business.
    ///
    /// A route set whose first element is a strict router (RFC 3261 section 12.2.1.1) is written as that asks.
    pub fn request(&self, method: Method, number: u32, via: &str, max_forwards: u8) -> Builder {
        let strict = self.route_set.first().filter(|r| !r.uri.is_loose_router());
        let (uri, routes) = match strict {
            Some(first) => {
                let last = NameAddr::new(self.remote_target.clone());
                let rest = self.route_set.iter().skip(1).cloned().chain([last]);
                (first.uri.clone(), rest.collect())
            }
            None => (self.remote_target.clone(), self.route_set.clone()),
        };
        Builder::request(method.clone(), &uri)
            .header(HeaderName::Via, via)
            .header(HeaderName::MaxForwards, max_forwards)
            .headers(HeaderName::Route, routes)
            .header(HeaderName::From, &self.local)
            .header(HeaderName::To, &self.remote)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format!("{number} {method}"))
    }

    /// Where requests go first: the topmost route, else the remote target.
    pub fn next_hop(&self) -> &Uri {
        self.route_set
            .first()
            .map_or(&self.remote_target, |r| &r.uri)
    }
}
