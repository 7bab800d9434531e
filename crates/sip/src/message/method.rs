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

macro_rules! known_methods {
    ($($variant:ident $name:literal;)*) => {
        impl Method {
            /// Reads a method; `None` if the text is not a token (RFC 3261 section 25.1).
            pub fn parse(text: &str) -> Option<Method> {
                match text {
                    $($name => Some(Method::$variant),)*
                    other => grammar::is_token(other.as_bytes()).then(|| Method::Other(other.into())),
                }
            }

            /// The name as it goes on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Method::$variant => $name,)*
                    Method::Other(name) => name,
                }
            }
        }
    };
}

known_methods! {
    Invite "INVITE";
    Ack "ACK";
    Bye "BYE";
    Cancel "CANCEL";
    Register "REGISTER";
    Options "OPTIONS";
    Prack "PRACK";
    Update "UPDATE";
    Info "INFO";
    Subscribe "SUBSCRIBE";
    Notify "NOTIFY";
    Refer "REFER";
    Message "MESSAGE";
    Publish "PUBLISH";
    Service "SERVICE";
    Benotify "BENOTIFY";
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
