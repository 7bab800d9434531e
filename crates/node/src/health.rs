//! `/livez`, `/readyz`, `/startupz` and `/metrics` over plain HTTP, on a port of its own.
//!
//! Liveness asks only whether the program's loops turn, never for a peer, a disk or the store: a lost dependency must
//! not restart every program at once. Readiness and start are the program's own word. Reasons are told to callers on
//! the loopback only; others get the verdict.

use crate::error::StartError;
use crate::listen::bind_tcp;
use crate::metrics::Metrics;
use crate::running::Running;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// A loop that did not turn for this long is stuck.
pub const STUCK: Duration = Duration::from_secs(10);
const BEAT: Duration = Duration::from_secs(1);
/// Longest time for a request, and for sending its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest request head, in octets.
const HEAD: usize = 8 * 1024;
/// Most requests at a time.
const CALLERS: usize = 32;

/// Why something is not as it should be; empty when it is.
pub type Reasons = Vec<String>;

/// What the endpoint asks.
#[derive(Clone)]
pub struct Probes {
    hearts: Hearts,
    ready: Arc<dyn Fn() -> Reasons + Send + Sync>,
    started: Arc<dyn Fn() -> bool + Send + Sync>,
    metrics: Metrics,
}

impl Probes {
    /// Probes that ask this closure whether work can be done. Started means: was ready once.
    #[must_use]
    pub fn new(metrics: Metrics, ready: impl Fn() -> Reasons + Send + Sync + 'static) -> Probes {
        let ready: Arc<dyn Fn() -> Reasons + Send + Sync> = Arc::new(ready);
        let (asked, once) = (ready.clone(), std::sync::atomic::AtomicBool::new(false));
        let started = move || {
            once.load(Ordering::Relaxed) || {
                let now = asked().is_empty();
                once.fetch_or(now, Ordering::Relaxed);
                now
            }
        };
        Probes {
            hearts: Hearts::default(),
            ready,
            started: Arc::new(started),
            metrics,
        }
    }

    /// Probes of programs that run: ready when all are.
    #[must_use]
    pub fn of(metrics: Metrics, programs: Vec<Running>) -> Probes {
        Probes::new(metrics, move || {
            let reasons = |p: &Running| {
                p.not_ready()
                    .into_iter()
                    .map(|r| format!("{}: {r}", p.name()))
                    .collect::<Vec<_>>()
            };
            programs.iter().flat_map(reasons).collect()
        })
    }

    /// A heart for a loop that must turn; it beats once here.
    #[must_use]
    pub fn heart(&self, name: &'static str) -> Heart {
        self.hearts.add(name)
    }

    /// Which loops are stuck.
    #[must_use]
    pub fn stuck(&self) -> Reasons {
        self.hearts.stuck(Instant::now())
    }
}

/// The hearts of one process.
#[derive(Debug, Clone)]
struct Hearts {
    born: Instant,
    all: Arc<Mutex<Vec<Heart>>>,
}

impl Default for Hearts {
    fn default() -> Self {
        Hearts {
            born: Instant::now(),
            all: Arc::default(),
        }
    }
}

impl Hearts {
    fn add(&self, name: &'static str) -> Heart {
        let heart = Heart {
            name,
            born: self.born,
            beat_ns: Arc::default(),
        };
        heart.beat();
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(heart.clone());
        heart
    }

    fn stuck(&self, now: Instant) -> Reasons {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter(|heart| heart.age(now) > STUCK)
            .map(|heart| {
                format!(
                    "{} did not turn for {} s",
                    heart.name,
                    heart.age(now).as_secs()
                )
            })
            .collect()
    }
}

/// Shows that a loop turns: the loop calls [`Heart::beat`] once a second.
#[derive(Debug, Clone)]
pub struct Heart {
    name: &'static str,
    born: Instant,
    beat_ns: Arc<AtomicU64>,
}

impl Heart {
    /// The loop has turned.
    pub fn beat(&self) {
        let age = u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.beat_ns.store(age, Ordering::Relaxed);
    }

    /// Beats for ever; to be spawned on the loop that is watched.
    pub async fn beat_on(self) {
        let mut every = tokio::time::interval(BEAT);
        loop {
            every.tick().await;
            self.beat();
        }
    }

    fn age(&self, now: Instant) -> Duration {
        let beat = self.born + Duration::from_nanos(self.beat_ns.load(Ordering::Relaxed));
        now.saturating_duration_since(beat)
    }
}

/// The endpoint while it is served; it ends when this is dropped.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

