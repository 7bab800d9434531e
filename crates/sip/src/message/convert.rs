//! The `rsip` vocabulary at the edge, for traces and test tools. Nothing here runs on the way of a call.

use super::method::Method;
use super::status::StatusCode;
use super::{Message, StartLine};

/// Why a message cannot be told in the words of `rsip`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// `rsip` has a closed list of methods.
    #[error("rsip does not know the method {0}")]
    Method(String),
    /// `rsip` refuses it, such as an IPv6 host or a tel URI.
    #[error("rsip refuses the Request-URI: {0}")]
    Uri(rsip::Error),
    /// The message is damaged; see `Message::check`.
    #[error("status code outside 100 to 699")]
    Status,
}

impl From<StatusCode> for rsip::StatusCode {
    fn from(status: StatusCode) -> rsip::StatusCode {
        rsip::StatusCode::from(status.code())
    }
}

impl TryFrom<rsip::StatusCode> for StatusCode {
    type Error = ConversionError;

    fn try_from(status: rsip::StatusCode) -> Result<StatusCode, ConversionError> {
        StatusCode::new(status.code()).ok_or(ConversionError::Status)
    }
}

impl From<rsip::Method> for Method {
    fn from(method: rsip::Method) -> Method {
        let name = method.to_string();
        Method::parse(&name).unwrap_or(Method::Other(name.into()))
    }
}

impl TryFrom<&Method> for rsip::Method {
    type Error = ConversionError;

    fn try_from(method: &Method) -> Result<rsip::Method, ConversionError> {
        method
            .as_str()
            .parse()
            .map_err(|_| ConversionError::Method(method.to_string()))
    }
}

impl TryFrom<&Message> for rsip::SipMessage {
    type Error = ConversionError;

    /// The head in `rsip`'s untyped headers, names in their long form, values unfolded; the body octet for octet.
    fn try_from(message: &Message) -> Result<rsip::SipMessage, ConversionError> {
        let headers: Vec<rsip::Header> = message
            .all_headers()
            .map(|(name, value)| header(name.as_str(), value.text().into_owned()))
            .collect();
        let (version, headers, body) = (rsip::Version::V2, headers.into(), message.body().to_vec());
        match &message.parts.start {
            StartLine::Request { method, .. } => {
                let uri = message.request_uri_text().unwrap_or_default();
                let uri = rsip::Uri::try_from(uri.as_ref()).map_err(ConversionError::Uri)?;
                Ok(rsip::Request {
                    method: method.try_into()?,
                    uri,
                    version,
                    headers,
                    body,
                }
                .into())
            }
            StartLine::Response { .. } => {
                let status_code = message.status().ok_or(ConversionError::Status)?.into();
                Ok(rsip::Response {
                    status_code,
                    version,
                    headers,
                    body,
                }
                .into())
            }
        }
    }
}

/// One header in the words of `rsip`; what it has no word for becomes its `Other`.
fn header(name: &str, value: String) -> rsip::Header {
    use rsip::headers::{self as known, UntypedHeader};
    match name {
        "Via" => known::Via::new(value).into(),
        "From" => known::From::new(value).into(),
        "To" => known::To::new(value).into(),
        "Call-ID" => known::CallId::new(value).into(),
        "CSeq" => known::CSeq::new(value).into(),
        "Contact" => known::Contact::new(value).into(),
        "Max-Forwards" => known::MaxForwards::new(value).into(),
        "Expires" => known::Expires::new(value).into(),
        "Route" => known::Route::new(value).into(),
        "Record-Route" => known::RecordRoute::new(value).into(),
        "Content-Length" => known::ContentLength::new(value).into(),
        "Content-Type" => known::ContentType::new(value).into(),
        "Authorization" => known::Authorization::new(value).into(),
        "WWW-Authenticate" => known::WwwAuthenticate::new(value).into(),
        "Proxy-Authorization" => known::ProxyAuthorization::new(value).into(),
        "Proxy-Authenticate" => known::ProxyAuthenticate::new(value).into(),
        "User-Agent" => known::UserAgent::new(value).into(),
        "Server" => known::Server::new(value).into(),
        "Allow" => known::Allow::new(value).into(),
        "Supported" => known::Supported::new(value).into(),
        "Require" => known::Require::new(value).into(),
        "Event" => known::Event::new(value).into(),
        "Subject" => known::Subject::new(value).into(),
        _ => rsip::Header::Other(name.to_owned(), value),
    }
}
