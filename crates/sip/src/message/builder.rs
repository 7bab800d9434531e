//! Making messages.

use std::fmt::Display;

use bytes::Bytes;

use super::Message;
use super::grammar;
use super::header_name::{HeaderName, Name};
use super::method::Method;
use super::status::StatusCode;
use super::uri::Uri;

/// Makes a request or response; headers go out in the order given, Content-Length is added at the end.
///
/// No value can end its line: CR, LF and NUL in it become spaces.
#[derive(Debug, Clone)]
pub struct Builder {
    head: Vec<u8>,
    body: Bytes,
}

impl Builder {
    /// Starts a request; headers of the URI are left out (RFC 3261 section 19.1.5).
    pub fn request(method: Method, uri: &Uri) -> Builder {
        let uri = uri.clone().without_headers();
        Builder::start(&format!("{method} {uri} SIP/2.0"))
    }

    /// Starts a response: Via stack, From, To, Call-ID, CSeq and Timestamp of the request are copied in this order
    /// (RFC 3261 section 8.2.6.2). `None` takes the usual phrase.
    ///
    /// The tag of To is the caller's business: see [`Builder::response_with_tag`].
    pub fn response_to(request: &Message, status: StatusCode, reason: Option<&str>) -> Builder {
        Builder::response(request, status, reason, None)
    }

    /// [`Builder::response_to`] that adds a tag to To where the request has none.
    pub fn response_with_tag(
        request: &Message,
        status: StatusCode,
        reason: Option<&str>,
        tag: &str,
    ) -> Builder {
        Builder::response(request, status, reason, Some(tag))
    }

    fn response(
        request: &Message,
        status: StatusCode,
        reason: Option<&str>,
        tag: Option<&str>,
    ) -> Builder {
        let reason = reason.unwrap_or(status.phrase());
        let mut builder = Builder::start(&format!("SIP/2.0 {status} {reason}"));
        builder = builder
            .copy_all(request, HeaderName::Via)
            .copy_all(request, HeaderName::From);
        let to = request.to().ok();
        builder = match (tag, to) {
            (Some(tag), Some(to)) if to.tag().is_none() => {
                builder.header(HeaderName::To, to.with_tag(tag))
            }
            _ => builder.copy_all(request, HeaderName::To),
        };
        builder = builder
            .copy_all(request, HeaderName::CallId)
            .copy_all(request, HeaderName::CSeq);
        builder.copy_all(request, HeaderName::Timestamp)
    }

    fn start(line: &str) -> Builder {
        let mut head = Vec::with_capacity(1024);
        head.extend_from_slice(grammar::one_line(line).as_bytes());
        head.extend_from_slice(b"\r\n");
        Builder {
            head,
            body: Bytes::new(),
        }
    }

    /// Copies every header of a name as it stands in another message, such as Record-Route into a 2xx.
    #[must_use]
    pub fn copy_all<'n>(mut self, from: &Message, name: impl Into<Name<'n>>) -> Builder {
        let name = name.into();
        for entry in from
            .parts
            .headers
            .iter()
            .filter(|entry| from.has_name(entry, name))
        {
            write_line(&mut self.head, name.as_str(), entry.value.of(&from.bytes));
        }
        self
    }

    /// Adds a header. A name that is no token is left out; Content-Length is always ours.
    #[must_use]
    pub fn header<'n>(mut self, name: impl Into<Name<'n>>, value: impl Display) -> Builder {
        write_line(
            &mut self.head,
            name.into().as_str(),
            line_value(&value.to_string()).as_bytes(),
        );
        self
    }

    /// Adds a header if there is a value.
    #[must_use]
    pub fn header_opt<'n>(self, name: impl Into<Name<'n>>, value: Option<impl Display>) -> Builder {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Adds one header for each value.
    #[must_use]
    pub fn headers<'n>(
        mut self,
        name: impl Into<Name<'n>>,
        values: impl IntoIterator<Item = impl Display>,
    ) -> Builder {
        let name = name.into();
        for value in values {
            self = self.header(name, value);
        }
        self
    }

    /// Sets the body and adds its Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Builder {
        self.body = body.into();
        self.header(HeaderName::ContentType, content_type)
    }

    /// The message.
    pub fn build(self) -> Message {
        finish(self.head, &self.body)
    }
}

/// Writes one header line. A name that is no token is left out, as is Content-Length, which [`finish`] adds.
pub(super) fn write_line(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    let ours = HeaderName::parse(name.as_bytes()) == Some(HeaderName::ContentLength);
    if ours || !grammar::is_token(name.as_bytes()) {
        return;
    }
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// A value made fit for one header line.
pub(super) fn line_value(value: &str) -> String {
    grammar::trim_str(&grammar::one_line(value)).to_owned()
}

/// Adds Content-Length, the empty line and the body, and reads the result.
pub(super) fn finish(mut head: Vec<u8>, body: &[u8]) -> Message {
    head.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    head.extend_from_slice(body);
    Message::read(head.into()).expect("start line and header lines were written whole")
}
