//! What changes while the server runs: documents, subscription, the member row, and how each reaches everybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use ipdect_cluster::Store;
use ipdect_cluster::membership::Membership;
use ipdect_proto::media::v1::server_to_media::Body as ToMedia;
use ipdect_proto::radio::v1::server_to_base::Body as ToBase;
use ipdect_sip::user_agent::SentBy;
use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::sip::{SipSide, routes};
use crate::core::Core;
use crate::directory::plan::Effect;
use crate::links::{Gate, Present, configure_base, configure_media};
use crate::live::utc_ms;
use crate::live_service::Subscriptions;
use crate::media::pool::Marks;
use crate::profile::{Documents, shared};
use crate::sip::sender::Sender;

/// What changes while the server runs: documents, and how they reach everybody.
pub(super) struct Steward {
    core: Arc<Core>,
    gate: OnceLock<Arc<Gate>>,
    sender: Sender,
    sent_by: SentBy,
    domain_port: u16,
    revision: AtomicU64,
    documents: Mutex<Documents>,
    subscription_until: Mutex<Option<SystemTime>>,
}

impl Present for Steward {
    fn present(&self) -> (Documents, u64, bool) {
        (
            self.documents.lock().clone(),
            self.revision.load(Ordering::Relaxed),
            self.subscription_open(),
        )
    }
}

impl Steward {
    /// With the documents as they are, and subscription closed.
    pub(super) fn new(core: Arc<Core>, sip: &SipSide, sender: Sender) -> Self {
        Self {
            core,
            gate: OnceLock::new(),
            sender,
            sent_by: sip.sent_by.clone(),
            domain_port: sip.domain_port(),
            revision: AtomicU64::new(utc_ms()),
            documents: Mutex::new(sip.documents.clone()),
            subscription_until: Mutex::new(None),
        }
    }

    /// The gate follows the settings from now on.
    pub(super) fn leads(&self, gate: Arc<Gate>) {
        // Set once, at the start.
        let _ = self.gate.set(gate);
    }

    fn subscription_open(&self) -> bool {
        self.subscription_until
            .lock()
            .is_some_and(|until| until > SystemTime::now())
    }

    /// Applies changes of the directory as they are committed.
    pub(super) async fn follow_changes(self: Arc<Self>, stop: CancellationToken) {
        let mut changes = self.core.directory.subscribe();
        loop {
            let effects = tokio::select! {
                () = stop.cancelled() => return,
                e = changes.recv() => e,
            };
            match effects {
                Ok(effects) => effects.iter().for_each(|e| self.changed(e)),
                // More changes than fit at once: everything is applied anew.
                Err(RecvError::Lagged(_)) => {
                    self.apply_settings();
                    for ipei in self.core.directory.book().handsets_in_use() {
                        self.core.configure(ipei);
                    }
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn changed(&self, effect: &Effect) {
        match effect {
            Effect::Settings(..) => self.apply_settings(),
            Effect::User(id, _) => {
                let ipei = self.core.directory.book().handset_of(id);
                if let Some(ipei) = ipei {
                    self.core.configure(ipei);
                    self.core.shown.row(ipei);
                }
            }
            Effect::Handset(ipei, _) => {
                self.core.configure(*ipei);
                self.core.shown.row(*ipei);
            }
            Effect::NoHandset(ipei) => {
                self.core.handsets.leave(*ipei);
                self.core.live.forget_handset(&ipei.digits());
            }
            Effect::NoDevice(node) => {
                self.core.radio.cut(node);
                self.core.media.cut(node);
                self.core.live.forget_device(node);
            }
            Effect::Device(node, row) => {
                if row.device.as_ref().is_some_and(|d| d.disabled) {
                    self.core.radio.cut(node);
                    self.core.media.cut(node);
                }
            }
            Effect::NoUser(_)
            | Effect::Token(..)
            | Effect::NoToken(_)
            | Effect::Account(..)
            | Effect::NoAccount(_)
            | Effect::Audit(..) => {}
        }
    }

    /// New documents reach handsets, proxies, devices and links at once.
    fn apply_settings(&self) {
        let documents = Documents::read(&self.core.directory);
        *self.documents.lock() = documents.clone();
        self.sender.set_routes(routes(&documents, self.domain_port));
        self.core.radio.set_dscp(documents.media.dscp);
        self.core.media.set_marks(Marks {
            dscp: documents.media.dscp,
            region: documents.media.tone_region.clone(),
        });
        if let Some(gate) = self.gate.get() {
            gate.configure(&documents.links);
        }
        self.tell_everybody(&documents);
    }

    /// Tells the handsets and the devices what holds now.
    fn tell_everybody(&self, documents: &Documents) {
        let open = self.subscription_open();
        let settings = shared(documents, self.sent_by.clone(), self.domain_port, open);
        self.core.set_settings(settings);
        self.configure_devices(documents, open);
    }

    fn configure_devices(&self, documents: &Documents, open: bool) {
        let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        self.core.radio.tell_each(|rpn| {
            ToBase::Configure(configure_base(documents, revision, u32::from(rpn), open))
        });
        self.core
            .media
            .tell_all(&ToMedia::Configure(configure_media(documents, revision)));
    }

    fn tell_subscription(&self) {
        let documents = self.documents.lock().clone();
        self.tell_everybody(&documents);
    }

    /// Once a second: the member row, the subscription window, strangers; figures for metrics.
    pub(super) async fn keep_house(
        self: Arc<Self>,
        mut membership: Membership,
        store: Arc<dyn Store>,
        stop: CancellationToken,
    ) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            match membership.renew(store.as_ref()).await {
                Ok(true) => {}
                Ok(false) => {
                    warn!("another start has taken over this store; this one no longer acts");
                    self.core
                        .handsets
                        .tell_all(|| ipdect_handset::Event::Shutdown);
                    stop.cancel();
                    return;
                }
                Err(error) => warn!(%error, "the member row could not be renewed"),
            }
            let closes = self
                .subscription_until
                .lock()
                .is_some_and(|until| until <= SystemTime::now());
            if closes {
                *self.subscription_until.lock() = None;
                self.tell_subscription();
                info!("subscription is closed");
            }
            self.core.tidy();
            crate::metrics::gauge(&self.core);
        }
    }
}

#[tonic::async_trait]
impl Subscriptions for Steward {
    async fn set(&self, open: bool, seconds: u32, actor: &str) -> Result<u64, String> {
        let window = self.documents.lock().dect.subscription_window_s;
        let seconds = if seconds == 0 { window } else { seconds };
        let until = open.then(|| SystemTime::now() + Duration::from_secs(u64::from(seconds)));
        *self.subscription_until.lock() = until;
        self.tell_subscription();
        info!(actor, open, seconds, "subscription window set");
        Ok(until.map_or(0, crate::live::ms))
    }
}
