//! Reading a message: untyped headers, then the typed ones.

use std::borrow::Cow;
use std::str::FromStr;

use super::cseq::{CSeq, RAck};
use super::error::{HeaderError, SyntaxError};
use super::grammar;
use super::header_name::{HeaderName, Name};
use super::lexer::Entry;
use super::method::Method;
use super::name_addr::NameAddr;
use super::status::StatusCode;
use super::uri::Uri;
use super::value::Value;
use super::via::Via;
use super::{Message, StartLine};

impl Message {
    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        self.method().is_some()
    }

    /// Whether it is a response.
    pub fn is_response(&self) -> bool {
        !self.is_request()
    }

    /// Method of a request; `None` for a response.
    pub fn method(&self) -> Option<&Method> {
        match &self.parts.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// If this is a response, or the URI cannot be read.
    pub fn request_uri(&self) -> Result<Uri, HeaderError> {
        let text = self.request_uri_text().ok_or(HeaderError::Missing {
            name: "Request-URI",
        })?;
        text.parse()
            .map_err(|error: SyntaxError| error.in_header("Request-URI"))
    }

    /// The Request-URI as written, as digest needs it; `None` for a response.
    pub fn request_uri_text(&self) -> Option<Cow<'_, str>> {
        match &self.parts.start {
            StartLine::Request { uri, .. } => Some(String::from_utf8_lossy(uri.of(&self.bytes))),
            StartLine::Response { .. } => None,
        }
    }

    /// Status code of a response; `None` for a request, or outside 100 to 699.
    pub fn status(&self) -> Option<StatusCode> {
        match &self.parts.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => StatusCode::new(*status),
        }
    }

    /// Reason phrase of a response, lossily; empty for a request.
    pub fn reason(&self) -> Cow<'_, str> {
        match &self.parts.start {
            StartLine::Request { .. } => Cow::Borrowed(""),
            StartLine::Response { reason, .. } => String::from_utf8_lossy(reason.of(&self.bytes)),
        }
    }

    /// Name (as written) and value of every header, in order.
    pub fn all_headers(&self) -> impl Iterator<Item = (Name<'_>, Value<'_>)> {
        self.parts.headers.iter().map(|entry| {
            let name = match entry.id {
                Some(known) => Name::Known(known),
                // Names are tokens, hence ASCII.
                None => {
                    Name::Other(std::str::from_utf8(entry.name.of(&self.bytes)).unwrap_or_default())
                }
            };
            (name, self.value(entry))
        })
    }

    /// Whole value of the first header of a name, lists not split.
    pub fn header<'n>(&self, name: impl Into<Name<'n>>) -> Option<Value<'_>> {
        let name = name.into();
        let mut entries = self.parts.headers.iter();
        entries
            .find(|entry| self.has_name(entry, name))
            .map(|entry| self.value(entry))
    }

    /// Every value of a name, in order; of list headers (see [`HeaderName::is_list`]) each element.
    pub fn headers<'a, 'n: 'a>(
        &'a self,
        name: impl Into<Name<'n>>,
    ) -> impl Iterator<Item = Value<'a>> {
        let name = name.into();
        let split = matches!(name, Name::Known(known) if known.is_list());
        self.fields(name).flat_map(move |value| {
            let (list, whole) = if split {
                (value.raw(), None)
            } else {
                (&b""[..], Some(value))
            };
            whole
                .into_iter()
                .chain(grammar::List::new(list).map(Value::new))
        })
    }

    /// Whether a list header has an element, such as `timer` in Supported; case does not count.
    pub fn lists<'n>(&self, name: impl Into<Name<'n>>, element: &str) -> bool {
        let name: Name<'_> = name.into();
        self.headers(name)
            .any(|value| value.raw().eq_ignore_ascii_case(element.as_bytes()))
    }

    fn fields<'a, 'n: 'a>(&'a self, name: Name<'n>) -> impl Iterator<Item = Value<'a>> {
        self.parts
            .headers
            .iter()
            .filter(move |entry| self.has_name(entry, name))
            .map(|entry| self.value(entry))
    }

    pub(super) fn has_name(&self, entry: &Entry, name: Name<'_>) -> bool {
        match name {
            Name::Known(known) => entry.id == Some(known),
            Name::Other(other) => entry
                .name
                .of(&self.bytes)
                .eq_ignore_ascii_case(other.as_bytes()),
        }
    }

    pub(super) fn value(&self, entry: &Entry) -> Value<'_> {
        Value::new(entry.value.of(&self.bytes))
    }
}

/// Typed headers. Each names the header in its error.
impl Message {
    /// The Via of the last hop.
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn top_via(&self) -> Result<Via, HeaderError> {
        self.required(HeaderName::Via)
    }

