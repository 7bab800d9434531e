//! The radio side: messages to and from the handset, pages, connections that come and go.

use bytes::Bytes;
use ipdect_dect::nwk::ie::{RejectReason, ReleaseReason};
use ipdect_dect::nwk::{self, Cc, Ie, Kind, Lce, Transaction, lce};

use crate::action::{PageIdentity, Radio, ReleaseCause};
use crate::call::Phase;
use crate::ending::{ToHandset, ToPeer};
use crate::event::{BaseId, DownReason, Held, Link, NwkUp};
use crate::links::Arrival;
use crate::notice::Notice;
use crate::state::State;
use crate::status::Location;
use crate::timers::CC_03;
use crate::turn::Turn;

/// Header of a request page for a voice call (EN 300 175-5 section 8.2.1).
const PAGE_VOICE: u8 = 4;

impl State {
    /// Takes in a NWK message of the handset.
    pub(crate) fn nwk(&mut self, t: &mut Turn<'_>, up: NwkUp) {
        let arrival = self.links.arrived(&up);
        let NwkUp {
            link,
            rpn,
            seq,
            pdu,
            trace,
            ..
        } = up;
        if arrival == Arrival::Again {
            return self.radio([Radio::AckNwk { link, seq }]);
        }
        if arrival == Arrival::First {
            self.radio([Radio::Bind { link: link.clone() }]);
        }
        t.unacked = Some((link.clone(), seq));
        t.cause = t.unacked.clone();
        self.heard_at(t, &link.base, rpn);
        match nwk::Message::decode(&pdu) {
            Ok(message) => self.message(t, &link, message, trace),
            Err(error) => {
                tracing::debug!(%error, "unreadable message of a handset");
                self.tell(Notice::Odd {
                    what: "unreadable NWK message",
                });
            }
        }
    }

    fn message(
        &mut self,
        t: &mut Turn<'_>,
        link: &Link,
        message: nwk::Message,
        trace: crate::event::Trace,
    ) {
        match message.kind {
            Kind::Lce(Lce::PageResponse) => self.page_response(t, link, &message),
            Kind::Cc(Cc::Setup) => self.setup(t, link, &message, trace),
            Kind::Cc(kind) => self.cc(t, link, kind, &message),
            Kind::Mm(kind) => self.mm(t, link, kind, message),
            // No messages of services that are not offered, no pages from a handset.
            kind => tracing::debug!(?kind, "ignored"),
        }
    }

    fn cc(&mut self, t: &mut Turn<'_>, link: &Link, kind: Cc, message: &nwk::Message) {
        let ours = |call: &crate::call::Call| {
            call.link.as_ref() == Some(link) && call.transaction.answered() == message.transaction
        };
        self.presented_before(t, link, kind, message);
        let Some(call) = self.call.as_ref().filter(|call| ours(call)) else {
            return self.stray(t, link, kind, message);
        };
        match (kind, call.phase) {
            (Cc::Release, Phase::Releasing { .. }) | (Cc::ReleaseCom, _) => self.released(t),
            (Cc::Release, _) => self.end(
                t,
                ToPeer::Bye(None),
                ToHandset::Complete(ReleaseReason::NORMAL),
                "hung up at the handset",
            ),
            (Cc::Info, phase) => {
                self.keys(t, &message.keypad(), message.sending_complete());
                // The set-up itself is in a record, keys after it are not.
                if let (Phase::Seizing, Some(call)) = (phase, self.call.as_mut()) {
                    call.unacked = t.unacked.take().or(call.unacked.take());
                }
            }
            (Cc::Alerting, Phase::Presenting { .. }) => self.alerting(t),
            (Cc::Connect, Phase::Presenting { .. } | Phase::Alerting { .. }) => self.connect(t),
            (Cc::Connect, Phase::Active) => self.resumed(t),
            // Late and crossed messages are normal on a radio path.
            (kind, phase) => tracing::trace!(?kind, ?phase, "ignored"),
        }
    }

