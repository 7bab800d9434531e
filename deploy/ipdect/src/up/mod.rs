//! `ipdect up`: server, media resource, base station, admin API and virtual handsets in one process, over loopback
//! links, nothing faked. Source: contracts 15.

pub(crate) mod config;
mod network;
pub(crate) mod people;
mod run;
mod shown;
mod system;

pub(crate) use run::run;
pub(crate) use system::{System, Times, metrics, resolve};
