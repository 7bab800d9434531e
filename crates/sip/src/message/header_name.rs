//! Header names, canonical form and compact form.

use std::fmt;

macro_rules! header_names {
    ($($variant:ident $text:literal $lower:literal $(compact $compact:literal)? $(list $list:literal)?;)*) => {
        /// A header this crate knows by name.
        ///
        /// Names match without regard to case; compact forms (RFC 3261 section 7.3.3) are the same name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[allow(missing_docs)]
        pub enum HeaderName { $($variant,)* }

        impl HeaderName {
            /// Reads a name, long or compact, in any case; `None` if it is not known here.
            pub fn parse(name: &[u8]) -> Option<HeaderName> {
                let mut buffer = [0_u8; 32];
                let lower = buffer.get_mut(..name.len())?;
                lower.copy_from_slice(name);
                lower.make_ascii_lowercase();
                match &*lower {
                    $($lower $(| $compact)? => Some(HeaderName::$variant),)*
                    _ => None,
                }
            }

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
    Accept "Accept" b"accept" list true;
    AcceptEncoding "Accept-Encoding" b"accept-encoding" list true;
    AcceptLanguage "Accept-Language" b"accept-language" list true;
    AlertInfo "Alert-Info" b"alert-info" list true;
    Allow "Allow" b"allow" list true;
    AllowEvents "Allow-Events" b"allow-events" compact b"u" list true;
    AuthenticationInfo "Authentication-Info" b"authentication-info";
    Authorization "Authorization" b"authorization";
    CallId "Call-ID" b"call-id" compact b"i";
    CallInfo "Call-Info" b"call-info" list true;
    Contact "Contact" b"contact" compact b"m" list true;
    ContentDisposition "Content-Disposition" b"content-disposition";
    ContentEncoding "Content-Encoding" b"content-encoding" compact b"e" list true;
    ContentLanguage "Content-Language" b"content-language" list true;
    ContentLength "Content-Length" b"content-length" compact b"l";
    ContentType "Content-Type" b"content-type" compact b"c";
    CSeq "CSeq" b"cseq";
    Date "Date" b"date";
    Diversion "Diversion" b"diversion" list true;
    ErrorInfo "Error-Info" b"error-info" list true;
    Event "Event" b"event" compact b"o";
    Expires "Expires" b"expires";
    FlowTimer "Flow-Timer" b"flow-timer";
    From "From" b"from" compact b"f";
    HistoryInfo "History-Info" b"history-info" list true;
    Identity "Identity" b"identity" compact b"y";
    InReplyTo "In-Reply-To" b"in-reply-to" list true;
    MaxForwards "Max-Forwards" b"max-forwards";
    MimeVersion "MIME-Version" b"mime-version";
    MinExpires "Min-Expires" b"min-expires";
    MinSe "Min-SE" b"min-se";
    Organization "Organization" b"organization";
    PAssertedIdentity "P-Asserted-Identity" b"p-asserted-identity" list true;
    PPreferredIdentity "P-Preferred-Identity" b"p-preferred-identity" list true;
    Path "Path" b"path" list true;
    Priority "Priority" b"priority";
    Privacy "Privacy" b"privacy";
    ProxyAuthenticate "Proxy-Authenticate" b"proxy-authenticate";
    ProxyAuthenticationInfo "Proxy-Authentication-Info" b"proxy-authentication-info";
    ProxyAuthorization "Proxy-Authorization" b"proxy-authorization";
    ProxyRequire "Proxy-Require" b"proxy-require" list true;
    RAck "RAck" b"rack";
    Reason "Reason" b"reason" list true;
    RecordRoute "Record-Route" b"record-route" list true;
    ReferSub "Refer-Sub" b"refer-sub";
    ReferTo "Refer-To" b"refer-to" compact b"r";
    ReferredBy "Referred-By" b"referred-by" compact b"b";
    RemotePartyId "Remote-Party-ID" b"remote-party-id" list true;
    Replaces "Replaces" b"replaces";
    ReplyTo "Reply-To" b"reply-to";
    Require "Require" b"require" list true;
    RetryAfter "Retry-After" b"retry-after";
    Route "Route" b"route" list true;
    RSeq "RSeq" b"rseq";
    Server "Server" b"server";
    ServiceRoute "Service-Route" b"service-route" list true;
    SessionExpires "Session-Expires" b"session-expires" compact b"x";
    SipEtag "SIP-ETag" b"sip-etag";
    SipIfMatch "SIP-If-Match" b"sip-if-match";
    Subject "Subject" b"subject" compact b"s";
    SubscriptionState "Subscription-State" b"subscription-state";
    Supported "Supported" b"supported" compact b"k" list true;
    Timestamp "Timestamp" b"timestamp";
    To "To" b"to" compact b"t";
    Unsupported "Unsupported" b"unsupported" list true;
    UserAgent "User-Agent" b"user-agent";
    Via "Via" b"via" compact b"v" list true;
    Warning "Warning" b"warning" list true;
    WwwAuthenticate "WWW-Authenticate" b"www-authenticate";
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
