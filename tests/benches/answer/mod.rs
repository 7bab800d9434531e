//! OPTIONS answered over UDP: what a request costs the process that answers it, system calls included.

mod kamailio;
mod ours;

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::namespace::Namespace;

use crate::bench::{Bench, Figure};
use crate::rsipstack;

/// Name of the bench on the command line.
const ID: &str = "answer/options";
/// Requests of a sample.
const REQUESTS: u32 = 4_000;
/// Samples of each figure, after one that does not count; the figure is their median.
const SAMPLES: usize = 5;
/// Requests on the way at once: enough to keep both sides busy, few enough for the buffer of any socket.
const AT_ONCE: u32 = 16;
/// When an answer is overdue: nothing is lost between two sockets of one machine.
const OVERDUE: Duration = Duration::from_secs(5);

/// With a server transaction, or without.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Kept,
    None,
}

impl State {
    /// The user that requests name, by whom the one who answers knows what is wanted.
    fn user(self) -> &'static str {
        match self {
            State::Kept => "state",
            State::None => "bare",
        }
    }

    fn line(self) -> &'static str {
        match self {
            State::Kept => "SIP: OPTIONS over UDP, a transaction each",
            State::None => "SIP: OPTIONS over UDP, no state",
        }
    }
}

/// Something that answers OPTIONS at a UDP port of this machine.
pub(crate) trait Answerer {
    /// Processor time it takes to answer so many requests and to forget their transactions.
    fn spends(&mut self, asker: &mut Asker, requests: u32) -> Result<Duration>;
}

/// Sends OPTIONS and takes the answers.
pub(crate) struct Asker {
    socket: UdpSocket,
    asked: u64,
    state: State,
}

impl Asker {
    fn new(state: State) -> Result<Asker> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(OVERDUE))?;
        Ok(Asker {
            socket,
            asked: 0,
            state,
        })
    }

    /// Has so many requests answered with 200, each once.
    pub(crate) fn asks(&mut self, port: u16, requests: u32) -> Result<()> {
        let (mut sent, mut answered) = (0, 0);
        let mut answer = [0; 4096];
        while answered < requests {
            while sent < requests && sent - answered < AT_ONCE {
                let request = self.request(port)?;
                self.socket
                    .send_to(request.as_bytes(), ("127.0.0.1", port))?;
                sent += 1;
            }
            let length = self.socket.recv(&mut answer).context("no answer came")?;
            let answer = String::from_utf8_lossy(&answer[..length]);
            ensure!(answer.starts_with("SIP/2.0 200 "), "answered: {answer}");
            answered += 1;
        }
        Ok(())
    }

    fn request(&mut self, port: u16) -> Result<String> {
        self.asked += 1;
        let (number, user) = (self.asked, self.state.user());
        let ours = self.socket.local_addr()?;
        Ok(format!(
            "OPTIONS sip:{user}@127.0.0.1:{port} SIP/2.0\r\n\
Via: SIP/2.0/UDP {ours};branch=z9hG4bK-{user}-{number};rport\r\n\
Max-Forwards: 70\r\n\
From: \"Bob Builder\" <sip:1002@example.com>;tag=a6c85cf{number}\r\n\
To: <sip:{user}@127.0.0.1:{port}>\r\n\
Call-ID: 5f2b1a7e4d-{number}@192.0.2.60\r\n\
CSeq: 314159 OPTIONS\r\n\
Contact: <sip:1002@{ours}>\r\n\
Accept: application/sdp\r\n\
Supported: replaces, timer, 100rel\r\n\
User-Agent: Example Phone 1.2.3\r\n\
Content-Length: 0\r\n\r\n"
        ))
    }
}

pub(crate) fn run(bench: &mut Bench) {
    if !bench.chose(ID) {
        return;
    }
    if Bench::is_measuring() {
        // Now, as a network without a way out cannot fetch crates; whether there is one shows below.
        drop(rsipstack::built());
    }
    for state in [State::Kept, State::None] {
        // Root has a network of its own for this, anybody else takes free ports.
        let measured = match Namespace::new() {
            Ok(namespace) => namespace.inside(|| measured(state)).expect("it was made"),
            Err(_) => measured(state),
        };
        let mut figures = measured.into_iter();
        let ours = figures.next().map(|(_, figure)| figure.expect("we answer"));
        for (peer, figure) in figures {
            bench.beside_or_note(state.line(), ours, peer, figure);
        }
    }
}

/// Ours, then the peers; or why one is missing.
fn measured(state: State) -> Vec<(&'static str, Result<Figure, String>)> {
    let mut contestants = vec![Contestant::new("ours", ours::Ours::new(state))];
    if Bench::is_measuring() {
        contestants.push(Contestant::new("kamailio", kamailio::Kamailio::start()));
        if state == State::Kept {
            contestants.push(Contestant::new(
                rsipstack::NAME,
                rsipstack::Endpoint::start(),
            ));
        }
    }
    let mut asker = Asker::new(state).expect("a socket");
    let (samples, requests) = match Bench::is_measuring() {
        true => (SAMPLES, REQUESTS),
        false => (1, AT_ONCE * 2),
    };
    // By turns, so that a busy minute of the machine falls on all.
    for _ in 0..=samples {
        for contestant in &mut contestants {
            contestant.takes_turn(&mut asker, requests);
        }
    }
    let figures = contestants
        .into_iter()
        .map(|c| (c.name, c.figure(requests)));
    figures.collect()
}

struct Contestant {
    name: &'static str,
    answerer: Result<Box<dyn Answerer>>,
    samples: Vec<Duration>,
}

impl Contestant {
    fn new(name: &'static str, made: Result<impl Answerer + 'static>) -> Contestant {
        Contestant {
            name,
            answerer: made.map(|answerer| Box::new(answerer) as _),
            samples: Vec::new(),
        }
    }

    fn takes_turn(&mut self, asker: &mut Asker, requests: u32) {
        let Ok(answerer) = &mut self.answerer else {
            return;
        };
        match answerer.spends(asker, requests) {
            Ok(spent) => self.samples.push(spent),
            Err(why) => self.answerer = Err(why),
        }
    }

    /// Median of a request, the first turn left out.
    fn figure(self, requests: u32) -> Result<Figure, String> {
        self.answerer.map_err(|why| format!("{why:#}"))?;
        let mut samples: Vec<Duration> = self.samples.into_iter().skip(1).collect();
        samples.sort();
        Ok(Figure {
            ns: samples[samples.len() / 2].as_nanos() as f64 / f64::from(requests),
            allocations: None,
        })
    }
}
