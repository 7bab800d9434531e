//! What goes wrong on the way to a page, shown with cause, remedy and an id that is in the log too.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use askama::Template;
use tonic::{Code, Status};
use tracing::warn;

use super::answer::bare;

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Another page comes first.
    Elsewhere(String),
    /// The API said no.
    Status(Box<Status>),
    /// A form that did not come from one of our pages, or whose session is over.
    Forged,
    /// A form that cannot be read.
    Form(String),
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        if status.code() == Code::Unauthenticated {
            return Self::Elsewhere("/login".into());
        }
        Self::Status(Box::new(status))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elsewhere(path) => write!(f, "go to {path}"),
            Self::Status(status) => f.write_str(status.message()),
            Self::Forged => f.write_str("the form is not one of this session"),
            Self::Form(why) => write!(f, "the form cannot be read: {why}"),
        }
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Body<'a> {
    what: &'a str,
    cause: String,
    remedy: &'a str,
    id: &'a str,
}

impl Trouble {
    fn what_and_remedy(&self) -> (&'static str, &'static str) {
        let Self::Status(status) = self else {
            return match self {
                Self::Forged => (
                    "Nothing was changed",
                    "Go back, reload the page, and send the form again.",
                ),
                _ => (
                    "The form could not be read",
                    "Go back and send it again; a CSV file may have 4 MiB.",
                ),
            };
        };
        match status.code() {
            Code::NotFound => (
                "There is no such thing",
                "It may have been removed meanwhile; look in the list.",
            ),
            Code::PermissionDenied => (
                "This is not for your account",
                "Ask an administrator to do it, or to give your account the role.",
            ),
            Code::InvalidArgument => (
                "That cannot be done as asked",
                "Go back, mend it, and send it again.",
            ),
            Code::ResourceExhausted => (
                "Too many attempts",
                "Wait as long as it says, then try again.",
            ),
            Code::Unavailable | Code::Unknown | Code::DeadlineExceeded => (
                "No server answers",
                "Calls go on without these pages. See whether ipdect-server runs and can be reached, then load this page again.",
            ),
            Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => (
                "Something changed meanwhile",
                "Go back, reload the page, and look before you send it again.",
            ),
            _ => (
                "Something failed inside",
                "Try again. If it stays, report it with the id below; it is in the log too.",
            ),
        }
    }
}

/// The HTTP status of a gRPC one.
pub(crate) fn http_status(code: Code) -> StatusCode {
    match code {
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::Unknown | Code::DeadlineExceeded => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Seconds after which to try again, if the status says so.
pub(crate) fn retry_after(status: &Status) -> Option<String> {
    let said = status.metadata().get("retry-after")?;
    said.to_str()
        .ok()
        .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
        .map(str::to_string)
}

impl ResponseError for Trouble {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Elsewhere(_) => StatusCode::SEE_OTHER,
            Self::Status(status) => http_status(status.code()),
            Self::Forged => StatusCode::FORBIDDEN,
            Self::Form(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Elsewhere(path) = self {
            return HttpResponse::SeeOther()
                .insert_header((LOCATION, path.as_str()))
                .finish();
        }
        let id = format!("{:016x}", rand::random::<u64>());
        warn!(error_id = %id, cause = %self, "a page could not be shown");
        let (what, remedy) = self.what_and_remedy();
        let mut answer = bare(
            self.status_code(),
            what,
            &Body {
                what,
                cause: self.to_string(),
                remedy,
                id: &id,
            },
        );
        if let Self::Status(status) = self
            && let Some(value) = retry_after(status).and_then(|s| s.parse().ok())
        {
            answer.headers_mut().insert(RETRY_AFTER, value);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_logins_gets_429_and_when_to_come_back() {
        let mut status = Status::resource_exhausted("too many wrong passwords; try again in 42 s");
        status
            .metadata_mut()
            .insert("retry-after", "42".parse().unwrap());
        let answer = Trouble::from(status).error_response();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), "42");
    }

    #[test]
    fn without_session_the_way_leads_to_the_login() {
        let answer = Trouble::from(Status::unauthenticated("log in first")).error_response();
        assert_eq!(
            (
                answer.status(),
                answer.headers().get(LOCATION).unwrap().to_str().unwrap()
            ),
            (StatusCode::SEE_OTHER, "/login")
        );
    }

    #[actix_web::test]
    async fn a_cause_from_outside_is_escaped() {
        let answer = Trouble::from(Status::not_found("<script>alert(1)</script>")).error_response();
        let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            text.contains("&#60;script&#62;") && !text.contains("<script>alert"),
            "{text}"
        );
    }
}
