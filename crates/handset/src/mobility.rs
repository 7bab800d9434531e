//! Mobility management: subscription, location and detach, and what the store and the registrar learn of them.

use std::time::Instant;

use ipdect_dect::identity::Tpui;
use ipdect_dect::nwk::ie::{ModelIdentifier, RejectReason, TerminalCapability};
use ipdect_dect::nwk::mm::{
    FixedLocation, FixedSubscription, Grant, LocationAction, Offer, SubscriptionAction,
};
use ipdect_dect::nwk::{self, Ie, Mm};
use ipdect_dect::security::{AccessCode, Key};

use crate::action::{Action, Store};
use crate::ending::{ToHandset, ToPeer};
use crate::event::{Link, Outcome, Tag};
use crate::notice::{Notice, Placed, Subscription};
use crate::profile::{HandsetRow, Key128};
use crate::state::State;
use crate::status::Location;
use crate::turn::Turn;

/// How often another temporary identity is drawn when one is taken.
const DRAWS: u8 = 8;

/// Procedures under way, one at most.
#[derive(Debug)]
pub(crate) struct Mobility {
    /// Subscription is open for the system.
    pub(crate) open: bool,
    procedure: Option<Procedure>,
}

#[derive(Debug)]
struct Procedure {
    link: Link,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The handset proves that it knows the access code.
    Subscribing(Box<FixedSubscription>),
    /// The key is being stored; then this is sent.
    Storing {
        tag: Tag,
        accept: Option<nwk::Message>,
        /// What counts if it cannot be stored.
        before: Box<HandsetRow>,
    },
    /// A temporary identity is being claimed.
    Claiming {
        tag: Tag,
        tpui: Tpui,
        draws: u8,
        request: Box<nwk::Message>,
    },
    /// The handset proves who it is and takes its temporary identity.
    Locating(Box<FixedLocation>),
}

impl Mobility {
    /// Nothing under way; subscription open or not.
    pub(crate) fn new(open: bool) -> Mobility {
        Mobility {
            open,
            procedure: None,
        }
    }

    /// The procedure's own timer.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match &self.procedure.as_ref()?.step {
            Step::Subscribing(machine) => Some(machine.next_deadline()),
            Step::Locating(machine) => machine.next_deadline(),
            Step::Storing { .. } | Step::Claiming { .. } => None,
        }
    }

    /// Whether a procedure runs on a connection.
    pub(crate) fn uses(&self, link: &Link) -> bool {
        self.procedure
            .as_ref()
            .is_some_and(|procedure| procedure.link == *link)
    }

    /// Whether a key is on its way to the store.
    pub(crate) fn is_storing(&self) -> bool {
        matches!(
            self.procedure.as_ref().map(|procedure| &procedure.step),
            Some(Step::Storing { .. })
        )
    }

    fn begins(&mut self, link: &Link, step: Step) {
        self.procedure = Some(Procedure {
            link: link.clone(),
            step,
        });
    }
}

impl State {
    /// A message of mobility management.
    pub(crate) fn mm(&mut self, t: &mut Turn<'_>, link: &Link, kind: Mm, message: nwk::Message) {
        match kind {
            Mm::AccessRightsRequest => self.subscribe(t, link, message),
            Mm::LocateRequest => self.locate(t, link, message),
            Mm::Detach => self.detach(t),
            _ if self.mobility.uses(link) => self.go_on(t, message),
            // A late answer of a procedure that is over.
            _ => tracing::trace!(?kind, "ignored"),
        }
    }

    fn go_on(&mut self, t: &mut Turn<'_>, message: nwk::Message) {
        match self
            .mobility
            .procedure
            .as_mut()
            .map(|procedure| &mut procedure.step)
        {
            Some(Step::Subscribing(machine)) => {
                let actions = machine.received(t.rng, &message);
                self.subscription(t, actions);
            }
            Some(Step::Locating(machine)) => {
                let actions = machine.received(t.now, &message);
                self.location(t, actions);
            }
            _ => {}
        }
    }