impl Served {
    /// The bound address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Serves the probes on `probe.listen`.
///
/// # Errors
/// [`StartError::PortInUse`] or [`StartError::Bind`].
pub async fn serve(listen: SocketAddr, probes: Probes) -> Result<Served, StartError> {
    let listener = bind_tcp("probe.listen", listen).await?;
    let address = listener
        .local_addr()
        .map_err(|error| crate::listen::refused("probe.listen", listen, error))?;
    let heart = tokio::spawn(probes.heart("runtime").beat_on());
    Ok(Served {
        address,
        tasks: [heart, tokio::spawn(accept(listener, probes))],
    })
}

async fn accept(listener: TcpListener, probes: Probes) {
    let places = Arc::new(Semaphore::new(CALLERS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let probes = probes.clone();
                tokio::spawn(async move {
                    // A caller that breaks off is his own loss.
                    let _ = tokio::time::timeout(PATIENCE, converse(stream, peer, &probes)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "probe not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(mut stream: TcpStream, peer: SocketAddr, probes: &Probes) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(512);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= HEAD || stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let answer = answer(&head, peer.ip().to_canonical().is_loopback(), probes);
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

const TEXT: &str = "text/plain; charset=utf-8";
/// Prometheus' text exposition format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The whole answer to a request's head.
fn answer(head: &[u8], tell_reasons: bool, probes: &Probes) -> Vec<u8> {
    let Some((method, path)) = request_line(head) else {
        return response("400 Bad Request", TEXT, "", "bad request\n", true);
    };
    if method != "GET" && method != "HEAD" {
        return response(
            "405 Method Not Allowed",
            TEXT,
            "Allow: GET, HEAD\r\n",
            "only GET and HEAD\n",
            true,
        );
    }
    let with_body = method == "GET";
    let verdict = |reasons: Reasons, bad: &str| {
        if reasons.is_empty() {
            return response("200 OK", TEXT, "", "ok\n", with_body);
        }
        let detail = if tell_reasons {
            reasons.join("\n") + "\n"
        } else {
            String::new()
        };
        response(
            "503 Service Unavailable",
            TEXT,
            "",
            &format!("{bad}\n{detail}"),
            with_body,
        )
    };
    match path {
        "/livez" => verdict(probes.stuck(), "not alive"),
        "/readyz" => verdict((probes.ready)(), "not ready"),
        "/startupz" => verdict(
            if (probes.started)() {
                Reasons::new()
            } else {
                (probes.ready)()
            },
            "not started",
        ),
        "/metrics" => response(
            "200 OK",
            EXPOSITION,
            "",
            &probes.metrics.render(),
            with_body,
        ),
        _ => response(
            "404 Not Found",
            TEXT,
            "",
            "no such page; there are /livez /readyz /startupz /metrics\n",
            with_body,
        ),
    }
}

/// Method and path of a request, without the query.
fn request_line(head: &[u8]) -> Option<(&str, &str)> {
    let line = head.split(|octet| *octet == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.trim_end().split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let whole = head.windows(4).any(|end| end == b"\r\n\r\n");
    let known = version.starts_with("HTTP/1.") && words.next().is_none() && whole;
    known.then(|| (method, target.split('?').next().unwrap_or(target)))
}

fn response(status: &str, content_type: &str, more: &str, body: &str, with_body: bool) -> Vec<u8> {
    let length = body.len();
    let body = if with_body { body } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{more}Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(ready: &Arc<Mutex<Reasons>>) -> Probes {
        let ready = ready.clone();
        Probes::new(Metrics::new(&[]), move || ready.lock().unwrap().clone())
    }

    fn status(head: &str, probes: &Probes) -> String {
        let text = String::from_utf8(answer(head.as_bytes(), true, probes)).unwrap();
        text.lines().next().unwrap().to_owned()
    }

    #[test]
    fn a_loop_that_stands_still_for_more_than_ten_seconds_is_named() {
        let probes = probes(&Arc::default());
        let now = Instant::now();
        let _heart = probes.heart("arbiter 1");
        assert_eq!(probes.hearts.stuck(now + STUCK), Reasons::new());
        assert_eq!(
            probes.hearts.stuck(now + Duration::from_millis(12_500)),
            ["arbiter 1 did not turn for 12 s"]
        );
    }

    #[test]
    fn started_stays_true_when_readiness_goes_away() {
        let reasons = Arc::new(Mutex::new(vec!["no proxy".to_owned()]));
        let probes = probes(&reasons);
        let get = |path| status(&format!("GET {path} HTTP/1.1\r\n\r\n"), &probes);
        assert_eq!(get("/startupz"), "HTTP/1.1 503 Service Unavailable");
        reasons.lock().unwrap().clear();
        assert_eq!(get("/startupz"), "HTTP/1.1 200 OK");
        reasons.lock().unwrap().push("draining".to_owned());
        assert_eq!(get("/startupz"), "HTTP/1.1 200 OK");
        assert_eq!(get("/readyz"), "HTTP/1.1 503 Service Unavailable");
        assert_eq!(get("/livez"), "HTTP/1.1 200 OK");
    }

    #[test]
    fn reasons_are_told_on_the_loopback_only() {
        let probes = probes(&Arc::new(Mutex::new(vec!["no proxy reachable".to_owned()])));
        let body = |tell| {
            String::from_utf8(answer(b"GET /readyz HTTP/1.1\r\n\r\n", tell, &probes)).unwrap()
        };
        assert!(body(true).ends_with("\r\n\r\nnot ready\nno proxy reachable\n"));
        assert!(body(false).ends_with("\r\n\r\nnot ready\n"));
    }

    #[test]
    fn strange_requests_get_their_status() {
        let probes = probes(&Arc::default());
        for (head, wanted) in [
            ("GET /livez?x=1 HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"),
            ("GET /livez/ HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
            ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
            (
                "POST /livez HTTP/1.1\r\n\r\n",
                "HTTP/1.1 405 Method Not Allowed",
            ),
            ("GET /livez HTTP/2.0\r\n\r\n", "HTTP/1.1 400 Bad Request"),
            (
                "GET /livez HTTP/1.1\r\nHost: cut o",
                "HTTP/1.1 400 Bad Request",
            ),
            ("\r\n\r\n", "HTTP/1.1 400 Bad Request"),
            ("", "HTTP/1.1 400 Bad Request"),
        ] {
            assert_eq!(status(head, &probes), wanted, "{head:?}");
        }
        assert_eq!(
            answer(b"\xff\xfe /livez HTTP/1.1\r\n\r\n", true, &probes),
            response("400 Bad Request", TEXT, "", "bad request\n", true)
        );
    }
}
