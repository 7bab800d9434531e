//! What RFC 3261 asks of the receiver of a message before it may act on it.

use super::Message;
use super::error::{HeaderError, Refusal};
use super::grammar;
use super::header_name::HeaderName;
use super::lexer::Defect;
use super::method::Method;
use super::name_addr::NameAddr;
use super::status::StatusCode;
use super::uri::Scheme;
use super::via::MAGIC_COOKIE;

/// Headers that may stand there once only.
const SINGLE: [HeaderName; 11] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::MaxForwards,
    HeaderName::ContentLength,
    HeaderName::ContentType,
    HeaderName::Expires,
    HeaderName::RAck,
    HeaderName::RSeq,
    HeaderName::SessionExpires,
];

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
        self.check_single_headers().map_err(bad_header)?;
        self.check_mandatory_headers()?;
        self.check_addresses().map_err(bad_header)?;
        match self.method() {
            Some(method) => self.check_request(method),
            None => Ok(()),
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

    fn check_single_headers(&self) -> Result<(), HeaderError> {
        match SINGLE.iter().find(|name| self.count(**name) > 1) {
            Some(name) => Err(HeaderError::Repeated {
                name: name.as_str(),
            }),
            None => Ok(()),
        }
    }

    fn check_mandatory_headers(&self) -> Result<(), Refusal> {
        let via = self.top_via().map_err(bad_header)?;
        self.vias().map_err(bad_header)?;
        if via
            .branch()
            .is_some_and(|branch| branch.eq_ignore_ascii_case(MAGIC_COOKIE))
        {
            return Err(refuse(
                StatusCode::BAD_REQUEST,
                "branch is the cookie alone; make it unique".into(),
            ));
        }
        self.from().map_err(bad_header)?;
        self.to().map_err(bad_header)?;
        self.call_id().map_err(bad_header)?;
        self.cseq().map_err(bad_header)?;
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), HeaderError> {
        self.max_forwards()?;
        self.content_length()?;
        self.expires()?;
        self.content_type()?;
        self.routes()?;
        self.record_routes()?;
        self.check_star()?;
        self.contacts()?.iter().try_for_each(check_contact)
    }

    /// A Contact of `*` stands alone (RFC 3261 section 20.10).
    fn check_star(&self) -> Result<(), HeaderError> {
        let mut contacts = self.headers(HeaderName::Contact);
        let problem = "'*' must stand alone";
        match contacts.any(|contact| contact.raw() == b"*") {
            true if self.headers(HeaderName::Contact).count() > 1 => Err(HeaderError::Malformed {
                name: "Contact",
                problem,
            }),
            _ => Ok(()),
        }
    }

    fn check_request(&self, method: &Method) -> Result<(), Refusal> {
        let cseq = self.cseq().map_err(bad_header)?;
        if cseq.method != *method {
            return Err(match method {
                Method::Other(name) => unknown_method(name),
                _ => refuse(
                    StatusCode::BAD_REQUEST,
                    format!("CSeq says {}, the request is {method}", cseq.method),
                ),
            });
        }
        let uri = self.request_uri().map_err(bad_header)?;
        match uri.scheme() {
            Scheme::Other(scheme) => Err(refuse(
                StatusCode::UNSUPPORTED_URI_SCHEME,
                format!("Request-URI has scheme {scheme}; use sip, sips or tel"),
            )),
            _ => Ok(()),
        }
    }
}

fn check_contact(contact: &NameAddr) -> Result<(), HeaderError> {
    let problem = "its expires is not a number below 2^32";
    match contact.params.get("expires") {
        Some(expires) if grammar::number::<u32>(expires).is_none() => Err(HeaderError::Malformed {
            name: "Contact",
            problem,
        }),
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