    /// All Vias, the last hop first.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        self.all(HeaderName::Via)
    }

    /// From.
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.required(HeaderName::From)
    }

    /// To.
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.required(HeaderName::To)
    }

    /// Call-ID; compared octet by octet.
    ///
    /// # Errors
    /// If it is missing, has blanks inside, or is not ASCII.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        let name = HeaderName::CallId;
        let value = self.header(name).ok_or(HeaderError::Missing {
            name: name.as_str(),
        })?;
        value
            .visible()
            .map_err(|error| error.in_header(name.as_str()))
    }

    /// CSeq.
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.required(HeaderName::CSeq)
    }

    /// Contacts, without the star of a REGISTER that removes all; see [`Message::contact_is_star`].
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn contacts(&self) -> Result<Vec<NameAddr>, HeaderError> {
        if self.contact_is_star() {
            return Ok(Vec::new());
        }
        self.all(HeaderName::Contact)
    }

    /// The first contact: the remote target in messages that make a dialog.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn contact(&self) -> Result<Option<NameAddr>, HeaderError> {
        self.optional(HeaderName::Contact)
    }

    /// Whether Contact is `*` (RFC 3261 section 10.2.2).
    pub fn contact_is_star(&self) -> bool {
        self.header(HeaderName::Contact)
            .is_some_and(|value| value.raw() == b"*")
    }

    /// Route, the next hop first.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.all(HeaderName::Route)
    }

    /// Record-Route, in the order of the message.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.all(HeaderName::RecordRoute)
    }

    /// Max-Forwards, 0 to 255.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        self.number(HeaderName::MaxForwards)
    }

    /// Expires, in seconds.
    ///
    /// # Errors
    /// If it is not a number below 2^32.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.number(HeaderName::Expires)
    }

    /// Min-Expires, in seconds.
    ///
    /// # Errors
    /// If it is not a number below 2^32.
    pub fn min_expires(&self) -> Result<Option<u32>, HeaderError> {
        self.number(HeaderName::MinExpires)
    }

    /// Retry-After, in seconds; comment and parameters are left out.
    ///
    /// # Errors
    /// If it does not start with a number below 2^32.
    pub fn retry_after(&self) -> Result<Option<u32>, HeaderError> {
        let Some(value) = self.header(HeaderName::RetryAfter) else {
            return Ok(None);
        };
        let text = value.text();
        let digits = text.split([';', '(', ' ', '\t']).next().unwrap_or_default();
        let problem = "it must start with a number of seconds below 2^32";
        let name = HeaderName::RetryAfter.as_str();
        grammar::number(digits)
            .map(Some)
            .ok_or(HeaderError::Malformed { name, problem })
    }

    /// RSeq (RFC 3262).
    ///
    /// # Errors
    /// If it is not a number below 2^32.
    pub fn rseq(&self) -> Result<Option<u32>, HeaderError> {
        self.number(HeaderName::RSeq)
    }

    /// RAck (RFC 3262).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn rack(&self) -> Result<Option<RAck>, HeaderError> {
        self.optional(HeaderName::RAck)
    }

    /// Content-Length as written.
    ///
    /// # Errors
    /// If it is not a number below 2^32.
    pub fn content_length(&self) -> Result<Option<u32>, HeaderError> {
        self.number(HeaderName::ContentLength)
    }

    /// Media type of the body in lower case without parameters, such as `application/sdp`.
    ///
    /// # Errors
    /// If it is not `type/subtype`.
    pub fn content_type(&self) -> Result<Option<String>, HeaderError> {
        let Some(value) = self.header(HeaderName::ContentType) else {
            return Ok(None);
        };
        let text = value.text();
        let (kind, sub) = grammar::media_type(&text)
            .map_err(|error| error.in_header(HeaderName::ContentType.as_str()))?;
        Ok(Some(format!("{kind}/{sub}").to_ascii_lowercase()))
    }

    /// First value of a name as an address, such as Refer-To or P-Asserted-Identity.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn address(&self, name: HeaderName) -> Result<Option<NameAddr>, HeaderError> {
        self.optional(name)
    }

    /// All values of a name as addresses, such as Service-Route, Path or P-Asserted-Identity.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn addresses(&self, name: HeaderName) -> Result<Vec<NameAddr>, HeaderError> {
        self.all(name)
    }

    fn required<T: FromStr<Err = SyntaxError>>(&self, name: HeaderName) -> Result<T, HeaderError> {
        self.optional(name)?.ok_or(HeaderError::Missing {
            name: name.as_str(),
        })
    }

    fn optional<T: FromStr<Err = SyntaxError>>(
        &self,
        name: HeaderName,
    ) -> Result<Option<T>, HeaderError> {
        self.headers(name)
            .next()
            .map(|value| read(name, value))
            .transpose()
    }

    fn all<T: FromStr<Err = SyntaxError>>(&self, name: HeaderName) -> Result<Vec<T>, HeaderError> {
        self.headers(name).map(|value| read(name, value)).collect()
    }

    fn number<T: FromStr>(&self, name: HeaderName) -> Result<Option<T>, HeaderError> {
        let number = self.header(name).map(Value::number).transpose();
        number.map_err(|error| error.in_header(name.as_str()))
    }
}

fn read<T: FromStr<Err = SyntaxError>>(
    name: HeaderName,
    value: Value<'_>,
) -> Result<T, HeaderError> {
    value
        .text()
        .parse()
        .map_err(|error: SyntaxError| error.in_header(name.as_str()))
}
