//! Header names, canonical form and compact form.

use std::fmt;

macro_rules! header_names {
    ($($variant:ident $text:literal $(compact $compact:literal)? $(list $list:literal)?;)*) => {
        /// A header this crate knows by name.
        ///
        /// Names match without regard to case; compact forms (RFC 3261 section 7.3.3) are the same name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[allow(missing_docs)]
        pub enum HeaderName { $($variant,)* }

        /// Every spelling, long and compact, with its name.
        const SPELLINGS: &[(&str, HeaderName)] = &[
            $(($text, HeaderName::$variant), $(($compact, HeaderName::$variant),)?)*
        ];

        impl HeaderName {
            /// The name in its usual spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(HeaderName::$variant => $text,)* }
            }

            /// Whether several headers of this name are the same as one with commas
            /// (RFC 3261 section 7.3.1).
            pub fn is_list(self) -> bool {
                match self { $(HeaderName::$variant => false $(|| $list)?,)* }
            }
        }
    };
}

header_names! {
    Accept "Accept" list true;
    AcceptEncoding "Accept-Encoding" list true;
    AcceptLanguage "Accept-Language" list true;
    AlertInfo "Alert-Info" list true;
    Allow "Allow" list true;
    AllowEvents "Allow-Events" compact "u" list true;
    AuthenticationInfo "Authentication-Info";
    Authorization "Authorization";
    CallId "Call-ID" compact "i";
    CallInfo "Call-Info" list true;
    Contact "Contact" compact "m" list true;
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" compact "e" list true;
    ContentLanguage "Content-Language" list true;
    ContentLength "Content-Length" compact "l";
    ContentType "Content-Type" compact "c";
    CSeq "CSeq";
    Date "Date";
    Diversion "Diversion" list true;
    ErrorInfo "Error-Info" list true;
    Event "Event" compact "o";
    Expires "Expires";
    FlowTimer "Flow-Timer";
    From "From" compact "f";
    HistoryInfo "History-Info" list true;
    Identity "Identity" compact "y";
    InReplyTo "In-Reply-To" list true;
    MaxForwards "Max-Forwards";
    MimeVersion "MIME-Version";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAssertedIdentity "P-Asserted-Identity" list true;
    PPreferredIdentity "P-Preferred-Identity" list true;
    Path "Path" list true;
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthenticationInfo "Proxy-Authentication-Info";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require" list true;
    RAck "RAck";
    Reason "Reason" list true;
    RecordRoute "Record-Route" list true;
    ReferSub "Refer-Sub";
    ReferTo "Refer-To" compact "r";
    ReferredBy "Referred-By" compact "b";
    RemotePartyId "Remote-Party-ID" list true;
    Replaces "Replaces";
    ReplyTo "Reply-To";
    Require "Require" list true;
    RetryAfter "Retry-After";
    Route "Route" list true;
    RSeq "RSeq";
    Server "Server";
    ServiceRoute "Service-Route" list true;
    SessionExpires "Session-Expires" compact "x";
    SipEtag "SIP-ETag";
    SipIfMatch "SIP-If-Match";
    Subject "Subject" compact "s";
    SubscriptionState "Subscription-State";
    Supported "Supported" compact "k" list true;
    Timestamp "Timestamp";
    To "To" compact "t";
    Unsupported "Unsupported" list true;
    UserAgent "User-Agent";
    Via "Via" compact "v" list true;
    Warning "Warning" list true;
    WwwAuthenticate "WWW-Authenticate";
}

impl HeaderName {
    /// Reads a name, long or compact, in any case; `None` if it is not known here.
    pub fn parse(name: &[u8]) -> Option<HeaderName> {
        let mut slot = first_slot(name)?;
        while let Some((spelling, found)) = SLOTS[slot] {
            let spelling = spelling.as_bytes();
            if spelling == name || spelling.eq_ignore_ascii_case(name) {
                return Some(found);
            }
            slot = (slot + 1) % SLOTS.len();
        }
        None
    }
}

/// The spellings in a hash table with open addressing: each stands in its first slot or, if that is taken, in the next free one.
static SLOTS: [Option<(&str, HeaderName)>; 256] = {
    let mut slots = [None; 256];
    let mut at = 0;
    while at < SPELLINGS.len() {
        let mut slot = first_slot(SPELLINGS[at].0.as_bytes()).expect("no name is empty");
        while slots[slot].is_some() {
            slot = (slot + 1) % slots.len();
        }
        slots[slot] = Some(SPELLINGS[at]);
        at += 1;
    }
    slots
};

/// Where a name, in any case, is looked for first; `None` for no name at all.
const fn first_slot(name: &[u8]) -> Option<usize> {
    let ([first, ..], [.., last]) = (name, name) else {
        return None;
    };
    let middle = name[name.len() / 2];
    // Letters in small; a hyphen stays one.
    let [first, middle, last] = [*first as usize, middle as usize, *last as usize];
    // With these factors only three of the spellings miss their first slot.
    let sum = name.len() * 77 + (first | 32) * 83 + (middle | 32) * 226 + (last | 32) * 21;
    Some(sum % 256)
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Name of a header, known or not: what `header`, `headers` and the builder take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// A name from the table, in whatever spelling it was sent.
    Known(HeaderName),
    /// Any other name.
    Other(&'a str),
}

impl<'a> Name<'a> {
    /// The name in the spelling to be written.
    pub fn as_str(&self) -> &'a str {
        match self {
            Name::Known(name) => name.as_str(),
            Name::Other(name) => name,
        }
    }
}

impl From<HeaderName> for Name<'_> {
    fn from(name: HeaderName) -> Self {
        Name::Known(name)
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(name: &'a str) -> Self {
        HeaderName::parse(name.as_bytes()).map_or(Name::Other(name), Name::Known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_in_any_case() {
        for (spelling, name) in SPELLINGS {
            for text in [
                *spelling,
                &spelling.to_lowercase(),
                &spelling.to_uppercase(),
            ] {
                assert_eq!(HeaderName::parse(text.as_bytes()), Some(*name), "{text}");
            }
        }
        for unknown in ["", "z", "Vi", "Viaa", "X-Via", "From\r", "\u{ef}"] {
            assert_eq!(HeaderName::parse(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
