//! What an answer of etcd, or the want of one, means.

use super::config::chain;
use crate::error::StoreError;
use std::error::Error as _;
use std::io;
use tonic::Code;

/// Why one attempt at one member gave no answer.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// What happened, for people, without the endpoint.
    pub(super) what: String,
    /// Whether the connection is of no use any more.
    pub(super) broken: bool,
}

/// What follows from it.
#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing was done; another member may do it.
    Elsewhere,
    /// It may have been done.
    Perhaps,
    /// No member will do it.
    Final(StoreError),
    /// This member does not serve us, and will not soon; nothing was done.
    Shut(StoreError),
    /// The answer is larger than we take.
    TooLarge,
    /// The revision asked for is no longer kept.
    Compacted,
}

impl Fault {
    pub(super) fn new(kind: Kind, what: impl Into<String>) -> Fault {
        Fault {
            kind,
            what: what.into(),
            broken: false,
        }
    }

    /// No answer in time. The connection may still be good: whoever was stopped may go on.
    pub(super) fn silent(what: &str) -> Fault {
        Fault::new(Kind::Perhaps, format!("no answer in time to {what}"))
    }

    fn broken(self) -> Fault {
        Fault {
            broken: true,
            ..self
        }
    }

    /// The same fault of a step before the request was sent.
    pub(super) fn before_sending(self) -> Fault {
        let kind = match self.kind {
            Kind::Perhaps | Kind::TooLarge | Kind::Compacted => Kind::Elsewhere,
            kind => kind,
        };
        Fault { kind, ..self }
    }
}

const CHECK_USER: &str =
    "check user and password of the store, and the role that etcd gives this user";
const CHECK_CERTIFICATE: &str =
    "give the store a client certificate and key that etcd's --trusted-ca-file signed";
const CHECK_AUTHORITY: &str = "the store's ca has to be the authority that signed etcd's certificate, which has to \
                               name this host";

/// Reads an error of the client. `endpoint` is for errors that leave this crate.
pub(super) fn read(endpoint: &str, error: &etcd_client::Error) -> Fault {
    match error {
        etcd_client::Error::GRpcStatus(status) if status.message().starts_with("etcdserver: ") => {
            of_etcd(endpoint, status.code(), status.message())
        }
        etcd_client::Error::GRpcStatus(status) => of_transport(endpoint, status),
        error => Fault::new(Kind::Perhaps, chain(error)).broken(),
    }
}

/// What etcd itself said.
fn of_etcd(endpoint: &str, code: Code, message: &str) -> Fault {
    let what = message.trim_start_matches("etcdserver: ");
    let says = |part: &str| what.contains(part);
    let denied = |remedy| {
        Kind::Shut(StoreError::Denied {
            endpoint: endpoint.to_owned(),
            what: what.to_owned(),
            remedy,
        })
    };
    let kind = match code {
        Code::ResourceExhausted if says("space exceeded") => Kind::Final(StoreError::Quota {
            endpoint: endpoint.to_owned(),
        }),
        Code::ResourceExhausted => Kind::Elsewhere,
        Code::OutOfRange if says("compacted") => Kind::Compacted,
        // A member that lags behind.
        Code::OutOfRange => Kind::Elsewhere,
        Code::PermissionDenied => denied(CHECK_USER),
        Code::InvalidArgument if says("authentication failed") || says("user name is empty") => {
            denied(CHECK_USER)
        }
        Code::FailedPrecondition if says("authentication is not enabled") => {
            denied("give the store no user, or enable authentication in etcd")
        }
        // A new connection logs in anew.
        Code::Unauthenticated => return Fault::new(Kind::Elsewhere, what).broken(),
        Code::InvalidArgument if says("auth store is old") => {
            return Fault::new(Kind::Elsewhere, what).broken();
        }
        Code::InvalidArgument => Kind::Final(StoreError::Invalid(what.to_owned())),
        Code::Unavailable if says("no leader") || says("not supported for learner") => {
            Kind::Elsewhere
        }
        _ => Kind::Perhaps,
    };
    Fault::new(kind, what)
}

