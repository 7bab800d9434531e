//! Request methods.

use std::fmt;

use super::grammar;

/// A request method; names are case-sensitive (RFC 3261 section 7.1), so `Invite` is not `INVITE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Opens or changes a session (RFC 3261 section 13).
    Invite,
    /// Confirms the final response to an INVITE (RFC 3261 section 13.2.2.4).
    Ack,
    /// Ends a session (RFC 3261 section 15).
    Bye,
    /// Withdraws a pending INVITE (RFC 3261 section 9).
    Cancel,
    /// Binds an address of record to contacts (RFC 3261 section 10).
    Register,
    /// Asks for capabilities, or whether the peer lives (RFC 3261 section 11).
    Options,
    /// Confirms a reliable provisional response (RFC 3262).
    Prack,
    /// Changes a session before or after it is answered (RFC 3311).
    Update,
    /// Carries application data inside a dialog (RFC 6086).
    Info,
    /// Asks for notifications of an event (RFC 6665).
    Subscribe,
    /// Tells about an event (RFC 6665).
    Notify,
    /// Asks the peer to call somebody (RFC 3515).
    Refer,
    /// Instant message (RFC 3428).
    Message,
    /// Publishes the state of an event (RFC 3903).
    Publish,
    /// Request to a service, of Lync (MS-SIP).
    Service,
    /// Notification that wants no response, of Lync (MS-SIP).
    Benotify,
    /// Any other token.
    Other(Box<str>),
}

/// The methods that have a name of their own here.
const KNOWN: [(Method, &str); 16] = [
    (Method::Invite, "INVITE"),
    (Method::Ack, "ACK"),
    (Method::Bye, "BYE"),
    (Method::Cancel, "CANCEL"),
    (Method::Register, "REGISTER"),
    (Method::Options, "OPTIONS"),
    (Method::Prack, "PRACK"),
    (Method::Update, "UPDATE"),
    (Method::Info, "INFO"),
    (Method::Subscribe, "SUBSCRIBE"),
    (Method::Notify, "NOTIFY"),
    (Method::Refer, "REFER"),
    (Method::Message, "MESSAGE"),
    (Method::Publish, "PUBLISH"),
    (Method::Service, "SERVICE"),
    (Method::Benotify, "BENOTIFY"),
];

impl Method {
    /// Reads a method; `None` if the text is not a token (RFC 3261 section 25.1).
    pub fn parse(text: &str) -> Option<Method> {
        if let Some((method, _)) = KNOWN.iter().find(|(_, name)| *name == text) {
            return Some(method.clone());
        }
        grammar::is_token(text.as_bytes()).then(|| Method::Other(text.into()))
    }

    /// The name as it goes on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Other(name) => name,
            known => KNOWN
                .iter()
                .find(|(method, _)| method == known)
                .map_or("", |(_, name)| name),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
