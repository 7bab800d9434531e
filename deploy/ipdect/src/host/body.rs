//! The task of all portables: it owns socket, clock and sound, and decides nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipdect_portable::speech::{FRAME_SAMPLES, Source};
use ipdect_portable::{Action, CallState, Event, Key, Portable};
use rand_core::{CryptoRng, RngCore};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::ear::{Recording, Window};
use super::memory::{Kept, Saver};
use super::sink::Sink;
use super::sound::{SoundError, Speech};
use super::{Setup, View};

/// How often levels are shown anew.
const SHOW: Duration = Duration::from_millis(200);
/// Largest datagram of the virtual air, and more.
const DATAGRAM: usize = 2048;
/// Where a datagram has the PMID that it is for; source: contracts 9.
const PMID: std::ops::Range<usize> = 21..24;
/// A portable that answers by itself rings for this long.
const ANSWER_AFTER: Duration = Duration::from_millis(300);

/// What the portables are asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Press {
        index: usize,
        keys: Vec<Key>,
        speech: Option<Speech>,
        done: oneshot::Sender<()>,
    },
    Subscribe {
        index: usize,
        done: oneshot::Sender<()>,
    },
    Record {
        index: usize,
        done: oneshot::Sender<()>,
    },
    Recorded {
        index: usize,
        done: oneshot::Sender<Recording>,
    },
    Speak {
        index: usize,
        samples: Vec<i16>,
    },
    End,
}

/// One portable and what belongs to it.
pub(super) struct Phone {
    portable: Portable,
    kept: Kept,
    answers: bool,
    answer_at: Option<Instant>,
    sink: Option<Sink>,
    window: Window,
    recording: Option<Recording>,
    view: View,
    shown: watch::Sender<View>,
}

impl Phone {
    pub(super) fn new(
        setup: Setup,
        bases: Vec<SocketAddr>,
        shown: watch::Sender<View>,
    ) -> Result<Self, SoundError> {
        let kept = setup.kept();
        let mut portable = Portable::new(setup.config, setup.memory, bases);
        portable.set_source(setup.speech.load()?);
        let sink = setup.hearing.as_ref().map(Sink::open).transpose()?;
        Ok(Self {
            portable,
            kept,
            answers: setup.answers,
            answer_at: None,
            sink,
            window: Window::default(),
            recording: None,
            view: View {
                speech: setup.speech.to_string(),
                ear_dbm0: -100.0,
                ..View::default()
            },
            shown,
        })
    }

    fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [self.portable.next_deadline(), self.answer_at];
        deadlines.into_iter().flatten().min()
    }

    /// Takes over what there is to hear.
    fn listen(&mut self, now: Instant) {
        let mut frame = [0; FRAME_SAMPLES];
        while self.portable.take_heard(&mut frame) {
            self.window.push(frame);
            if let Some(recording) = &mut self.recording {
                recording.push(now, frame);
            }
            if let Some(sink) = &self.sink {
                sink.write(frame);
            }
        }
    }

    fn show(&mut self, now: Instant) {
        self.view.status = self.portable.status(now);
        let view = &self.view;
        self.shown.send_if_modified(|shown| {
            let changed = shown != view;
            if changed {
                shown.clone_from(view);
            }
            changed
        });
    }

    fn measure(&mut self) {
        if self.view.status.call == CallState::Idle {
            self.window.clear();
        }
        let (level, hz) = self.window.measure();
        // Shown figures need no more digits; without rounding every window is a change.
        self.view.ear_dbm0 = (level * 10.0).round() / 10.0;
        self.view.ear_hz = hz.round();
    }
}

/// All portables behind one socket.
pub(super) struct Body {
    socket: UdpSocket,
    phones: Vec<Phone>,
    saver: Option<Saver>,
    rng: Box<dyn CryptoRng + Send>,
    commands: mpsc::Receiver<Command>,
    ending: bool,
}

