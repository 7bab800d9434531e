//! Keys and calls of the mind.

use std::time::Instant;

use ipdect_dect::identity::Ipui;
use ipdect_dect::nwk::cc::{self, PortableAction, PortableEvent, PortableState};
use ipdect_dect::nwk::ie::{
    BasicService, FixedIdentity, PortableIdentity, RejectReason, ReleaseReason, Signal,
};
use ipdect_dect::nwk::{Cc, Ie, Kind, Message, lce};

use super::{Link, Portable, Want};
use crate::event::{Action, CallState, Key};
use crate::speech::Ear;

/// Register recall on the keypad. Source: EN 300 175-5 annex D.
const REGISTER_RECALL: u8 = 0x15;
/// Longest number typed on hook.
const MAX_TYPED: usize = 48;
/// Event of `<<EVENTS-NOTIFICATION>>`: messages wait.
const MESSAGE_WAITING: u8 = 0;

impl Portable {
    pub(super) fn key(&mut self, now: Instant, key: Key) {
        match (key, &self.call_state) {
            (Key::Digit(digit), CallState::Idle) => self.type_digit(digit.octet()),
            (Key::Digit(digit), _) => self.press(now, digit.octet()),
            (Key::R, CallState::Idle) => {}
            (Key::R, _) => self.press(now, REGISTER_RECALL),
            (Key::OffHook, CallState::Idle) => self.go_off_hook(now),
            (Key::OffHook, CallState::Ringing { .. }) => {
                self.call_event(now, PortableEvent::Answer)
            }
            (Key::OffHook, _) => {}
            (Key::OnHook, CallState::Idle) => {
                self.typed.clear();
                self.show_idle();
            }
            (Key::OnHook, _) => self.hang_up(now),
            (Key::PowerOn | Key::PowerOff, _) => {}
        }
    }

    fn type_digit(&mut self, octet: u8) {
        if self.typed.len() < MAX_TYPED {
            self.typed.push(octet);
        }
        let number = String::from_utf8_lossy(&self.typed).into_owned();
        self.show(&[&number]);
    }

    /// A key during a call; before the system wants keys it is kept.
    fn press(&mut self, now: Instant, octet: u8) {
        match self.call.state() {
            PortableState::Null | PortableState::Initiated => self.early_keys.push(octet),
            PortableState::OverlapSending
            | PortableState::Proceeding
            | PortableState::Delivered
            | PortableState::Active => self.call_event(now, PortableEvent::Keys(vec![octet])),
            PortableState::Received
            | PortableState::ConnectPending
            | PortableState::ReleasePending => {}
        }
    }

    fn go_off_hook(&mut self, now: Instant) {
        self.early_keys.clear();
        self.set_call_state(CallState::Calling);
        self.want(now, Want::Call);
    }

    pub(super) fn begin_call(&mut self, now: Instant) {
        let Link::Up(connection) = &self.link else {
            return;
        };
        let ari = connection.rfpi.ari();
        let mut elements = vec![
            Ie::PortableIdentity(PortableIdentity::Ipui(Ipui::N(self.config.ipei))),
            Ie::BasicService(BasicService::NORMAL_SPEECH),
        ];
        elements.extend(ari.map(|ari| Ie::FixedIdentity(FixedIdentity::Ari(ari))));
        let keys = std::mem::take(&mut self.typed);
        if !keys.is_empty() {
            elements.push(Ie::MultiKeypad(keys));
        }
        self.call_event(now, PortableEvent::Call(elements));
    }

    pub(super) fn hang_up(&mut self, now: Instant) {
        if self.call.state() == PortableState::Null {
            self.wants.retain(|want| *want != Want::Call);
            self.set_call_state(CallState::Idle);
        } else {
            self.call_event(now, PortableEvent::HangUp);
        }
    }

    pub(super) fn call_message(&mut self, now: Instant, message: Message) {
        let new = message.kind == Kind::Cc(Cc::Setup) && self.call.state() == PortableState::Null;
        if !new && !self.call.owns(&message) {
            if !matches!(message.kind, Kind::Cc(Cc::Release | Cc::ReleaseCom)) {
                let reason = ReleaseReason::UNKNOWN_TRANSACTION;
                self.send(now, &cc::release_unknown(message.transaction, reason));
            }
            return;
        }
        let signal = message.signal().copied();
        let ours = message
            .ipui()
            .is_none_or(|ipui| ipui.matches(self.config.ipei.into()));
        if new && (!ours || self.call_state != CallState::Idle) {
            // Off hook already, or somebody else's call.
            let reason = if ours {
                ReleaseReason::COLLISION
            } else {
                ReleaseReason::UNKNOWN_IDENTITY
            };
            self.send(now, &cc::release_unknown(message.transaction, reason));
            return;
        }
        let caller = new.then(|| Caller::of(&message));
        let actions = self.call.handle(now, PortableEvent::Received(message));
        self.call_actions(now, actions, caller);
        if let Some(signal) = signal {
            self.signal(signal);
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::ALERTING_OFF => self.stop_ringing(),
            signal if signal.is_alerting() => {
                if matches!(self.call_state, CallState::Ringing { .. }) {
                    self.ring(signal.0 & 0x0F);
                }
            }
            signal => self.actions.push(Action::Tone(signal)),
        }
    }

