//! `ipdect handset`: virtual handsets near any base station.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipdect_dect::identity::Ipei;
use ipdect_dect::security::AccessCode;
use ipdect_node::config::HostPort;
use ipdect_node::health::{Probes, serve};
use ipdect_node::shutdown::Signals;
use ipdect_node::{Metrics, Random, StartError};
use ipdect_portable::{CallState, Config};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::host::attach::{Door, attach};
use crate::host::memory::Shelf;
use crate::host::sound::{Hearing, Speech};
use crate::host::{Ended, Host, Setup, View, keys};
use crate::up::resolve;

/// Samples of a live source that are passed on at a time: 20 ms.
const LIVE: usize = 160;

/// Options of `ipdect handset`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Base station, host:port of its virtual air; several for several bases.
    #[arg(long, value_name = "HOST:PORT", required = true)]
    air: Vec<HostPort>,
    /// Identity, such as "65535 0000001 3"; several for several handsets.
    #[arg(long, required = true)]
    ipei: Vec<Ipei>,
    /// Access code for the subscription; one for all, or one for each.
    #[arg(long, default_value = "", value_parser = code)]
    code: Vec<String>,
    /// What they say: silence, tone:1000, tone:1000@-20, wav:FILE, or - for PCM on standard input.
    #[arg(long, default_value = "silence")]
    speak: Speech,
    /// Where what the first one hears goes: wav:FILE, or - for PCM on standard output.
    #[arg(long)]
    hear: Option<Hearing>,
    /// The first one calls this number once it is located.
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    dial: Option<String>,
    /// Answer calls by itself, after 0.3 s of ringing.
    #[arg(long)]
    answer: Option<Answer>,
    /// They make call progress tones themselves.
    #[arg(long)]
    local_tones: bool,
    /// Folder of what they remember; without it they subscribe at each start.
    #[arg(long, value_name = "DIR")]
    memory: Option<PathBuf>,
    /// Where they stand, in metres: x,y,z.
    #[arg(long, value_name = "X,Y,Z", value_parser = place, default_value = "1,0,1")]
    position: [f64; 3],
    /// End after so many seconds.
    #[arg(long)]
    secs: Option<u64>,
    /// Serve /livez, /readyz (all located), /startupz and /metrics here, such as 127.0.0.1:7474.
    #[arg(long, value_name = "ADDRESS:PORT")]
    probe: Option<SocketAddr>,
    /// Admin API to be shown at, host:port; needs --pki.
    #[arg(long, value_name = "HOST:PORT", requires = "pki")]
    attach: Option<String>,
    /// Folder of a host certificate: ca.pem, node.pem, node.key.
    #[arg(long, value_name = "DIR")]
    pki: Option<PathBuf>,
}

/// How calls are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Answer {
    Auto,
}

fn code(text: &str) -> Result<String, String> {
    text.parse::<AccessCode>()
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

fn number(text: &str) -> Result<String, String> {
    let keys = keys::parse(text).map_err(|error| error.to_string())?;
    let digits = keys
        .iter()
        .all(|key| matches!(key, ipdect_portable::Key::Digit(_)));
    match digits && !keys.is_empty() {
        true => Ok(text.to_owned()),
        false => Err("a number has digits, * and # only".to_owned()),
    }
}

fn place(text: &str) -> Result<[f64; 3], String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    let wrong = || "three numbers are wanted, such as 1,0,1.5".to_owned();
    numbers
        .map_err(|_| wrong())?
        .try_into()
        .ok()
        .filter(|metres: &[f64; 3]| metres.iter().all(|metre| metre.is_finite()))
        .ok_or_else(wrong)
}

/// Runs the handsets until they are asked to end, or their time is over.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn run(options: Options, random: Random) -> Result<(), StartError> {
    let mut signals = Signals::listen().map_err(|error| StartError::Other {
        what: format!("signals cannot be taken: {error}"),
        remedy: "see the system's limits".into(),
    })?;
    let mut bases: Vec<SocketAddr> = Vec::new();
    for air in &options.air {
        bases.push(resolve(air).await?);
    }
    let shelf = options.memory.as_deref().map(Shelf::open).transpose()?;
    let setups = setups(&options, shelf.as_ref())?;
    let host = Host::start(setups, &bases, shelf, &random).await?;
    let _probes = match options.probe {
        Some(listen) => Some(serve(listen, probes(&host)).await?),
        None => None,
    };
    let attached = match (&options.attach, &options.pki) {
        (Some(address), Some(pki)) => {
            let door = Door::new(address, pki, "host")?;
            Some(tokio::spawn(attach(host.clone(), door, random.clone())))
        }
        _ => None,
    };
    let work = async {
        let lives = tokio::spawn(live(host.clone(), options.clone()));
        let mut tell = tokio::task::JoinSet::new();
        for index in 0..host.known().len() {
            tell.spawn(show(host.clone(), index));
            begin(&host, index, &options).await?;
        }
        match options.secs {
            Some(secs) => tokio::time::sleep(Duration::from_secs(secs)).await,
            None => std::future::pending().await,
        }
        lives.abort();
        Ok::<(), Ended>(())
    };
    tokio::select! {
        _ = work => {}
        _ = signals.next() => {}
    }
    if let Some(attached) = attached {
        attached.abort();
    }
    tokio::select! {
        () = host.end() => {}
        _ = signals.next() => {}
    }
    Ok(())
}

/// Ready when all handsets are located.
fn probes(host: &Host) -> Probes {
    let host = host.clone();
    Probes::new(Metrics::new(&[]), move || {
        let waiting = host
            .known()
            .iter()
            .filter(|k| !k.view.borrow().status.located);
        waiting
            .map(|known| format!("{} is not located", known.ipei))
            .collect()
    })
}