impl Body {
    pub(super) fn new(
        socket: UdpSocket,
        phones: Vec<Phone>,
        saver: Option<Saver>,
        rng: Box<dyn CryptoRng + Send>,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            socket,
            phones,
            saver,
            rng,
            commands,
            ending: false,
        }
    }

    /// Runs until all portables are switched off.
    pub(super) async fn run(mut self) {
        // Before the first poll the socket counts as full, and the first datagrams would be lost.
        if let Err(error) = self.socket.writable().await {
            tracing::error!(%error, "the portables have no socket");
            return;
        }
        for index in 0..self.phones.len() {
            self.save(index);
            self.give(index, Event::Key(Key::PowerOn));
        }
        let mut octets = [0; DATAGRAM];
        let mut show = interval(SHOW);
        show.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !(self.ending && self.all_off()) {
            let due = self.phones.iter().filter_map(Phone::next_deadline).min();
            tokio::select! {
                biased;
                received = self.socket.recv_from(&mut octets) => match received {
                    Ok((length, from)) => self.datagram(from, &octets[..length]),
                    // Such as a port that nobody listens on: the next one may come.
                    Err(error) => tracing::debug!(%error, "datagram not received"),
                },
                () = at(due) => self.deadlines(),
                command = self.commands.recv() => self.command(command.unwrap_or(Command::End)),
                _ = show.tick() => self.show(),
            }
        }
        for phone in &mut self.phones {
            phone.show(Instant::now());
        }
    }

    fn all_off(&self) -> bool {
        let now = Instant::now();
        self.phones.iter().all(|p| !p.portable.status(now).on)
    }

    fn datagram(&mut self, from: SocketAddr, octets: &[u8]) {
        let pmid = octets
            .get(PMID)
            .map(|o| u32::from_be_bytes([0, o[0], o[1], o[2]]));
        for index in 0..self.phones.len() {
            let own = self.phones[index].portable.pmid().map(|own| own.bits());
            if pmid == Some(0) || pmid == own {
                self.give(index, Event::Datagram { from, octets });
            }
        }
    }

    fn deadlines(&mut self) {
        let now = Instant::now();
        for index in 0..self.phones.len() {
            let phone = &mut self.phones[index];
            if phone.answer_at.is_some_and(|at| now >= at) {
                phone.answer_at = None;
                self.give(index, Event::Key(Key::OffHook));
            }
            let due = self.phones[index].portable.next_deadline();
            if due.is_some_and(|at| now >= at) {
                self.give(index, Event::Deadline);
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Press {
                index,
                keys,
                speech,
                done,
            } => {
                if let Some(speech) = speech {
                    self.say(index, &speech);
                }
                for key in keys {
                    self.give(index, Event::Key(key));
                }
                let _ = done.send(());
            }
            Command::Subscribe { index, done } => {
                self.phones[index].view.subscribing = true;
                let event = Event::Subscribe {
                    park: None,
                    access_code: None,
                };
                self.give(index, event);
                let _ = done.send(());
            }
            Command::Record { index, done } => {
                let phone = &mut self.phones[index];
                let counters = phone.portable.status(Instant::now()).ear;
                phone.recording = Some(Recording::begin(counters));
                let _ = done.send(());
            }
            Command::Recorded { index, done } => {
                let phone = &mut self.phones[index];
                let mut recording = phone.recording.take().unwrap_or_default();
                recording.to = phone.portable.status(Instant::now()).ear;
                let _ = done.send(recording);
            }
            Command::Speak { index, samples } => self.phones[index].portable.speak(&samples),
            Command::End => {
                self.ending = true;
                for index in 0..self.phones.len() {
                    self.give(index, Event::Key(Key::PowerOff));
                }
            }
        }
    }

    fn say(&mut self, index: usize, speech: &Speech) {
        let phone = &mut self.phones[index];
        match speech.load() {
            Ok(source) => {
                phone.portable.set_source(source);
                phone.view.speech = speech.to_string();
            }
            Err(error) => {
                tracing::warn!(%error, "the portable falls silent");
                phone.portable.set_source(Source::Silence);
            }
        }
    }

    fn show(&mut self) {
        let now = Instant::now();
        for phone in &mut self.phones {
            phone.measure();
            phone.show(now);
        }
    }

    /// Gives an event to a portable and does what it asks for.
    fn give(&mut self, index: usize, event: Event<'_>) {
        let now = Instant::now();
        let rng: &mut dyn RngCore = &mut *self.rng;
        let phone = &mut self.phones[index];
        let actions = phone.portable.handle(now, rng, event);
        let mut visible = false;
        for action in actions {
            visible |= !matches!(action, Action::Send { .. });
            self.act(index, now, action);
        }
        let phone = &mut self.phones[index];
        phone.listen(now);
        if visible {
            phone.show(now);
        }
    }

    fn act(&mut self, index: usize, now: Instant, action: Action) {
        let phone = &mut self.phones[index];
        match action {
            Action::Send { to, octets } => {
                // The air loses bursts; a full socket buffer is one more way.
                if let Err(error) = self.socket.try_send_to(&octets, to) {
                    tracing::debug!(%error, "datagram not sent");
                }
            }
            Action::Remember(memory) => {
                phone.kept.subscription = Some(memory);
                self.save(index);
            }
            Action::Subscribed(result) => {
                phone.view.subscribing = false;
                phone.view.subscription = Some((result, now));
            }
            Action::Located(result) => phone.view.location = Some((result.map(drop), now)),
            Action::Call(CallState::Ringing { .. }) if phone.answers => {
                phone.answer_at = Some(now + ANSWER_AFTER);
            }
            Action::Call(state) => {
                if state == CallState::Idle {
                    phone.answer_at = None;
                }
            }
            Action::CallEnded { reason } => {
                phone.view.calls_ended += 1;
                tracing::info!(ipei = %phone.portable.config().ipei, ?reason, "call ended");
            }
            Action::Display(_)
            | Action::Ring(_)
            | Action::RingOff
            | Action::Tone(_)
            | Action::MessagesWaiting(_)
            | Action::Off => {}
        }
    }

    /// Has a portable's memory written.
    fn save(&self, index: usize) {
        if let Some(saver) = &self.saver {
            let phone = &self.phones[index];
            saver.save(phone.portable.config().ipei, phone.kept.clone());
        }
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