    fn ring(&mut self, pattern: u8) {
        if self.ringing != Some(pattern) {
            self.ringing = Some(pattern);
            self.actions.push(Action::Ring(pattern));
        }
    }

    fn stop_ringing(&mut self) {
        if self.ringing.take().is_some() {
            self.actions.push(Action::RingOff);
        }
    }

    fn call_event(&mut self, now: Instant, event: PortableEvent) {
        let actions = self.call.handle(now, event);
        self.call_actions(now, actions, None);
    }

    fn call_actions(&mut self, now: Instant, actions: Vec<PortableAction>, caller: Option<Caller>) {
        for action in actions {
            match action {
                PortableAction::Send(message) => self.send(now, &message),
                PortableAction::State(state) => self.call_is(now, state, caller.as_ref()),
                // The pattern follows in <<SIGNAL>>, if the system asks for one.
                PortableAction::Ringing => self.ring(0),
                PortableAction::Listen | PortableAction::Connected => self.listen(),
                PortableAction::Ended { reason, .. } => self.call_ended(reason),
            }
        }
    }

    fn call_is(&mut self, now: Instant, state: PortableState, caller: Option<&Caller>) {
        self.set_call_state(match state {
            PortableState::Null => return,
            PortableState::Initiated => CallState::Calling,
            PortableState::OverlapSending => CallState::Dialling,
            PortableState::Proceeding => CallState::Proceeding,
            PortableState::Delivered => CallState::RingBack,
            PortableState::Received => CallState::Ringing {
                number: caller.and_then(|caller| caller.number.clone()),
                name: caller.and_then(|caller| caller.name.clone()),
            },
            PortableState::ConnectPending => CallState::Answering,
            PortableState::Active => CallState::Connected,
            PortableState::ReleasePending => CallState::Releasing,
        });
        if !matches!(state, PortableState::Received) {
            self.stop_ringing();
        }
        let wants_keys = !matches!(
            state,
            PortableState::Initiated | PortableState::ReleasePending
        );
        if wants_keys && !self.early_keys.is_empty() {
            let keys = std::mem::take(&mut self.early_keys);
            self.call_event(now, PortableEvent::Keys(keys));
        }
    }

    fn listen(&mut self) {
        if !self.listening {
            self.listening = true;
            self.ear = Ear::new();
        }
    }

    fn call_ended(&mut self, reason: ReleaseReason) {
        self.listening = false;
        self.early_keys.clear();
        self.stop_ringing();
        self.set_call_state(CallState::Idle);
        self.actions.push(Action::CallEnded { reason });
    }

    fn set_call_state(&mut self, state: CallState) {
        if self.call_state != state {
            self.call_state = state.clone();
            self.actions.push(Action::Call(state));
        }
    }

    pub(super) fn pass_call_time(&mut self, now: Instant) {
        self.call_event(now, PortableEvent::Deadline);
    }

    /// The connection is gone, and the call with it.
    pub(super) fn call_lost(&mut self, now: Instant) {
        let actions = self.call.link_lost();
        self.call_actions(now, actions, None);
    }

    /// No base station is there for a call that is wanted.
    pub(crate) fn call_impossible(&mut self, reason: ReleaseReason) {
        let before = self.wants.len();
        self.wants.retain(|want| *want != Want::Call);
        if self.wants.len() != before {
            self.show(&["No system"]);
            self.call_ended(reason);
        }
    }

    pub(super) fn answer_page(&mut self, now: Instant) {
        self.send(now, &lce::page_response(self.config.ipei.into()));
    }

    pub(super) fn page_rejected(&mut self, message: &Message) {
        if message.reject_reason() == Some(&RejectReason::INVALID_TPUI) {
            self.forget_tpui();
        }
        self.release_link();
    }

    pub(super) fn notice(&mut self, message: &Message) {
        for element in &message.elements {
            if let Ie::EventsNotification(events) = element {
                let waiting = events
                    .0
                    .iter()
                    .filter(|event| event.kind == MESSAGE_WAITING);
                self.actions.extend(waiting.map(|event| {
                    let count = event.count.iter().take(2);
                    let count = count.fold(0u16, |sum, part| sum << 7 | u16::from(*part));
                    Action::MessagesWaiting(count)
                }));
            }
        }
    }
}

/// Who calls, as told by `{CC-SETUP}`.
struct Caller {
    number: Option<String>,
    name: Option<String>,
}

impl Caller {
    fn of(message: &Message) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Self {
            number: message.calling_number().map(|number| text(&number.number)),
            name: message.calling_name().map(|name| text(&name.name)),
        }
    }
}