/// Reads why etcd ended a watch.
pub(super) fn of_cancelled_watch(endpoint: &str, reason: &str) -> Fault {
    if reason.contains("permission denied") {
        of_etcd(endpoint, Code::PermissionDenied, reason)
    } else {
        Fault::new(
            Kind::Elsewhere,
            format!("it cancelled the watch ({reason})"),
        )
    }
}

/// What went wrong on the way.
fn of_transport(endpoint: &str, status: &tonic::Status) -> Fault {
    let what = status
        .source()
        .map_or_else(|| status.message().to_owned(), chain);
    if status.code() == Code::OutOfRange && status.message().contains("too large") {
        return Fault::new(Kind::TooLarge, what);
    }
    let kind = denied(endpoint, &what).unwrap_or_else(|| match io_kind(status) {
        Some(io::ErrorKind::ConnectionRefused) => Kind::Elsewhere,
        _ => Kind::Perhaps,
    });
    Fault::new(kind, what).broken()
}

/// Reads an error of dialling.
pub(super) fn of_dialling(endpoint: &str, error: &tonic::transport::Error) -> Fault {
    let what = chain(error);
    Fault::new(denied(endpoint, &what).unwrap_or(Kind::Elsewhere), what)
}

/// Whether TLS failed over a certificate: theirs, or ours.
fn denied(endpoint: &str, what: &str) -> Option<Kind> {
    const ABOUT_OURS: [&str; 7] = [
        "CertificateRequired",
        "BadCertificate",
        "UnknownCA",
        "CertificateUnknown",
        "CertificateExpired",
        "CertificateRevoked",
        "UnsupportedCertificate",
    ];
    let remedy = if what.contains("invalid peer certificate") {
        CHECK_AUTHORITY
    } else if ABOUT_OURS.iter().any(|alert| what.contains(alert)) {
        CHECK_CERTIFICATE
    } else {
        return None;
    };
    Some(Kind::Shut(StoreError::Denied {
        endpoint: endpoint.to_owned(),
        what: what.to_owned(),
        remedy,
    }))
}

fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found.kind());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    fn kind(status: Status) -> Kind {
        read("http://e", &etcd_client::Error::GRpcStatus(status)).kind
    }

    #[test]
    fn an_answer_says_whether_anything_was_done() {
        let unavailable = |text: &str| kind(Status::unavailable(format!("etcdserver: {text}")));
        assert!(matches!(unavailable("no leader"), Kind::Elsewhere));
        assert!(matches!(unavailable("leader changed"), Kind::Perhaps));
        assert!(matches!(unavailable("request timed out"), Kind::Perhaps));
        assert!(matches!(unavailable("server stopped"), Kind::Perhaps));
        assert!(matches!(
            kind(Status::resource_exhausted(
                "etcdserver: mvcc: database space exceeded"
            )),
            Kind::Final(StoreError::Quota { .. })
        ));
        assert!(matches!(
            kind(Status::resource_exhausted("etcdserver: too many requests")),
            Kind::Elsewhere
        ));
        assert!(matches!(
            kind(Status::invalid_argument(
                "etcdserver: too many operations in txn request"
            )),
            Kind::Final(StoreError::Invalid(_))
        ));
        assert!(matches!(
            kind(Status::invalid_argument(
                "etcdserver: authentication failed, invalid user ID or password"
            )),
            Kind::Shut(StoreError::Denied { .. })
        ));
        assert!(matches!(
            kind(Status::out_of_range(
                "etcdserver: mvcc: required revision has been compacted"
            )),
            Kind::Compacted
        ));
        assert!(matches!(
            kind(Status::unknown("broken pipe")),
            Kind::Perhaps
        ));
        assert!(matches!(
            kind(Status::out_of_range(
                "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes"
            )),
            Kind::TooLarge
        ));
    }

    #[test]
    fn a_token_that_has_run_out_costs_a_new_login_and_nothing_else() {
        let fault = read(
            "http://e",
            &etcd_client::Error::GRpcStatus(Status::unauthenticated(
                "etcdserver: invalid auth token",
            )),
        );
        assert!(matches!(fault.kind, Kind::Elsewhere) && fault.broken);
    }
}
