//! What is in use, as the probes' `/metrics` tells.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::report::Left;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// Measurements at one moment, in Prometheus' text form.
pub(super) struct Scrape(String);

impl Scrape {
    /// Asks the probes.
    ///
    /// # Errors
    /// What went wrong.
    pub(super) async fn take(at: SocketAddr) -> Result<Self, String> {
        let ask = async {
            let mut stream = TcpStream::connect(at).await?;
            let request = format!("GET /metrics HTTP/1.1\r\nHost: {at}\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = tokio::time::timeout(PATIENCE, ask)
            .await
            .map_err(|_| format!("{at}: no answer"))?
            .map_err(|error| format!("{at}: {error}"))?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(Self(body.to_owned())),
            _ => Err(format!(
                "{at}: {}",
                answer.lines().next().unwrap_or_default()
            )),
        }
    }

    /// Sum of a measurement over all its labels; `None` if it is not told.
    fn sum(&self, name: &str) -> Option<u64> {
        let mut found = None;
        for line in self.0.lines() {
            let Some(rest) = line.strip_prefix(name) else {
                continue;
            };
            if !rest.starts_with(['{', ' ']) {
                continue;
            }
            let value = rest.rsplit(' ').next().and_then(|v| v.parse::<f64>().ok());
            *found.get_or_insert(0) += value.unwrap_or_default() as u64;
        }
        found
    }

    /// Pairs of ports that are not in use.
    pub(super) fn ports_free(&self) -> u64 {
        self.sum("ipdect_media_ports_free").unwrap_or_default()
    }

    /// What is in use; so many pairs of ports were free at first.
    fn left(&self, ports_free: u64) -> Left {
        let sum = |name| self.sum(name).unwrap_or_default();
        let (known, held) = (sum("ipdect_media_sessions"), sum("ipdect_media_calls"));
        Left {
            bearers: sum("ipdect_base_bearers_busy"),
            connections: sum("ipdect_radio_connections"),
            sessions: known.max(held),
            rtp_ports: 2 * ports_free.saturating_sub(self.ports_free()),
            dialogs: sum("ipdect_sip_dialogs"),
        }
    }
}

/// Waits until nothing is in use any more; gives what still is when the time is over.
///
/// # Errors
/// Why the probes cannot be asked.
pub(super) async fn settle(
    at: SocketAddr,
    ports_free: u64,
    within: Duration,
) -> Result<Left, String> {
    let end = Instant::now() + within;
    loop {
        let left = Scrape::take(at).await?.left(ports_free);
        if left.is_nothing() || Instant::now() >= end {
            return Ok(left);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_summed_over_their_labels() {
        let text = "# HELP ipdect_base_bearers_busy Bearers.\n# TYPE ipdect_base_bearers_busy gauge\n\
            ipdect_base_bearers_busy{use=\"speech\"} 2\nipdect_base_bearers_busy{use=\"signalling\"} 1\n\
            ipdect_media_ports_free 4094\nipdect_media_sessions 1\nipdect_media_calls{kind=\"transcode\"} 2\n\
            ipdect_sip_dialogs_of_others 7\n";
        let left = Scrape(text.to_owned()).left(4096);
        let expected = Left {
            bearers: 3,
            connections: 0,
            sessions: 2,
            rtp_ports: 4,
            dialogs: 0,
        };
        assert_eq!(left, expected);
    }
}