    pub(crate) fn mobility_deadline(&mut self, t: &mut Turn<'_>) {
        match self
            .mobility
            .procedure
            .as_mut()
            .map(|procedure| &mut procedure.step)
        {
            Some(Step::Subscribing(machine)) if t.now >= machine.next_deadline() => {
                let actions = machine.deadline(t.now);
                self.subscription(t, actions);
            }
            Some(Step::Locating(machine))
                if machine.next_deadline().is_some_and(|at| t.now >= at) =>
            {
                let actions = machine.deadline(t.now);
                self.location(t, actions);
            }
            _ => {}
        }
    }

    /// The connection of a procedure is gone.
    pub(crate) fn mobility_link_gone(&mut self, link: &Link) {
        if self.mobility.uses(link) {
            self.mobility.procedure = None;
        }
    }

    fn subscribe(&mut self, t: &mut Turn<'_>, link: &Link, request: nwk::Message) {
        let code = match self.may_subscribe() {
            Ok(code) => code,
            Err((reason, why)) => {
                self.send_nwk(link, &FixedSubscription::reject(&request, reason));
                return self.attempt(link, None, why);
            }
        };
        let system = &self.profile.settings.system;
        let offer = Offer {
            access_code: code,
            park: system.pari.park(),
            level: system.location_area_level,
        };
        match FixedSubscription::start(t.now, t.rng, request, offer) {
            Ok((machine, message)) => {
                self.mobility
                    .begins(link, Step::Subscribing(Box::new(machine)));
                self.send_nwk(link, &message);
            }
            Err(reject) => {
                self.send_nwk(link, &reject);
                self.attempt(link, None, "its identity or algorithm is not supported");
            }
        }
    }

    /// The code that the handset has to know, or why it may not subscribe at all.
    fn may_subscribe(&self) -> Result<AccessCode, (RejectReason, &'static str)> {
        let Some(user) = &self.profile.user else {
            return Err((RejectReason::IPEI_NOT_ACCEPTED, "no user has this IPEI"));
        };
        if !self.mobility.open {
            return Err((RejectReason::IPEI_NOT_ACCEPTED, "subscription is not open"));
        }
        let code = match user.access_code.0.is_empty() {
            true => &self.profile.settings.system.access_code.0,
            false => &user.access_code.0,
        };
        match code.parse() {
            Ok(code_read) if !code.is_empty() => Ok(code_read),
            _ => Err((
                RejectReason::IPEI_NOT_ACCEPTED,
                "neither user nor system has an access code of 1 to 8 digits",
            )),
        }
    }

    fn subscription(&mut self, t: &mut Turn<'_>, actions: Vec<SubscriptionAction>) {
        let Some(link) = self
            .mobility
            .procedure
            .as_ref()
            .map(|procedure| procedure.link.clone())
        else {
            return;
        };
        for action in actions {
            match action {
                SubscriptionAction::Send(message) => self.send_or_keep(&link, message),
                SubscriptionAction::Subscribed {
                    uak,
                    terminal,
                    model,
                    ..
                } => self.store_key(uak, terminal, model),
                SubscriptionAction::Failed(reason) => {
                    self.mobility.procedure = None;
                    let (code_right, why) = match reason {
                        RejectReason::AUTHENTICATION_FAILED => (Some(false), "wrong access code"),
                        RejectReason::TIMER_EXPIRY => (None, "the handset did not answer"),
                        _ => (None, "the handset sent something unusable"),
                    };
                    self.attempt(&link, code_right, why);
                }
            }
        }
        self.acknowledge(t);
    }

    /// Sends a message, unless it has to wait for the key to be stored.
    fn send_or_keep(&mut self, link: &Link, message: nwk::Message) {
        match self
            .mobility
            .procedure
            .as_mut()
            .map(|procedure| &mut procedure.step)
        {
            Some(Step::Storing { accept, .. }) => *accept = Some(message),
            _ => self.send_nwk(link, &message),
        }
    }

    fn store_key(
        &mut self,
        uak: Key,
        terminal: Option<TerminalCapability>,
        model: Option<ModelIdentifier>,
    ) {
        let before = Box::new(self.profile.handset.clone());
        self.profile.handset.uak = Some(Key128(uak.octets()));
        self.note_terminal(terminal, model);
        let (tag, row) = (self.tags.fresh(), self.profile.handset.clone());
        if let Some(procedure) = self.mobility.procedure.as_mut() {
            procedure.step = Step::Storing {
                tag,
                accept: None,
                before,
            };
        }
        self.outbox
            .ask(Action::Store(Store::Handset { tag, row }), tag);
    }

