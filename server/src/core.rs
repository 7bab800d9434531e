//! What the parts of a server share, and how they reach one another.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use ipdect_dect::identity::Ipei;
use ipdect_dect::nwk;
use ipdect_handset::{Event, MediaId, PresenceRow, Profile, Record, SessionId, Settings, State};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::media::v1 as media_v1;
use ipdect_proto::radio::v1 as radio_v1;
use ipdect_sip::user_agent::Transmit;
use parking_lot::Mutex;
use tracing::warn;

use crate::adoption::{self, Adoption};
use crate::directory::Directory;
use crate::fence::Fences;
use crate::handset::actor::Effects;
use crate::handset::effects::Wires;
use crate::handset::registry::{Handsets, Maker, Untold};
use crate::keep::Keeper;
use crate::live::{Live, Told};
use crate::shown::Shown;
use crate::sip::sender::Sender;
use crate::snapshots::Snapshots;
use crate::{media, profile, radio};

/// How long the actor of an IPEI that nobody entered lives after its last message.
const TEMPORARY_LIFE: Duration = Duration::from_secs(60);
/// How many such actors there may be: strangers must not fill the memory.
const TEMPORARY_MOST: usize = 1000;

/// The shared parts of one server.
pub struct Core {
    /// Node id.
    pub node: String,
    /// Configuration.
    pub directory: Arc<Directory>,
    /// What happens now.
    pub live: Live,
    /// Live views of handsets.
    pub shown: Shown,
    /// The actors.
    pub handsets: Handsets,
    /// Base stations.
    pub radio: radio::pool::Pool,
    /// Media resources.
    pub media: media::pool::Pool,
    /// Tokens of the shards.
    pub fences: Fences,
    /// What the next life of each handset goes on from.
    pub snapshots: Snapshots,
    adoption: Adoption,
    settings: ArcSwap<Settings>,
    sender: OnceLock<Sender>,
    keeper: OnceLock<Keeper>,
    temporary: Mutex<HashMap<Ipei, Instant>>,
    this: std::sync::Weak<Core>,
}

impl Core {
    /// Joins the parts. [`Core::connect`] adds those that need addresses first.
    #[must_use]
    pub fn new(
        node: String,
        directory: Arc<Directory>,
        live: Live,
        handsets: Handsets,
        fences: Fences,
        settings: Settings,
    ) -> Arc<Self> {
        let core = Arc::new_cyclic(|this| Self {
            shown: Shown::new(live.clone(), directory.clone(), node.clone()),
            radio: radio::pool::Pool::new(fences.clone()),
            media: media::pool::Pool::new(fences.clone()),
            node,
            directory,
            live,
            handsets,
            fences,
            snapshots: Snapshots::default(),
            adoption: Adoption::default(),
            settings: ArcSwap::from_pointee(settings),
            sender: OnceLock::new(),
            keeper: OnceLock::new(),
            temporary: Mutex::default(),
            this: this.clone(),
        });
        let maker: Arc<dyn Maker> = core.clone();
        core.handsets.set_maker(Arc::downgrade(&maker));
        core
    }

    /// Adds what can send and what can write, and lets events in.
    pub fn connect(self: &Arc<Self>, sender: Sender, keeper: Keeper) {
        // Set once, at the start.
        let _ = self.sender.set(sender);
        let _ = self.keeper.set(keeper);
        self.radio.set_owners(self.clone());
        self.media.set_owners(self.clone());
    }

    /// The writing task's door.
    ///
    /// # Panics
    /// Before [`Core::connect`].
    pub fn keeper(&self) -> &Keeper {
        self.keeper.get().expect("actors start after connect")
    }

    /// Sends a SIP message of a handset.
    pub fn send(&self, ipei: Ipei, transmit: Transmit) {
        let Some(sender) = self.sender.get() else {
            return;
        };
        let handsets = self.handsets.clone();
        let transaction = transmit.transaction.clone();
        sender.send(&transmit.message, &transmit.to, move || {
            if let Some(transaction) = transaction {
                handsets.answer(ipei, Event::SipFailed { transaction });
            }
        });
    }

