//! The messages that the transaction layer makes by itself.

use super::{Flow, Transport};
use crate::message::{Builder, HeaderName, Message, Method};

/// The ACK of a refusal of `invite`: same Request-URI, branch and routes, the To of the response.
///
/// Source: RFC 3261 section 17.1.1.3.
pub fn ack_of_refusal(invite: &Message, response: &Message) -> Message {
    same_hop(invite, Method::Ack, response).build()
}

/// The CANCEL of `invite`, with its branch. `reason` becomes Reason (RFC 3326).
///
/// Source: RFC 3261 section 9.1.
pub fn cancel(invite: &Message, reason: Option<&str>) -> Message {
    same_hop(invite, Method::Cancel, invite)
        .header_opt(HeaderName::Reason, reason)
        .build()
}

/// A request on the way of another, with the To of `to_of`.
fn same_hop(invite: &Message, method: Method, to_of: &Message) -> Builder {
    // An INVITE of ours has both; a damaged one gives a request that nobody will take, but no panic.
    let uri = invite.request_uri().unwrap_or_else(|_| nowhere());
    let number = invite.cseq().map_or(0, |c| c.number);
    let top_via = invite
        .headers(HeaderName::Via)
        .next()
        .map(|v| v.text().into_owned());
    Builder::request(method.clone(), &uri)
        .header_opt(HeaderName::Via, top_via)
        .header(HeaderName::MaxForwards, 70)
        .copy_all(invite, HeaderName::Route)
        .copy_all(invite, HeaderName::From)
        .copy_all(to_of, HeaderName::To)
        .copy_all(invite, HeaderName::CallId)
        .header(HeaderName::CSeq, format!("{number} {method}"))
}

fn nowhere() -> crate::message::Uri {
    "sip:invalid.invalid".parse().expect("the text is a URI")
}

/// Where responses to a request go. Source: RFC 3261 section 18.2.2, RFC 3581 section 4.
pub(crate) fn way_back(request: &Message, from: Flow) -> Flow {
    let Ok(via) = request.top_via() else {
        return from;
    };
    if from.transport != Transport::Udp || via.wants_rport() {
        return from;
    }
    let mut back = from;
    back.remote.set_port(via.port.unwrap_or(5060));
    back
}

/// Notes in the top Via of a request where it came from, as its responses must show. Source: RFC 3261 section 18.2.1.
pub fn note_source(request: &Message, from: Flow) -> Message {
    let Ok(mut via) = request.top_via() else {
        return request.clone();
    };
    let before = via.clone();
    via.note_source(from.remote.ip(), from.remote.port());
    if via == before {
        return request.clone();
    }
    crate::message::Edit::new(request)
        .replace_top(HeaderName::Via, via)
        .build()
}