    fn note_terminal(
        &mut self,
        terminal: Option<TerminalCapability>,
        model: Option<ModelIdentifier>,
    ) {
        let row = &mut self.profile.handset;
        if let Some(terminal) = terminal {
            row.note_capability(terminal);
        }
        if let Some(model) = model {
            let mut octets = Vec::new();
            nwk::ie::encode_all(&[Ie::ModelIdentifier(model)], &mut octets);
            row.model = octets.get(2..).map(<[u8]>::to_vec);
        }
    }

    /// Looks whether a procedure waits for an order's result.
    pub(crate) fn mobility_result(&mut self, t: &mut Turn<'_>, tag: Tag, outcome: Outcome) -> bool {
        let Some(Procedure { link, step }) = self.mobility.procedure.take() else {
            return false;
        };
        match step {
            Step::Storing {
                tag: waiting,
                accept,
                before,
            } if waiting == tag => self.stored(&link, accept, *before, outcome),
            Step::Claiming {
                tag: waiting,
                tpui,
                draws,
                request,
            } if waiting == tag => match outcome {
                Outcome::Done => self.claimed(t, &link, tpui, *request),
                Outcome::Conflict if draws < DRAWS => self.claim(t, &link, *request, draws + 1),
                // Without a temporary identity the handset is paged by its IPUI.
                _ => self.grant(t, &link, *request, None),
            },
            step => {
                self.mobility.procedure = Some(Procedure { link, step });
                return false;
            }
        }
        true
    }

    /// The key is stored, or not: only what is stored counts.
    fn stored(
        &mut self,
        link: &Link,
        accept: Option<nwk::Message>,
        before: HandsetRow,
        outcome: Outcome,
    ) {
        let Some(accept) = accept else { return };
        if outcome == Outcome::Done {
            self.send_nwk(link, &accept);
            return self.accepted(link);
        }
        self.profile.handset = before;
        let reject = nwk::Message::new(accept.transaction, nwk::Kind::Mm(Mm::AccessRightsReject))
            .with(Ie::RejectReason(RejectReason::INSUFFICIENT_MEMORY));
        self.send_nwk(link, &reject);
        self.attempt(link, Some(true), "its key could not be stored");
    }

    fn accepted(&mut self, link: &Link) {
        let (ipei, base) = (self.printed(), link.base.clone());
        self.tell(Notice::Subscription(Subscription {
            ipei,
            base,
            accepted: true,
            code_right: Some(true),
            reason: "subscribed".into(),
        }));
    }

    /// Tells of an attempt to subscribe that failed (B6).
    fn attempt(&mut self, link: &Link, code_right: Option<bool>, reason: &str) {
        let (ipei, base) = (self.printed(), link.base.clone());
        let reason = reason.to_owned();
        self.tell(Notice::Subscription(Subscription {
            ipei,
            base,
            accepted: false,
            code_right,
            reason,
        }));
    }

    fn printed(&self) -> String {
        self.ipei.map(|ipei| ipei.to_string()).unwrap_or_default()
    }

    fn locate(&mut self, t: &mut Turn<'_>, link: &Link, request: nwk::Message) {
        if self.profile.user.is_none() || self.profile.handset.uak.is_none() {
            self.send_nwk(
                link,
                &FixedLocation::reject(&request, RejectReason::IPUI_UNKNOWN),
            );
            let (base, reason) = (
                link.base.clone(),
                "the handset is not subscribed here".into(),
            );
            return self.tell(Notice::LocationRefused { base, reason });
        }
        match self.tpui() {
            Some(tpui) => self.grant(t, link, request, Some(tpui)),
            None => self.claim(t, link, request, 1),
        }
    }

