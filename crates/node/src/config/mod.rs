//! Reads a program's bootstrap file: TOML with the environment on top, all mistakes reported at once.
//!
//! A program declares its keys as a table of constants and reads typed values by their names:
//!
//! ```
//! use ipdect_node::config::{Document, Key, Section};
//! use std::net::SocketAddr;
//!
//! const KEYS: &[Key] = &[Key::address("link.listen", "Where devices dial in.").default("\"0.0.0.0:7460\"")];
//!
//! let file = Document::parse("server.toml", "[link]\nlisten = '127.0.0.1:0'\n");
//! let reader = file.read(&[Section::root(KEYS)]);
//! let listen: SocketAddr = reader.root().get("link.listen");
//! let listen = reader.finish(listen)?;
//! # assert_eq!(listen.port(), 0);
//! # Ok::<(), ipdect_node::config::ConfigErrors>(())
//! ```
//!
//! `ipdect up` reads the same keys below a table: `Section::under("server", KEYS)` and `reader.under("server")`.

mod common;
mod document;
mod entry;
mod key;
mod listing;
mod mistake;
mod reader;
mod value;

#[cfg(test)]
mod tests;

pub use common::{Common, LogFormat, data_dir, probe_listen};
pub use document::Document;
pub use entry::{Content, Entry};
pub use key::{Default, Key, Kind};
pub use listing::{default_file, key_list};
pub use mistake::{ConfigErrors, EXIT_CONFIG, Mistake, Place, nearest};
pub use reader::{Reader, Scope, Section};
pub use value::{FromValue, HostPort, PortRange, Value};
