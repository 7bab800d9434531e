//! One call of a check: set-up, answer, speech measured at both ears, release.

use std::time::{Duration, Instant};

use ipdect_portable::CallState;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::calls_client::CallsClient;
use tokio::time::sleep;

use super::report::{Call, Ear, Failure, ms, tenths};
use super::steps::wait;
use crate::client::Session;
use crate::host::ear::Recording;
use crate::host::sound::Speech;
use crate::host::{Host, Known, keys};

/// How long both speak.
const TALK: Duration = Duration::from_secs(3);
/// Level of the tones, dBm0.
const SAID_DBM0: f64 = -10.0;
/// What is heard first is not measured: codecs and playout settle.
const SETTLE: Duration = Duration::from_millis(150);
/// Before both speak the last of ring-back fades in the playout buffers.
const QUIET: Duration = Duration::from_millis(250);
/// Longest wait for the figures of a call that is over.
const LISTED: Duration = Duration::from_secs(2);
/// How often they are asked for.
const ASK: Duration = Duration::from_millis(50);
/// Longest wait for one step.
const STEP: Duration = Duration::from_secs(6);

/// Who calls whom, and who hangs up.
pub(super) struct Line<'a> {
    pub(super) host: &'a Host,
    pub(super) session: &'a Session,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) released_by: usize,
}

/// The tone that one side says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken {
    pub(super) hz: f64,
}

impl Spoken {
    fn speech(self) -> Speech {
        Speech::Tone {
            hz: self.hz,
            level_dbm0: SAID_DBM0,
        }
    }
}

impl Line<'_> {
    fn known(&self, index: usize) -> &Known {
        &self.host.known()[index]
    }

    fn name(&self) -> String {
        let (from, to) = (self.known(self.from), self.known(self.to));
        format!("{} to {}", from.number, to.number)
    }

    async fn press(&self, index: usize, text: &str, speech: Option<Speech>) -> Result<(), Failure> {
        let keys = keys::parse(text).map_err(|error| self.failed("keys", &error.to_string()))?;
        self.host
            .press(index, keys, speech)
            .await
            .map_err(|error| self.failed("portables", &error.to_string()))
    }

    /// Waits for a state of a portable's call.
    async fn until(
        &self,
        check: &str,
        index: usize,
        wanted: impl Fn(&CallState) -> bool,
    ) -> Result<(), Failure> {
        let known = self.known(index);
        match wait(known, STEP, |view| wanted(&view.status.call)).await {
            Some(_) => Ok(()),
            None => {
                let view = known.view.borrow();
                let shown = view.status.display.join(" ");
                let got = format!(
                    "{} is {} and shows {:?}",
                    known.number,
                    view.status.call,
                    shown.trim()
                );
                Err(self.failed(check, &got))
            }
        }
    }

    fn failed(&self, check: &str, got: &str) -> Failure {
        Failure::new(check, &self.name(), "done", got)
    }
}

/// Calls, has both sides speak, measures, hangs up.
///
/// # Errors
/// The step that failed.
pub(super) async fn call(line: &Line<'_>, caller: Spoken, called: Spoken) -> Result<Call, Failure> {
    let (from, to) = (line.known(line.from), line.known(line.to));
    let mut call = Call {
        from: from.number.clone(),
        to: to.number.clone(),
        released_by: line.known(line.released_by).number.clone(),
        ..Call::default()
    };
    let begun = Instant::now();
    line.press(
        line.from,
        &format!("{}#(", to.number),
        Some(Speech::Silence),
    )
    .await?;
    line.until("ringing", line.to, |state| {
        matches!(state, CallState::Ringing { .. })
    })
    .await?;
    call.setup_ms = ms(begun.elapsed());

    let begun = Instant::now();
    line.press(line.to, "(", Some(Speech::Silence)).await?;
    for index in [line.to, line.from] {
        line.until("answered", index, |state| *state == CallState::Connected)
            .await?;
    }
    call.answer_ms = ms(begun.elapsed());

    sleep(QUIET).await;
    let talk = talk(line, caller, called).await?;
    call.talk_ms = ms(TALK);
    call.ears = vec![
        ear(to, caller, &talk.at_called, talk.begun),
        ear(from, called, &talk.at_caller, talk.begun),
    ];

    let begun = Instant::now();
    line.press(line.released_by, ")", Some(Speech::Silence))
        .await?;
    for index in [line.from, line.to] {
        line.until("released", index, |state| *state == CallState::Idle)
            .await?;
    }
    call.release_ms = ms(begun.elapsed());
    describe(line, &mut call).await?;
    one_conversation(line).await?;
    Ok(call)
}

