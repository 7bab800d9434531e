//! Do layers, wire baseline, clocks and metrics still hold?

mod clocks;
mod layers;
mod metrics;
mod repository;
mod wire;