    /// A handset that we look for rings, or answers, already: the last owner had found it.
    fn presented_before(
        &mut self,
        t: &mut Turn<'_>,
        link: &Link,
        kind: Cc,
        message: &nwk::Message,
    ) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let looked_for = matches!(call.phase, Phase::Admitting | Phase::Paging);
        let same = call.link.is_none() && call.transaction.answered() == message.transaction;
        if looked_for && same && matches!(kind, Cc::Alerting | Cc::Connect) {
            call.link = Some(link.clone());
            call.phase = Phase::Presenting {
                until: t.now + CC_03,
            };
            self.stop_page(t);
        }
    }

    /// A call control message that belongs to no call of ours.
    fn stray(&mut self, t: &mut Turn<'_>, link: &Link, kind: Cc, message: &nwk::Message) {
        if kind == Cc::ReleaseCom {
            return;
        }
        let reason = match kind {
            Cc::Release => ReleaseReason::NORMAL,
            _ => ReleaseReason::UNKNOWN_TRANSACTION,
        };
        self.acknowledge(t);
        self.release_com(link, message.transaction.answered(), reason, None);
    }

    /// Sends a NWK message.
    pub(crate) fn send_nwk(&mut self, link: &Link, message: &nwk::Message) {
        let tag = self.tags.fresh();
        let order = self.links.send(tag, link, Bytes::from(message.encode()));
        self.radio(order);
    }

    /// Sends a message of the call.
    pub(crate) fn say(&mut self, kind: Cc, elements: Vec<Ie>) {
        let Some(call) = &self.call else { return };
        let Some(link) = call.link.clone() else {
            return;
        };
        let message = nwk::Message::new(call.transaction, Kind::Cc(kind)).with_all(elements);
        self.send_nwk(&link, &message);
    }

    /// Sends `{CC-RELEASE-COM}` of a transaction, with a text where there is something to say.
    pub(crate) fn release_com(
        &mut self,
        link: &Link,
        transaction: Transaction,
        reason: ReleaseReason,
        text: Option<Ie>,
    ) {
        let message = nwk::Message::new(transaction, Kind::Cc(Cc::ReleaseCom))
            .with(Ie::ReleaseReason(reason))
            .with_all(text);
        self.send_nwk(link, &message);
    }

    /// Sends a message to a handset that has to be found first, unless a connection stands.
    pub(crate) fn find(&mut self, t: &mut Turn<'_>, message: nwk::Message) {
        match self.links.usable().cloned() {
            Some(link) => self.found(t, link, vec![message]),
            None => {
                let actions = self.paging.handle(t.now, lce::Event::Queue(message));
                self.page_actions(t, None, actions);
            }
        }
    }

    /// Ends the page, if one is out.
    pub(crate) fn stop_page(&mut self, t: &mut Turn<'_>) {
        let actions = self.paging.handle(t.now, lce::Event::Cancelled);
        self.page_actions(t, None, actions);
    }

    pub(crate) fn page_deadline(&mut self, t: &mut Turn<'_>) {
        let actions = self.paging.handle(t.now, lce::Event::Deadline);
        self.page_actions(t, None, actions);
    }

    fn page_actions(&mut self, t: &mut Turn<'_>, link: Option<&Link>, actions: Vec<lce::Action>) {
        for action in actions {
            match (action, link) {
                (lce::Action::Page { .. }, _) => self.page(),
                (lce::Action::CancelPage, _) => {
                    self.radio([Radio::CancelPage { page: self.pages }])
                }
                (lce::Action::Deliver(messages), Some(link)) => {
                    self.found(t, link.clone(), messages)
                }
                (lce::Action::Deliver(_), None) => {}
                (lce::Action::NotFound(_), _) => {
                    self.location = Location::Unreachable { since: t.wall };
                    self.not_found(t);
                }
            }
        }
    }

    fn page(&mut self) {
        let (tag, ipei) = (self.tags.fresh(), self.profile.handset.ipei);
        self.pages += 1;
        let identity = match self.tpui() {
            Some(tpui) => PageIdentity::Tpui(tpui.bits()),
            None => PageIdentity::IpuiN(ipei),
        };
        self.radio([Radio::Page {
            tag,
            page: self.pages,
            identity,
            header: PAGE_VOICE,
            except: Vec::new(),
        }]);
    }

    fn page_response(&mut self, t: &mut Turn<'_>, link: &Link, response: &nwk::Message) {
        let Some(ipui) = self.ipui() else { return };
        if let Err(reason) = lce::check_response(response, ipui, self.tpui()) {
            return self.send_nwk(link, &lce::page_reject(response, reason));
        }
        let actions = self.paging.handle(t.now, lce::Event::Found);
        if actions.is_empty() {
            return self.send_nwk(
                link,
                &lce::page_reject(response, RejectReason::LATE_LCE_REPLY),
            );
        }
        self.page_actions(t, Some(link), actions);
    }

    /// Notes where the handset was heard.
    fn heard_at(&mut self, t: &Turn<'_>, base: &BaseId, rpn: u8) {
        let same = matches!(&self.location, Location::Located { base: at, .. } if at == base);
        if !same && self.location != Location::Detached {
            self.located_at(t, base.clone(), rpn);
        }
    }

    /// The handset is there.
    pub(crate) fn located_at(&mut self, t: &Turn<'_>, base: BaseId, rpn: u8) {
        self.location = Location::Located {
            base: base.clone(),
            rpn,
            since: t.wall,
        };
        let here = Some((base, rpn));
        if self.row.location != here {
            self.row.location = here;
            self.save_presence();
        }
    }

    /// Ends a MAC connection that nobody needs.
    pub(crate) fn release_connection(&mut self, link: &Link) {
        if self.links.remove(link).is_some() {
            self.radio([Radio::ReleaseConnection {
                link: link.clone(),
                reason: ReleaseCause::Normal,
            }]);
        }
    }

    pub(crate) fn connection_down(&mut self, t: &mut Turn<'_>, link: &Link, reason: DownReason) {
        if self.links.remove(link).is_none() {
            return;
        }
        self.mobility_link_gone(link);
        match reason {
            DownReason::Normal => self.link_left(t, link),
            _ => self.link_lost(t, link),
        }
    }

    /// The base station does not know a connection any more.
    pub(crate) fn connection_gone(&mut self, t: &mut Turn<'_>, link: &Link) {
        self.connection_down(t, link, DownReason::RadioLost);
    }

    pub(crate) fn base_lost(&mut self, _: &mut Turn<'_>, base: &BaseId) {
        self.links.lost(base);
        if matches!(&self.location, Location::Located { base: at, .. } if at == base) {
            self.location = Location::BaseUnreachable { base: base.clone() };
        }
    }

    pub(crate) fn base_back(
        &mut self,
        t: &mut Turn<'_>,
        base: &BaseId,
        same_boot: bool,
        held: Vec<Held>,
    ) {
        if self.location == (Location::BaseUnreachable { base: base.clone() })
            && let Some((_, rpn)) = self.row.location.clone()
        {
            self.location = Location::Located {
                base: base.clone(),
                rpn,
                since: t.wall,
            };
        }
        let (gone, again) = self.links.back(base, same_boot, &held);
        for connection in &held {
            let link = Link {
                base: base.clone(),
                connection: connection.connection,
            };
            match self.links.get(&link) {
                Some(_) => self.radio([Radio::Adopt { link }]),
                // Its messages come next and make it ours.
                None if !connection.unacked.is_empty() => {
                    self.links.learn(&link, connection);
                    self.radio([Radio::Adopt { link }]);
                }
                None => self.radio([Radio::ReleaseConnection {
                    link,
                    reason: ReleaseCause::Normal,
                }]),
            }
        }
        self.radio(again);
        self.close_forgotten_speech(base, &held);
        self.open_missing_speech(base, &held);
        self.open_waiting_legs(t);
        for link in gone {
            self.connection_gone(t, &link);
        }
        for up in held.into_iter().flat_map(|held| held.unacked) {
            self.nwk(t, up);
            self.acknowledge(t);
        }
    }

    /// Ends speech that a call left open when it ended without the base station.
    fn close_forgotten_speech(&mut self, base: &BaseId, held: &[Held]) {
        let open_on = self
            .call
            .as_ref()
            .and_then(|call| call.speech.open_on.clone());
        for held in held.iter().filter(|held| held.speech) {
            let link = Link {
                base: base.clone(),
                connection: held.connection,
            };
            if open_on.as_ref() != Some(&link) && self.links.get(&link).is_some() {
                self.radio([Radio::CloseSpeech { link }]);
            }
        }
    }
}
