//! What is alike in every program: configuration, start and end, telemetry, probes.
//!
//! A program library has one door, `start(config, environment) -> Result<Running, StartError>`, and installs no
//! globals; its `main` does, with [`telemetry::install`] and [`shutdown::signalled`].

pub mod cli;
pub mod config;
pub mod drops;
pub mod environment;
pub mod error;
pub mod health;
pub mod listen;
pub mod metrics;
pub mod redact;
pub mod run_file;
pub mod running;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
pub mod trace;

pub use environment::{Clock, Environment, Random, SystemClock};
pub use error::StartError;
pub use listen::{bind_tcp, bind_udp};
pub use metrics::{Metric, Metrics};
pub use redact::Redacted;
pub use running::{Control, Ended, Running};
