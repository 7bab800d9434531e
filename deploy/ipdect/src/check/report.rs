//! The line that a check prints: every figure, and what is wrong with them. Source: contracts 15.

use std::fmt;
use std::time::Duration;

use ipdect_link::release::Release;
use serde::Serialize;

use crate::up::Times;

/// Widest difference between the frequency said and heard, Hz.
const FREQUENCY_HZ: f64 = 5.0;
/// Widest difference between the level said and heard, dB.
const LEVEL_DB: f64 = 3.0;
/// Least ratio of signal to noise, dB.
const SNR_DB: f64 = 20.0;
/// One frame in so many may be lost.
const LOST_ONE_IN: u64 = 100;

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) ok: bool,
    pub(crate) release: String,
    pub(crate) version: &'static str,
    pub(crate) took_ms: u64,
    pub(crate) start: Start,
    pub(crate) admin: Admin,
    pub(crate) handsets: Vec<Handset>,
    pub(crate) calls: Vec<Call>,
    pub(crate) left: Option<Left>,
    pub(crate) failures: Vec<Failure>,
}

/// How long the parts took to be ready.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Start {
    pub(crate) ready_ms: u64,
    pub(crate) server_ms: u64,
    pub(crate) media_ms: u64,
    pub(crate) base_ms: u64,
    pub(crate) admin_ms: u64,
}

/// The first login.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Admin {
    pub(crate) refused_before_change: bool,
    pub(crate) login_ms: u64,
}

/// One handset; times are absent for what did not happen.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Handset {
    pub(crate) number: String,
    pub(crate) ipei: String,
    pub(crate) rpn: Option<u8>,
    pub(crate) subscribed_ms: Option<u64>,
    pub(crate) located_ms: Option<u64>,
    pub(crate) registered_ms: Option<u64>,
}

/// One call.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Call {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) setup_ms: u64,
    pub(crate) answer_ms: u64,
    pub(crate) talk_ms: u64,
    pub(crate) released_by: String,
    pub(crate) release_ms: u64,
    pub(crate) base_codec: String,
    pub(crate) sip_codec: String,
    pub(crate) srtp: String,
    pub(crate) ears: Vec<Ear>,
}

/// What was said to one ear, and what it heard.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Ear {
    pub(crate) at: String,
    pub(crate) sent_hz: f64,
    pub(crate) heard_hz: f64,
    pub(crate) sent_dbm0: f64,
    pub(crate) heard_dbm0: f64,
    pub(crate) snr_db: f64,
    pub(crate) delay_ms: Option<u64>,
    pub(crate) frames: u64,
    pub(crate) lost: u64,
    pub(crate) concealed: u64,
}

/// What is in use when all calls are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Left {
    pub(crate) bearers: u64,
    pub(crate) connections: u64,
    pub(crate) sessions: u64,
    pub(crate) rtp_ports: u64,
    pub(crate) dialogs: u64,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    pub(crate) check: String,
    #[serde(rename = "where")]
    pub(crate) place: String,
    pub(crate) wanted: String,
    pub(crate) got: String,
}

impl Failure {
    pub(crate) fn new(check: &str, place: &str, wanted: &str, got: &str) -> Self {
        Self {
            check: check.into(),
            place: place.into(),
            wanted: wanted.into(),
            got: got.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            check,
            place,
            wanted,
            got,
        } = self;
        write!(f, "{check} at {place}: wanted {wanted}, got {got}")
    }
}

impl Left {
    /// The figures by their names.
    pub(crate) fn each(&self) -> [(&'static str, u64); 5] {
        [
            ("bearers", self.bearers),
            ("connections", self.connections),
            ("sessions", self.sessions),
            ("rtp_ports", self.rtp_ports),
            ("dialogs", self.dialogs),
        ]
    }

    /// Whether nothing is in use.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            ok: false,
            release: Release::ours().to_string(),
            version: env!("CARGO_PKG_VERSION"),
            took_ms: 0,
            start: Start::default(),
            admin: Admin::default(),
            handsets: Vec::new(),
            calls: Vec::new(),
            left: None,
            failures: Vec::new(),
        }
    }

    pub(crate) fn started(&mut self, times: &Times) {
        self.start = Start {
            ready_ms: ms(times.ready),
            server_ms: ms(times.server),
            media_ms: ms(times.media),
            base_ms: ms(times.base),
            admin_ms: ms(times.admin),
        };
    }

    /// Judges the figures; times are told, never judged.
    pub(crate) fn finish(&mut self, took: Duration) {
        self.took_ms = ms(took);
        for call in &self.calls {
            for ear in &call.ears {
                let place = format!("{} in the call {} to {}", ear.at, call.from, call.to);
                self.failures.extend(judge(ear, &place));
            }
        }
        if let Some(left) = self.left {
            let left = left.each().into_iter().filter(|(_, count)| *count != 0);
            let failure =
                |(name, count): (&str, u64)| Failure::new("left", name, "0", &count.to_string());
            self.failures.extend(left.map(failure));
        }
        self.ok = self.failures.is_empty();
    }

    /// The line.
    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).expect("numbers, texts and lists only")
    }
}