fn setups(options: &Options, shelf: Option<&Shelf>) -> Result<Vec<Setup>, StartError> {
    let codes = &options.code;
    if codes.len() > 1 && codes.len() != options.ipei.len() {
        return Err(StartError::Other {
            what: format!("{} codes for {} handsets", codes.len(), options.ipei.len()),
            remedy: "give one --code for all, or one for each".into(),
        });
    }
    let setup = |(n, ipei): (usize, &Ipei)| {
        let kept = shelf
            .map(|shelf| shelf.read(*ipei))
            .transpose()?
            .unwrap_or_default();
        let given = codes
            .get(n)
            .or(codes.first())
            .filter(|code| !code.is_empty());
        let access_code = given.cloned().unwrap_or(kept.access_code);
        let code: AccessCode = access_code.parse().map_err(|error| StartError::Other {
            what: format!("access code: {error}"),
            remedy: "give up to 8 digits with --code".into(),
        })?;
        let mut config = Config::new(*ipei, code);
        config.local_tones = options.local_tones;
        config.position_m = options.position;
        config.position_m[0] += n as f64 * 0.5;
        Ok(Setup {
            config,
            number: kept.number,
            memory: kept.subscription,
            speech: options.speak.clone(),
            hearing: options.hear.clone().filter(|_| n == 0),
            answers: options.answer.is_some(),
            access_code,
        })
    };
    options.ipei.iter().enumerate().map(setup).collect()
}

/// Subscribes if need be, and has the first handset call.
async fn begin(host: &Host, index: usize, options: &Options) -> Result<(), Ended> {
    let mut view = host.known()[index].view.clone();
    if !view.borrow().status.subscribed {
        host.subscribe(index).await?;
    }
    let (host, dial) = (host.clone(), options.dial.clone());
    if let Some(number) = dial.filter(|_| index == 0) {
        tokio::spawn(async move {
            if view.wait_for(|view| view.status.located).await.is_ok()
                && let Ok(keys) = keys::parse(&format!("{number}#("))
            {
                // Handsets that have ended have nobody to call.
                let _ = host.press(index, keys, None).await;
            }
        });
    }
    Ok(())
}

/// Tells what a handset does on standard error, line by line.
async fn show(host: Host, index: usize) {
    let known = &host.known()[index];
    let mut view = known.view.clone();
    let mut last = String::new();
    loop {
        let line = line(&view.borrow_and_update());
        if line != last {
            eprintln!("{} {line}", known.ipei);
            last = line;
        }
        if view.changed().await.is_err() {
            return;
        }
    }
}

fn line(view: &View) -> String {
    let status = &view.status;
    let link = match (status.located, status.subscribed, &view.subscription) {
        (true, ..) => "located".to_owned(),
        (_, true, _) => "subscribed".to_owned(),
        (_, _, Some((Err(why), _))) => format!("not subscribed: {why}"),
        _ => "not subscribed".to_owned(),
    };
    let display = status.display.join(" | ");
    let line = match &status.call {
        CallState::Idle => format!("{link}, {display}"),
        call => format!("{call}, {:.0} Hz, {display}", view.ear_hz),
    };
    line.trim_end_matches([' ', ',', '|']).to_owned()
}

/// Standard input: speech if a handset speaks live, else keys, one handset a line.
async fn live(host: Host, options: Options) {
    if options.speak == Speech::Live {
        speak(host).await;
        return;
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match strokes(&line, host.known().len()) {
            Ok((index, keys)) => {
                if host.press(index, keys, None).await.is_err() {
                    return;
                }
            }
            Err(why) => eprintln!("{why}"),
        }
    }
}

/// Reads `KEYS` for the first handset, or `N:KEYS` for the N-th.
fn strokes(line: &str, handsets: usize) -> Result<(usize, Vec<ipdect_portable::Key>), String> {
    let (index, keys) = match line.split_once(':') {
        Some((n, keys)) => (n.trim().parse::<usize>().ok(), keys),
        None => (Some(1), line),
    };
    let index = index
        .and_then(|n| n.checked_sub(1))
        .filter(|index| *index < handsets)
        .ok_or_else(|| format!("{line:?}: write KEYS, or N:KEYS with N from 1 to {handsets}"))?;
    let keys = keys::parse(keys).map_err(|error| error.to_string())?;
    Ok((index, keys))
}

/// Passes PCM of standard input on, at the pace of speech: a file may be piped in as well as a microphone.
async fn speak(host: Host) {
    let (samples, mut queue) = tokio::sync::mpsc::channel(4);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut octets = [0; LIVE * 2];
        while input.read_exact(&mut octets).is_ok() {
            let frame = octets
                .chunks_exact(2)
                .map(|o| i16::from_le_bytes([o[0], o[1]]));
            if samples.blocking_send(frame.collect::<Vec<i16>>()).is_err() {
                return;
            }
        }
    });
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    while let Some(samples) = queue.recv().await {
        pace.tick().await;
        for index in 0..host.known().len() {
            if host.speak(index, samples.clone()).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_presses_keys_of_the_handset_that_it_names() {
        assert_eq!(strokes("(12", 1).unwrap().1.len(), 3);
        assert_eq!(strokes("2:)", 2).unwrap().0, 1);
        for bad in ["3:)", "0:)", "x:)", "1:a"] {
            assert!(strokes(bad, 2).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn places_and_numbers_are_checked() {
        assert_eq!(place("1, 2,3.5").unwrap(), [1.0, 2.0, 3.5]);
        assert!(place("1,2").is_err() && place("1,2,inf").is_err());
        assert!(number("*21#1002").is_ok());
        assert!(number("").is_err() && number("(1").is_err() && number("1a").is_err());
    }
}