    /// Takes over what the start before left: calls wait for their media resources, 2 s at most.
    pub fn inherit(
        self: &Arc<Self>,
        presence: Vec<(Ipei, PresenceRow)>,
        calls: Vec<(Ipei, Record)>,
        lost: Vec<(String, String)>,
    ) {
        for (ipei, why) in lost {
            self.call_lost(&ipei, &why);
        }
        for (ipei, row) in presence {
            self.snapshots.located(ipei, row);
        }
        if calls.is_empty() {
            return;
        }
        for (ipei, record) in calls {
            if let Some(link) = &record.handset.link {
                self.radio.expect(link, ipei);
            }
            self.adoption
                .begin(ipei, &record, &self.snapshots, &self.handsets, &self.media);
        }
        let core = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(adoption::PATIENCE).await;
            core.adopt(&core.adoption.all());
        });
    }

    /// Starts the actors of all handsets in use, but of those that wait.
    pub fn start_all(&self) {
        for ipei in self.directory.book().handsets_in_use() {
            if !self.adoption.waits(ipei) {
                self.handsets.start(ipei);
            }
            self.shown.row(ipei);
        }
    }

    fn adopt(&self, handsets: &[Ipei]) {
        for ipei in handsets {
            self.handsets.start(*ipei);
        }
        if handsets.is_empty() {
            return;
        }
        metrics::counter!("ipdect_takeover_calls_total", "outcome" => "taken_over")
            .increment(handsets.len() as u64);
        let calls = match handsets.len() {
            1 => "1 call".to_owned(),
            many => format!("{many} calls"),
        };
        self.live.event(Told {
            code: "cluster.takeover",
            severity: admin::Severity::Info,
            subject: self.node.clone(),
            text: format!("This start of the server goes on with {calls} of the one before."),
            remedy: "If the server was not restarted on purpose, see in its log why it ended."
                .into(),
        });
    }

    /// Says that a call of the start before cannot be gone on with.
    fn call_lost(&self, ipei: &str, why: &str) {
        metrics::counter!("ipdect_takeover_calls_total", "outcome" => "lost").increment(1);
        self.live.event(Told {
            code: "cluster.call-lost",
            severity: admin::Severity::Warning,
            subject: ipei.into(),
            text: format!("A call that stood when the server ended is lost: {why}."),
            remedy: "Call again; its devices release it by themselves.".into(),
        });
    }

    /// What all handsets share now.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// New shared settings: every handset learns of them.
    pub fn set_settings(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
        for ipei in self.handsets.all() {
            self.handsets
                .answer(ipei, Event::Configured(Box::new(self.profile(ipei))));
        }
    }

    /// The whole of one handset.
    #[must_use]
    pub fn profile(&self, ipei: Ipei) -> Profile {
        profile::profile(
            &self.directory,
            ipei,
            self.fences.generation(ipei),
            self.settings(),
        )
    }

    /// A user or handset changed: its actor starts, learns, or leaves.
    pub fn configure(&self, ipei: Ipei) {
        let in_use = self.directory.book().user_of(ipei).is_some();
        if !in_use && !self.handsets.runs(ipei) {
            return;
        }
        if self.handsets.start(ipei) {
            self.temporary.lock().remove(&ipei);
            self.handsets
                .answer(ipei, Event::Configured(Box::new(self.profile(ipei))));
        }
        if !in_use {
            // It hangs up and de-registers, then nobody needs it.
            self.handsets.answer(ipei, Event::Shutdown);
            self.temporary.lock().insert(ipei, Instant::now());
        }
    }

    /// Ends actors of strangers that have fallen silent.
    pub fn tidy(&self) {
        let now = Instant::now();
        let mut gone = Vec::new();
        self.temporary.lock().retain(|ipei, since| {
            let stays = now.duration_since(*since) < TEMPORARY_LIFE;
            if !stays {
                gone.push(*ipei);
            }
            stays
        });
        for ipei in gone {
            self.handsets.leave(ipei);
            if self.directory.book().handset(ipei).is_none() {
                self.live.forget_handset(&ipei.digits());
                self.snapshots.forget(ipei);
            }
        }
    }

    fn tell(&self, ipei: Ipei, event: Event) {
        match self.handsets.tell(ipei, event.clone()) {
            Ok(()) => {}
            Err(Untold::Unknown) if self.start_stranger(ipei) => {
                if self.handsets.tell(ipei, event).is_err() {
                    warn!(%ipei, "a message for a handset is lost");
                }
            }
            Err(_) => warn!(%ipei, "a handset does not keep up; a message for it is lost"),
        }
    }

    /// An IPEI without actor: a handset that nobody entered gets a temporary one, so that its attempt is answered and listed.
    fn start_stranger(&self, ipei: Ipei) -> bool {
        if self.directory.book().user_of(ipei).is_none() {
            let mut temporary = self.temporary.lock();
            if temporary.len() >= TEMPORARY_MOST {
                return false;
            }
            temporary.insert(ipei, Instant::now());
        }
        self.handsets.start(ipei)
    }
}

