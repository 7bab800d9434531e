//! Runs criterion, keeps the figures, and closes with a table.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use criterion::Criterion;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::allocator::counted;

/// Samples of each figure; the figure is their median.
const SAMPLES: usize = 30;
/// Inputs made ahead of time, where a routine uses its input up.
const BATCH: u64 = 64;

/// What was measured of one thing.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    /// Nanoseconds each time.
    pub(crate) ns: f64,
    /// Allocations each time; not known of peers in C.
    pub(crate) allocations: Option<f64>,
}

struct Row {
    what: String,
    ours: String,
    allocations: String,
    peer: String,
    theirs: String,
    their_allocations: String,
    ratio: String,
    note: String,
}

/// All benches of this run.
pub(crate) struct Bench {
    criterion: Criterion,
    rows: Vec<Row>,
    notes: Vec<String>,
    load: String,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let criterion = Criterion::default()
            .sample_size(SAMPLES)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3))
            .configure_from_args();
        Bench {
            criterion,
            rows: Vec::new(),
            notes: Vec::new(),
            load: load(),
        }
    }

    /// Whether figures are wanted: not when the benches are only tried.
    pub(crate) fn is_measuring() -> bool {
        std::env::args().any(|argument| argument == "--bench")
    }

    /// Whether a bench that criterion does not run was chosen on the command line.
    pub(crate) fn chose(&self, id: &str) -> bool {
        let mut words = std::env::args()
            .skip(1)
            .filter(|word| !word.starts_with('-'))
            .peekable();
        words.peek().is_none() || words.any(|word| id.contains(&word))
    }

    /// Measures a routine, dropping its output included; `None` if it was not chosen on the command line.
    pub(crate) fn each<O>(&mut self, id: &str, mut routine: impl FnMut() -> O) -> Option<Figure> {
        let ns = self.sampled(id, |times| {
            let begin = cpu_time();
            for _ in 0..times {
                drop(black_box(routine()));
            }
            cpu_time() - begin
        })?;
        let (_, counted) = counted(|| (0..BATCH).for_each(|_| drop(black_box(routine()))));
        Some(Figure {
            ns,
            allocations: Some(counted.calls as f64 / BATCH as f64),
        })
    }

    /// Measures a routine that uses an input up. Neither making the input nor dropping the output counts.
    pub(crate) fn batched<I, O>(
        &mut self,
        id: &str,
        mut input: impl FnMut() -> I,
        mut routine: impl FnMut(I) -> O,
    ) -> Option<Figure> {
        let ns = self.sampled(id, |times| {
            let mut spent = Duration::ZERO;
            let mut left = times;
            while left > 0 {
                let inputs: Vec<I> = (0..left.min(BATCH)).map(|_| input()).collect();
                left -= inputs.len() as u64;
                let mut outputs = Vec::with_capacity(inputs.len());
                let begin = cpu_time();
                outputs.extend(
                    inputs
                        .into_iter()
                        .map(|input| black_box(routine(black_box(input)))),
                );
                spent += cpu_time() - begin;
            }
            spent
        })?;
        let mut once = || {
            let input = input();
            counted(|| routine(input)).1.calls
        };
        let calls: u64 = (0..BATCH).map(|_| once()).sum();
        Some(Figure {
            ns,
            allocations: Some(calls as f64 / BATCH as f64),
        })
    }

    /// Has criterion sample something that answers how long so many rounds took; the median of a round, nanoseconds.
    fn sampled(&mut self, id: &str, mut rounds: impl FnMut(u64) -> Duration) -> Option<f64> {
        let samples = RefCell::new(Vec::new());
        self.criterion.bench_function(id, |bencher| {
            bencher.iter_custom(|times| {
                let spent = rounds(times);
                samples
                    .borrow_mut()
                    .push(spent.as_nanos() as f64 / times as f64);
                spent
            });
        });
        // The samples before the last ones are of the warm-up.
        let mut samples = samples.into_inner();
        let from = samples.len().saturating_sub(SAMPLES);
        let samples = samples
            .get_mut(from..)
            .filter(|samples| !samples.is_empty())?;
        samples.sort_by(f64::total_cmp);
        Some(samples[samples.len() / 2])
    }

    /// Adds a line for what has no peer.
    pub(crate) fn alone(
        &mut self,
        what: &str,
        ours: Option<Figure>,
        note: impl Fn(Figure) -> String,
    ) {
        if let Some(ours) = ours {
            self.row(what, ours, None, note(ours));
        }
    }

    /// Adds a line with a peer measured in the same run, if both were.
    pub(crate) fn beside(
        &mut self,
        what: &str,
        ours: Option<Figure>,
        peer: &str,
        theirs: Option<Figure>,
    ) {
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            self.row(what, ours, Some((peer, theirs)), String::new());
        }
    }

    /// Adds a line with a peer, or one without it and a note that says why it is not there.
    pub(crate) fn beside_or_note(
        &mut self,
        what: &str,
        ours: Option<Figure>,
        peer: &str,
        theirs: Result<Figure, String>,
    ) {
        match theirs {
            Ok(theirs) => self.beside(what, ours, peer, Some(theirs)),
            Err(why) if ours.is_some() => {
                if !self.rows.iter().any(|row| row.what == what) {
                    self.alone(what, ours, |_| String::new());
                }
                self.note(format!("{what}: no {peer} beside it ({why})"));
            }
            Err(_) => {}
        }
    }

    fn row(&mut self, what: &str, ours: Figure, peer: Option<(&str, Figure)>, note: String) {
        let theirs = peer.map(|(_, figure)| figure);
        self.rows.push(Row {
            what: what.into(),
            ours: time(ours.ns),
            allocations: allocations(Some(ours)),
            peer: peer.map_or("-", |(name, _)| name).into(),
            theirs: theirs.map_or("-".into(), |figure| time(figure.ns)),
            their_allocations: allocations(theirs),
            ratio: theirs.map_or("-".into(), |figure| format!("{:.2}", ours.ns / figure.ns)),
            note,
        });
    }

    /// Adds a line that is no time.
    pub(crate) fn amount(&mut self, what: &str, ours: String, note: String) {
        let none = || String::from("-");
        self.rows.push(Row {
            what: what.into(),
            ours,
            allocations: none(),
            peer: none(),
            theirs: none(),
            their_allocations: none(),
            ratio: none(),
            note,
        });
    }

    /// Says something below the table, such as which peer was not there.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Prints the table.
    pub(crate) fn finish(self) {
        self.criterion.final_summary();
        if self.rows.is_empty() || !Bench::is_measuring() {
            return;
        }
        let cells = |r: &Row| {
            [
                &r.what,
                &r.ours,
                &r.allocations,
                &r.peer,
                &r.theirs,
                &r.their_allocations,
                &r.ratio,
                &r.note,
            ]
            .map(String::clone)
        };
        let heads = [
            "what", "ours", "allocs", "peer", "peer's", "allocs", "ratio", "",
        ]
        .map(String::from);
        let lines: Vec<[String; 8]> = std::iter::once(heads)
            .chain(self.rows.iter().map(cells))
            .collect();
        let width = |column: usize| {
            lines
                .iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        println!(
            "\nratio = ours / peer's of the same run; below 1 is faster. Medians, processor time; README.md says of what.\n"
        );
        for line in &lines {
            let padded = line.iter().enumerate().map(|(column, cell)| match column {
                0 | 3 | 7 => format!("{cell:<width$}", width = width(column)),
                _ => format!("{cell:>width$}", width = width(column)),
            });
            println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
        }
        println!();
        self.notes.iter().for_each(|note| println!("{note}"));
        println!(
            "load average {} before, {} after; {}",
            self.load,
            load(),
            processor()
        );
    }
}

/// Time that this thread has had a processor: others on the machine do not count.
pub(crate) fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("a clock that Linux has")
        .into()
}

/// Time that a process has had processors, all of its threads, what the system did for it included.
pub(crate) fn cpu_time_of(process: Pid) -> Result<Duration> {
    Ok(clock_gettime(clock_getcpuclockid(process)?)?.into())
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1000.0 => format!("{ns:.0} ns"),
        ns => format!("{:.2} us", ns / 1000.0),
    }
}

fn allocations(figure: Option<Figure>) -> String {
    figure
        .and_then(|figure| figure.allocations)
        .map_or("-".into(), |count| format!("{count:.0}"))
}

fn load() -> String {
    let all = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    all.split(' ')
        .next()
        .filter(|load| !load.is_empty())
        .unwrap_or("unknown")
        .into()
}

fn processor() -> String {
    let all = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = all.lines().find_map(|line| {
        line.strip_prefix("model name")?
            .split_once(": ")
            .map(|(_, name)| name.to_string())
    });
    name.unwrap_or_else(|| "processor unknown".into())
}
