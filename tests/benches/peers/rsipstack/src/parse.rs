//! Its parser on one INVITE: split, and split with six typed fields, as the benches do with ours.

use std::error::Error;
use std::hint::black_box;

use nix::time::{ClockId, clock_gettime};
use rsipstack::sip::message::HeadersExt as _;
use rsipstack::sip::{Request, ToTypedHeader as _};

/// Samples of each figure; the figure is their median.
const SAMPLES: usize = 30;
/// Rounds of a sample.
const ROUNDS: u32 = 10_000;

pub fn run(file: &str) -> Result<(), Box<dyn Error>> {
    let octets = std::fs::read(file)?;
    // What a table line is worth: both parsers must have read the same.
    println!("sum {}", typed(&octets)?);
    println!("split {:.1}", measured(|| Request::try_from(&octets[..])));
    println!("typed {:.1}", measured(|| typed(&octets)));
    Ok(())
}

fn typed(octets: &[u8]) -> Result<usize, rsipstack::sip::Error> {
    let message = Request::try_from(octets)?;
    let (from, to) = (
        message.from_header()?.typed()?,
        message.to_header()?.typed()?,
    );
    let (via, cseq) = (
        message.via_header()?.typed()?,
        message.cseq_header()?.typed()?,
    );
    let contact = message.contact_header()?.typed()?;
    let id = message.call_id_header()?.value().len();
    Ok(id
        + usize::from(contact.uri.host_with_port.port.is_some())
        + cseq.seq as usize
        + from.tag().map_or(0, |tag| tag.value().len())
        + usize::from(to.tag().is_some())
        + via.branch().map_or(0, |branch| branch.value().len()))
}

/// Median nanoseconds of processor time of one round.
fn measured<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut sample = || {
        let begin = cpu_time_ns();
        for _ in 0..ROUNDS {
            drop(black_box(work()));
        }
        (cpu_time_ns() - begin) / f64::from(ROUNDS)
    };
    sample();
    let mut samples: Vec<f64> = (0..SAMPLES).map(|_| sample()).collect();
    samples.sort_by(f64::total_cmp);
    samples[SAMPLES / 2]
}

fn cpu_time_ns() -> f64 {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock that Linux has");
    now.tv_sec() as f64 * 1e9 + now.tv_nsec() as f64
}
