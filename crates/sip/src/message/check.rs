//! What RFC 3261 asks of the receiver of a message before it may act on it.

use super::Message;
use super::cseq::CSeq;
use super::error::{HeaderError, Refusal, SyntaxError};
use super::grammar;
use super::header_name::HeaderName;
use super::lexer::{Defect, StartLine};
use super::method::Method;
use super::name_addr::NameAddrView;
use super::status::StatusCode;
use super::uri::{Scheme, UriView};
use super::value::Value;
use super::via::{MAGIC_COOKIE, ViaView};

impl Message {
    /// Says whether the message may be acted on: a damaged request is answered with the refusal
    /// (an ACK is dropped), a damaged response is dropped.
    ///
    /// Checked are version, line structure, length of the body, the headers every message has (RFC 3261
    /// section 8.1.1; Max-Forwards may be missing, as from RFC 2543), single-value headers, the method in CSeq, the
    /// scheme of the Request-URI (section 8.2.2.1) and the branch.
    ///
    /// # Errors
    /// A [`Refusal`] with 400, 416, 501 or 505 and what is wrong.
    pub fn check(&self) -> Result<(), Refusal> {
        if let Some(defect) = self.parts.defect {
            return Err(refuse_defect(defect));
        }
        let found = self.check_headers().map_err(bad_header)?;
        match &self.parts.start {
            StartLine::Request { method, .. } => self.check_request(method, &found),
            StartLine::Response { .. } => Ok(()),
        }
    }

    /// Refuses a method nobody here knows; for a user agent, as a proxy forwards it (RFC 3261 section 8.2.1).
    ///
    /// # Errors
    /// A [`Refusal`] with 501.
    pub fn check_method(&self) -> Result<(), Refusal> {
        match self.method() {
            Some(Method::Other(name)) => Err(unknown_method(name)),
            _ => Ok(()),
        }
    }

    /// Reads each header that must be readable, without a copy, and says what was found.
    fn check_headers(&self) -> Result<Found, HeaderError> {
        let mut found = Found::default();
        for entry in &self.parts.headers {
            if let Some(name) = entry.id {
                found.note(name, self.value(entry))?;
            }
        }
        found.complete()
    }

    fn check_request(&self, method: &Method, found: &Found) -> Result<(), Refusal> {
        if let Some(cseq) = &found.cseq
            && cseq.method != *method
        {
            return Err(match method {
                Method::Other(name) => unknown_method(name),
                _ => refuse(
                    StatusCode::BAD_REQUEST,
                    format!("CSeq says {}, the request is {method}", cseq.method),
                ),
            });
        }
        let text = self.request_uri_text().unwrap_or_default();
        let uri =
            UriView::read(&text).map_err(|error| bad_header(error.in_header("Request-URI")))?;
        match uri.scheme() {
            Scheme::Other(scheme) => Err(refuse(
                StatusCode::UNSUPPORTED_URI_SCHEME,
                format!("Request-URI has scheme {scheme}; use sip, sips or tel"),
            )),
            _ => Ok(()),
        }
    }
}

/// What the headers told so far.
#[derive(Default)]
struct Found {
    /// A bit for each name that was met.
    names: u128,
    /// How many hops the Vias name.
    hops: usize,
    cseq: Option<CSeq>,
    /// Whether a Contact is `*`.
    star: bool,
}

impl Found {
    /// Takes in one header line.
    fn note(&mut self, name: HeaderName, value: Value<'_>) -> Result<(), HeaderError> {
        let bit = 1 << name as u32;
        let is_first = self.names & bit == 0;
        self.names |= bit;
        if !is_first && stands_once(name) {
            return Err(HeaderError::Repeated {
                name: name.as_str(),
            });
        }
        let read = match name {
            HeaderName::Via => value.elements().try_for_each(|hop| self.hop(hop)),
            HeaderName::From | HeaderName::To => read_address(value),
            HeaderName::CallId => value.visible().map(drop),
            HeaderName::CSeq => value.text().parse().map(|cseq| self.cseq = Some(cseq)),
            HeaderName::MaxForwards => value.number::<u8>().map(drop),
            HeaderName::Expires => value.number::<u32>().map(drop),
            HeaderName::ContentType => grammar::media_type(&value.text()).map(drop),
            HeaderName::Route | HeaderName::RecordRoute => {
                value.elements().try_for_each(read_address)
            }
            HeaderName::Contact => self.contacts(value, is_first),
            // Content-Length was read by the lexer; nothing here depends on the others.
            _ => Ok(()),
        };
        read.map_err(|error| error.in_header(name.as_str()))
    }