impl Maker for Core {
    fn make(&self, ipei: Ipei) -> Option<(State, Box<dyn Effects>)> {
        let core = self.this.upgrade()?;
        let profile = self.profile(ipei);
        let state = match self.snapshots.record(ipei) {
            Some(record) => State::restore(profile, record),
            None => State::new(profile),
        };
        Some((state, Box::new(Wires::new(core, ipei))))
    }

    fn first_events(&self, ipei: Ipei) -> Vec<Event> {
        let row = self.snapshots.presence(ipei).unwrap_or_default();
        vec![
            Event::Configured(Box::new(self.profile(ipei))),
            Event::Restored(row),
        ]
    }

    fn revived(&self, ipei: Ipei) {
        self.radio.ask(ipei);
    }

    fn quarantined(&self, ipei: Ipei) {
        self.live.event(Told {
            code: "handset.quarantined",
            severity: admin::Severity::Error,
            subject: ipei.digits(),
            text: format!(
                "The actor of handset {ipei} failed four times in a minute and is left down."
            ),
            remedy: "Report the log of this server; a change of the user starts the handset again."
                .into(),
        });
    }
}

impl radio::pool::Owners for Core {
    fn tell(&self, ipei: Ipei, event: Event) {
        Core::tell(self, ipei, event);
    }

    fn answer(&self, ipei: Ipei, event: Event) {
        self.handsets.answer(ipei, event);
    }

    fn whose(&self, pdu: &[u8]) -> Option<Ipei> {
        let message = nwk::Message::decode(pdu).ok()?;
        if let Some(ipdect_dect::identity::Ipui::N(ipei)) = message.ipui() {
            return Some(ipei);
        }
        let tpui = message.tpui()?;
        self.directory.book().handset_by_tpui(tpui.bits())
    }

    fn cell(&self, base: &str, report: &radio_v1::CellReport) {
        self.live.update_device(base, |device| {
            let status = device.status.get_or_insert_default();
            status.busy = report.bearers_busy;
            status.capacity = report.bearers_busy + report.bearers_free;
            status.load = f64::from(report.bearers_busy) / f64::from(status.capacity.max(1));
            status.seen_utc_ms = crate::live::utc_ms();
        });
    }
}

impl media::pool::Owners for Core {
    fn tell(&self, ipei: Ipei, event: Event) {
        Core::tell(self, ipei, event);
    }

    fn answer(&self, ipei: Ipei, event: Event) {
        self.handsets.answer(ipei, event);
    }

    fn load(&self, node: &str, report: &media_v1::LoadReport) {
        self.live.update_device(node, |device| {
            let status = device.status.get_or_insert_default();
            status.busy = report.sessions;
            status.load = report.cpu_ratio;
            status.seen_utc_ms = crate::live::utc_ms();
        });
    }

    fn figures(&self, session: SessionId, stats: &media_v1::LegStats) {
        self.shown.figures(session, stats);
    }

    fn placed(&self, session: SessionId, node: &str) {
        self.shown.placed(session, node);
    }

    fn closed(&self, session: SessionId) {
        self.shown.forget(session);
    }

    fn holds(&self, ipei: Ipei, resource: &MediaId, record: &[u8]) {
        if !self.adoption.waits(ipei) {
            return;
        }
        self.adoption.found(ipei, resource);
        match crate::keep::record_of(&self.directory, ipei, record) {
            Ok(record) => {
                self.snapshots.found(ipei, &record);
            }
            Err(why) => {
                warn!(%ipei, why, "the record of a media session cannot be read; the store's is used");
            }
        }
    }

    fn counted(&self, resource: &MediaId) {
        self.adopt(&self.adoption.counted(resource));
    }

    fn seal(&self, ipei: Ipei, record: &[u8]) -> Bytes {
        crate::keep::envelope(&self.directory, ipei, record)
    }
}
