//! rsipstack for the benches: its parser timed on a message, and an endpoint of its that answers OPTIONS over UDP.

mod answer;
mod parse;

use std::error::Error;

/// `parse FILE` prints nanoseconds, lines such as `split 1234.5`. `answer` prints the port of its endpoint; for each line
/// that it reads it prints one as soon as no transaction is left.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["parse", file] => parse::run(file),
        ["answer"] => answer::run(),
        _ => Err("parse FILE, or answer".into()),
    }
}