fn judge(ear: &Ear, place: &str) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut must = |holds: bool, check: &str, wanted: String, got: String| {
        if !holds {
            failures.push(Failure::new(check, place, &wanted, &got));
        }
    };
    must(
        (ear.heard_hz - ear.sent_hz).abs() <= FREQUENCY_HZ,
        "frequency",
        format!("{} Hz +- {FREQUENCY_HZ}", ear.sent_hz),
        format!("{} Hz", ear.heard_hz),
    );
    must(
        (ear.heard_dbm0 - ear.sent_dbm0).abs() <= LEVEL_DB,
        "level",
        format!("{} dBm0 +- {LEVEL_DB}", ear.sent_dbm0),
        format!("{} dBm0", ear.heard_dbm0),
    );
    must(
        ear.snr_db >= SNR_DB,
        "snr",
        format!("{SNR_DB} dB or more"),
        format!("{} dB", ear.snr_db),
    );
    must(
        ear.frames > 0 && ear.lost * LOST_ONE_IN <= ear.frames,
        "lost",
        format!("at most one frame in {LOST_ONE_IN}"),
        format!("{} of {}", ear.lost, ear.frames),
    );
    failures
}

/// Whole milliseconds.
pub(crate) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One decimal.
pub(crate) fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ear() -> Ear {
        Ear {
            at: "1002".into(),
            sent_hz: 1000.0,
            heard_hz: 1000.1,
            sent_dbm0: -10.0,
            heard_dbm0: -10.3,
            snr_db: 31.2,
            delay_ms: Some(58),
            frames: 300,
            lost: 3,
            concealed: 0,
        }
    }

    fn finished(ear: Ear, left: Left) -> Report {
        let mut report = Report::new();
        report.calls.push(Call {
            from: "1001".into(),
            to: "1002".into(),
            ears: vec![ear],
            ..Call::default()
        });
        report.left = Some(left);
        report.finish(Duration::from_millis(11_840));
        report
    }

    #[test]
    fn the_line_has_the_members_of_the_contract_in_their_order() {
        let mut report = finished(ear(), Left::default());
        report.handsets.push(Handset {
            number: "1001".into(),
            ..Handset::default()
        });
        let members = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let line = report.line();
        assert!(
            line.starts_with("{\"ok\":true,\"release\":\"PCS16_\",\"version\":"),
            "{line}"
        );
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let sorted = |names: &str| {
            let mut names: Vec<String> = names.split(' ').map(String::from).collect();
            names.sort();
            names
        };
        let has = |value: &serde_json::Value, names: &str| {
            let mut found = members(value);
            found.sort();
            assert_eq!(found, sorted(names));
        };
        has(
            &value,
            "ok release version took_ms start admin handsets calls left failures",
        );
        has(
            &value["start"],
            "ready_ms server_ms media_ms base_ms admin_ms",
        );
        has(&value["admin"], "refused_before_change login_ms");
        has(
            &value["handsets"][0],
            "number ipei rpn subscribed_ms located_ms registered_ms",
        );
        has(
            &value["calls"][0],
            "from to setup_ms answer_ms talk_ms released_by release_ms base_codec sip_codec srtp ears",
        );
        has(
            &value["calls"][0]["ears"][0],
            "at sent_hz heard_hz sent_dbm0 heard_dbm0 snr_db delay_ms frames lost concealed",
        );
        has(
            &value["left"],
            "bearers connections sessions rtp_ports dialogs",
        );
        assert_eq!(value["took_ms"], 11_840);
    }

    #[test]
    fn each_figure_out_of_bounds_is_a_failure() {
        let bad = Ear {
            heard_hz: 1005.1,
            heard_dbm0: -13.1,
            snr_db: 19.9,
            lost: 4,
            ..ear()
        };
        let left = Left {
            bearers: 1,
            ..Left::default()
        };
        let report = finished(bad, left);
        let checks: Vec<_> = report.failures.iter().map(|f| f.check.as_str()).collect();
        assert_eq!(checks, ["frequency", "level", "snr", "lost", "left"]);
        assert!(!report.ok);
        let failure = serde_json::to_value(&report.failures[4]).unwrap();
        assert_eq!(
            failure,
            serde_json::json!({"check":"left","where":"bearers","wanted":"0","got":"1"})
        );
    }

    #[test]
    fn an_ear_that_heard_nothing_fails() {
        let deaf = Ear {
            at: "1001".into(),
            sent_hz: 700.0,
            sent_dbm0: -10.0,
            heard_dbm0: -100.0,
            ..Ear::default()
        };
        assert_eq!(finished(deaf, Left::default()).failures.len(), 4);
    }
}