    /// Claims a temporary identity before one is given.
    fn claim(&mut self, t: &mut Turn<'_>, link: &Link, request: nwk::Message, draws: u8) {
        let (tag, tpui) = (self.tags.fresh(), Tpui::random(t.rng));
        self.mobility.begins(
            link,
            Step::Claiming {
                tag,
                tpui,
                draws,
                request: Box::new(request),
            },
        );
        self.outbox.push(Action::Store(Store::ClaimTpui {
            tag,
            tpui: tpui.bits(),
        }));
    }

    fn claimed(&mut self, t: &mut Turn<'_>, link: &Link, tpui: Tpui, request: nwk::Message) {
        self.profile.handset.tpui = Some(tpui.bits());
        self.save_row();
        self.grant(t, link, request, Some(tpui));
    }

    fn grant(&mut self, t: &mut Turn<'_>, link: &Link, request: nwk::Message, tpui: Option<Tpui>) {
        let uak = self.profile.handset.uak.as_ref().map(|key| Key::new(key.0));
        let grant = Grant {
            uak,
            tpui,
            level: self.profile.settings.system.location_area_level,
        };
        match FixedLocation::start(t.now, t.rng, request, grant) {
            Ok((machine, actions)) => {
                self.mobility
                    .begins(link, Step::Locating(Box::new(machine)));
                self.location(t, actions);
            }
            Err(reject) => {
                self.mobility.procedure = None;
                self.send_nwk(link, &reject);
                let (base, reason) = (link.base.clone(), "its identity is not supported".into());
                self.tell(Notice::LocationRefused { base, reason });
            }
        }
    }

    fn location(&mut self, t: &mut Turn<'_>, actions: Vec<LocationAction>) {
        let Some(link) = self
            .mobility
            .procedure
            .as_ref()
            .map(|procedure| procedure.link.clone())
        else {
            return;
        };
        for action in actions {
            match action {
                LocationAction::Send(mut message) => {
                    if message.kind == nwk::Kind::Mm(Mm::LocateAccept) {
                        message = message.with_all(self.idle_display());
                    }
                    self.send_nwk(&link, &message);
                }
                LocationAction::Authenticated(_) => {}
                LocationAction::Located { terminal, .. } => {
                    self.mobility.procedure = None;
                    self.located(t, &link, terminal);
                }
                LocationAction::Failed(reason) => {
                    self.mobility.procedure = None;
                    self.not_located(&link, reason);
                }
            }
        }
    }

    fn located(&mut self, t: &mut Turn<'_>, link: &Link, terminal: Option<TerminalCapability>) {
        let before = self.profile.handset.terminal_capability.clone();
        self.note_terminal(terminal, None);
        if self.profile.handset.terminal_capability != before {
            self.save_row();
        }
        let rpn = self.links.get(link).map_or(0, |connection| connection.rpn);
        self.located_at(t, link.base.clone(), rpn);
        self.register(t);
        self.ring_again(t);
    }

    fn not_located(&mut self, link: &Link, reason: RejectReason) {
        let base = link.base.clone();
        let why = reason.name().unwrap_or("an unknown reason");
        let reason = format!("location failed: {why}");
        self.tell(match why {
            "authentication failed" => Notice::AuthenticationFailed { base, reason },
            _ => Notice::LocationRefused { base, reason },
        });
    }

    /// The handset was switched off.
    fn detach(&mut self, t: &mut Turn<'_>) {
        let peer = match self
            .call
            .as_ref()
            .is_some_and(|call| call.answered.is_none() && call.placed == Placed::ByPeer)
        {
            true => ToPeer::Refuse(480, Vec::new()),
            false => ToPeer::Bye(None),
        };
        self.end(t, peer, ToHandset::Nothing, "the handset was switched off");
        self.location = Location::Detached;
        self.row.location = None;
        self.row.contact = None;
        self.save_presence();
        self.unregister(t);
    }

    /// Keeps the handset's row.
    fn save_row(&mut self) {
        let (tag, row) = (self.tags.fresh(), self.profile.handset.clone());
        self.outbox.push(Action::Store(Store::Handset { tag, row }));
    }

    /// Keeps what a new owner must know of the idle handset.
    pub(crate) fn save_presence(&mut self) {
        let row = self.row.clone();
        self.outbox.push(Action::Store(Store::Presence(row)));
    }
}