struct Talk {
    begun: Instant,
    at_caller: Recording,
    at_called: Recording,
}

/// Both speak at once.
async fn talk(line: &Line<'_>, caller: Spoken, called: Spoken) -> Result<Talk, Failure> {
    let gone = |error: crate::host::Ended| line.failed("portables", &error.to_string());
    for index in [line.from, line.to] {
        line.host.record(index).await.map_err(gone)?;
    }
    let begun = Instant::now();
    line.press(line.from, "", Some(caller.speech())).await?;
    line.press(line.to, "", Some(called.speech())).await?;
    sleep(TALK).await;
    Ok(Talk {
        begun,
        at_caller: line.host.recorded(line.from).await.map_err(gone)?,
        at_called: line.host.recorded(line.to).await.map_err(gone)?,
    })
}

fn ear(at: &Known, said: Spoken, heard: &Recording, begun: Instant) -> Ear {
    let onset = heard.onset(begun);
    let tone = heard.tone(onset.unwrap_or(begun) + SETTLE, TALK);
    let (frames, lost, concealed) = heard.frames();
    Ear {
        at: at.number.clone(),
        sent_hz: said.hz,
        heard_hz: tone.map_or(0.0, |tone| tenths(tone.frequency_hz)),
        sent_dbm0: SAID_DBM0,
        heard_dbm0: tone.map_or(-100.0, |tone| tenths(tone.level_dbm0)),
        snr_db: tone.map_or(0.0, |tone| tenths(tone.snr_db)),
        delay_ms: onset.map(|onset| ms(onset.saturating_duration_since(begun))),
        frames,
        lost,
        concealed,
    }
}

/// Waits for what the system says of the caller's call that has ended: codecs and encryption.
async fn describe(line: &Line<'_>, call: &mut Call) -> Result<(), Failure> {
    let end = Instant::now() + LISTED;
    loop {
        for leg in latest(line, line.from).await?.legs {
            match leg.kind.as_str() {
                "base" => call.base_codec = leg.codec,
                "sip" => (call.sip_codec, call.srtp) = (leg.codec, leg.srtp_suite),
                _ => {}
            }
        }
        let complete = !call.base_codec.is_empty() && !call.sip_codec.is_empty();
        if complete || Instant::now() >= end {
            return Ok(());
        }
        sleep(ASK).await;
    }
}

/// The system tells that both calls are ends of one conversation.
async fn one_conversation(line: &Line<'_>) -> Result<(), Failure> {
    let (caller, called) = (latest(line, line.from).await?, latest(line, line.to).await?);
    let joined = caller.other_ends == [called.call_ref.as_str()]
        && called.other_ends == [caller.call_ref.as_str()];
    match joined {
        true => Ok(()),
        false => Err(line.failed(
            "one conversation",
            "two calls that know nothing of each other",
        )),
    }
}

/// The latest call of a portable.
async fn latest(line: &Line<'_>, index: usize) -> Result<admin::Call, Failure> {
    let request = admin::ListCallsRequest {
        ended: true,
        ipei: line.known(index).ipei.digits(),
        limit: 1,
    };
    let listed = CallsClient::new(line.session.channel())
        .list(line.session.request(request))
        .await
        .map_err(|status| line.failed("call list", status.message()))?;
    let call = listed.into_inner().calls.into_iter().next();
    call.ok_or_else(|| line.failed("call list", "the call is not listed"))
}