    /// Reads one Via; the branch of the first must be unique.
    fn hop(&mut self, hop: Value<'_>) -> Result<(), SyntaxError> {
        let text = hop.text();
        let via = ViaView::read(&text)?;
        let branch = via.params.get("branch").unwrap_or_default();
        if self.hops == 0 && branch.eq_ignore_ascii_case(MAGIC_COOKIE) {
            return Err(SyntaxError("branch is the cookie alone; make it unique"));
        }
        self.hops += 1;
        Ok(())
    }

    /// Reads one line of contacts; `*` stands alone (RFC 3261 section 20.10).
    fn contacts(&mut self, value: Value<'_>, is_first: bool) -> Result<(), SyntaxError> {
        let alone = SyntaxError("'*' must stand alone");
        self.star |= value.raw() == b"*";
        match self.star {
            true if is_first => Ok(()),
            true => Err(alone),
            false => value
                .elements()
                .try_for_each(|contact| match contact.raw() {
                    b"*" => Err(alone),
                    _ => read_contact(contact),
                }),
        }
    }

    /// Says whether all headers are there that every message has.
    fn complete(self) -> Result<Found, HeaderError> {
        let is_there = |name: HeaderName| match name {
            HeaderName::Via => self.hops > 0,
            other => self.names & (1 << other as u32) != 0,
        };
        match MANDATORY.iter().find(|name| !is_there(**name)) {
            Some(name) => Err(HeaderError::Missing {
                name: name.as_str(),
            }),
            None => Ok(self),
        }
    }
}

/// Headers of every message. Max-Forwards is not among them: RFC 2543 had none.
const MANDATORY: [HeaderName; 5] = [
    HeaderName::Via,
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
];

/// Whether a header may stand there once only.
fn stands_once(name: HeaderName) -> bool {
    matches!(
        name,
        HeaderName::From
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::CSeq
            | HeaderName::MaxForwards
            | HeaderName::ContentLength
            | HeaderName::ContentType
            | HeaderName::Expires
            | HeaderName::RAck
            | HeaderName::RSeq
            | HeaderName::SessionExpires
    )
}

fn read_address(value: Value<'_>) -> Result<(), SyntaxError> {
    NameAddrView::read(&value.text()).map(drop)
}

fn read_contact(value: Value<'_>) -> Result<(), SyntaxError> {
    let text = value.text();
    let contact = NameAddrView::read(&text)?;
    match contact.params.get("expires") {
        Some(expires) if grammar::number::<u32>(expires).is_none() => {
            Err(SyntaxError("its expires is not a number below 2^32"))
        }
        _ => Ok(()),
    }
}

fn refuse(status: StatusCode, detail: String) -> Refusal {
    Refusal {
        status: status.code(),
        reason: status.phrase(),
        detail,
    }
}

fn bad_header(error: HeaderError) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, error.to_string())
}

fn unknown_method(name: &str) -> Refusal {
    refuse(
        StatusCode::NOT_IMPLEMENTED,
        format!("method {name} is not known here"),
    )
}

fn refuse_defect(defect: Defect) -> Refusal {
    match defect {
        Defect::Version => refuse(
            StatusCode::VERSION_NOT_SUPPORTED,
            "only SIP/2.0 is spoken here".into(),
        ),
        Defect::StartLine(problem) | Defect::Header(problem) | Defect::ContentLength(problem) => {
            refuse(StatusCode::BAD_REQUEST, problem.into())
        }
        Defect::ShortBody { announced, arrived } => refuse(
            StatusCode::BAD_REQUEST,
            format!("Content-Length announces {announced} octets, {arrived} arrived"),
        ),
    }
}
