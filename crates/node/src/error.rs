//! Why a program did not start, in words that say what to do.

use crate::config::{ConfigErrors, EXIT_CONFIG};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a program did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration has mistakes.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A port is taken.
    #[error(
        "{key}: {address} is in use; stop what listens there (ss -lntup shows it) or set {key} to another address, port 0 for any free one"
    )]
    PortInUse {
        /// Key that names the address.
        key: String,
        /// The address.
        address: SocketAddr,
    },
    /// An address cannot be bound for another reason.
    #[error("{key}: cannot listen on {address}: {source}; {}", bind_remedy(source))]
    Bind {
        /// Key that names the address.
        key: String,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The data directory is in use by another process.
    #[error("{} is in use by process {holder}; stop it, or give this one a data directory of its own", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Process id as written in the file, or `unknown`.
        holder: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}; {remedy}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What to do.
        remedy: String,
    },
    /// A file holds something else than it should.
    #[error("{}: {what}; {remedy}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The store does not open.
    #[error("store: {what}; {remedy}")]
    Store {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Enrolment was refused or is impossible.
    #[error("enrolment: {what}; {remedy}")]
    Enrol {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
        /// Whether it is a matter of the configuration (exit status 64).
        usage: bool,
    },
    /// Logs, traces or metrics cannot be set up.
    #[error("telemetry: {what}; {remedy}")]
    Telemetry {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// One part of `ipdect up` did not start.
    #[error("{part}: {source}")]
    Part {
        /// The part, such as `server`.
        part: &'static str,
        /// Why.
        source: Box<StartError>,
    },
    /// Anything else.
    #[error("{what}; {remedy}")]
    Other {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
}

impl StartError {
    /// Exit status for `main`: 64 for mistakes of the configuration, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::Config(_) | StartError::Enrol { usage: true, .. } => EXIT_CONFIG,
            StartError::Part { source, .. } => source.exit_code(),
            _ => 1,
        }
    }

    /// Stable word for the runbook and for metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            StartError::Config(_) => "start-config",
            StartError::PortInUse { .. } => "start-port-in-use",
            StartError::Bind { .. } => "start-bind",
            StartError::Locked { .. } => "start-locked",
            StartError::File { .. } | StartError::Content { .. } => "start-file",
            StartError::Store { .. } => "start-store",
            StartError::Enrol { .. } => "start-enrol",
            StartError::Telemetry { .. } => "start-telemetry",
            StartError::Part { source, .. } => source.code(),
            StartError::Other { .. } => "start-other",
        }
    }

    /// Says which part of several did not start.
    #[must_use]
    pub fn of_part(self, part: &'static str) -> StartError {
        StartError::Part {
            part,
            source: Box::new(self),
        }
    }

    /// A file that cannot be read or written.
    #[must_use]
    pub fn file(
        path: impl Into<PathBuf>,
        source: io::Error,
        remedy: impl Into<String>,
    ) -> StartError {
        StartError::File {
            path: path.into(),
            source,
            remedy: remedy.into(),
        }
    }
}

fn bind_remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "use a port from 1024 up, or grant CAP_NET_BIND_SERVICE",
        io::ErrorKind::AddrNotAvailable => {
            "set it to an address of this machine (ip address shows them), or 0.0.0.0 for all"
        }
        _ => "set it to an address of this machine",
    }
}
