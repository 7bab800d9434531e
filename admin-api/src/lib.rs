//! The admin API: the one door of management, over gRPC and in the browser.
//!
//! It authenticates, authorises and audits; the servers validate and write.

pub mod api;
pub mod config;
pub mod conversation;
pub mod metrics;
pub mod service;
mod start;
pub mod web;
mod web_tls;

pub use config::Config;
pub use start::start;
