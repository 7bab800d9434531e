//! The directory: all configuration, validated and written here and nowhere else (`contracts.md` section 13).
//!
//! Rows live in the store; a copy in memory ([`book::Book`]) serves calls and pages. Changes are planned whole ([`plan`]), guarded by the
//! revisions they were made on, committed in one transaction with their audit entry, and then told to everybody who watches.

pub mod book;
pub mod mistake;
pub mod plan;
mod resource;
mod rows;
pub mod service;
pub mod settings;
pub mod user;

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use bytes::Bytes;
use ipdect_cluster::{Commit, Key, Revision, Store, StoreError, Txn};
use ipdect_dect::identity::Ipei;
use ipdect_node::Random;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows_v1;
use parking_lot::RwLock;
use prost::Message as _;
use tokio::sync::{Mutex, broadcast};

pub(crate) use rows::range;

use book::{Book, Kept};
use plan::{Draw, Effect, Plan, Planner, Seal};

/// Changes that a watcher may be behind before it is told all anew.
const BEHIND: usize = 4096;

/// Opens what [`Seal`] sealed.
pub trait Unseal: Send + Sync {
    /// The secret, or nothing if it was sealed under another key or is damaged.
    fn open(&self, key: &str, sealed: &[u8]) -> Option<Vec<u8>>;
}

/// Seals and opens.
pub trait Sealing: Seal + Unseal {}
impl<T: Seal + Unseal> Sealing for T {}

/// What became of a set of changes.
#[derive(Debug)]
pub enum Applied {
    /// Written, in this revision.
    Done {
        /// Of the store.
        revision: Revision,
        /// What changed.
        effects: Vec<Effect>,
    },
    /// Nothing was written, because of these.
    Refused(Vec<admin::Mistake>),
}

/// The directory of one server.
pub struct Directory {
    store: Arc<dyn Store>,
    sealing: Arc<dyn Sealing + Send + Sync>,
    random: Random,
    book: RwLock<Book>,
    writer: Mutex<()>,
    changes: broadcast::Sender<Arc<Vec<Effect>>>,
}

struct Chance(Box<dyn rand_core::CryptoRng + Send>);

impl Draw for Chance {
    fn id(&mut self) -> String {
        let mut octets = [0; 16];
        self.0.fill_bytes(&mut octets);
        uuid::Builder::from_random_bytes(octets)
            .into_uuid()
            .to_string()
    }

    fn password(&mut self) -> String {
        let mut octets = [0; 16];
        self.0.fill_bytes(&mut octets);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(octets)
    }

    fn handset_key(&mut self) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let number = self.0.next_u64();
        (0..8)
            .map(|n| char::from(ALPHABET[(number >> (n * 5)) as usize & 31]))
            .collect()
    }

    fn within_a_millisecond(&mut self) -> u16 {
        (self.0.next_u32() % 10_000) as u16
    }
}

impl Directory {
    /// Reads everything from the store.
    ///
    /// # Errors
    /// If the store cannot be read, or a row is not what its key promises.
    pub async fn open(
        store: Arc<dyn Store>,
        sealing: Arc<dyn Sealing + Send + Sync>,
        random: Random,
    ) -> Result<Self, StoreError> {
        let book = rows::read_all(store.as_ref()).await?;
        let (changes, _) = broadcast::channel(BEHIND);
        Ok(Self {
            store,
            sealing,
            random,
            book: RwLock::new(book),
            writer: Mutex::new(()),
            changes,
        })
    }

    /// The configuration as it is.
    pub fn book(&self) -> parking_lot::RwLockReadGuard<'_, Book> {
        self.book.read()
    }

    /// Hears of every change from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Vec<Effect>>> {
        self.changes.subscribe()
    }

    /// The store, for rows that are no configuration.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Validates and writes, all or nothing; with `dry_run` only validates.
    ///
    /// # Errors
    /// If the store does not take it; nothing is changed then.
    pub async fn apply(
        &self,
        request: rows_v1::ApplyRequest,
        now_ms: u64,
    ) -> Result<Applied, StoreError> {
        let _one_writer = self.writer.lock().await;
        let plan = self.plan(&request, now_ms);
        if !plan.mistakes.is_empty() {
            return Ok(Applied::Refused(plan.mistakes));
        }
        if request.dry_run {
            return Ok(Applied::Done {
                revision: 0,
                effects: plan.effects,
            });
        }
        let mut txn = plan.txn;
        self.keep_history(&plan.effects, &request, now_ms, &mut txn);
        match self.store.txn(txn).await? {
            Commit::Done(revision) => {
                self.take(&plan.effects, revision);
                Ok(Applied::Done {
                    revision,
                    effects: plan.effects,
                })
            }
            // Only this server writes, so a guard that does not hold means that the copy in memory is wrong.
            Commit::Refused { keys, .. } => {
                *self.book.write() = rows::read_all(self.store.as_ref()).await?;
                Ok(Applied::Refused(vec![admin::Mistake {
                    change: 0,
                    field: "revision".into(),
                    value: keys.join(", "),
                    remedy: "somebody changed it meanwhile; reload, and change it again".into(),
                }]))
            }
        }
    }

    fn plan(&self, request: &rows_v1::ApplyRequest, now_ms: u64) -> Plan {
        let book = self.book.read();
        let sealing = self.sealing.clone();
        let mut draw = Chance(self.random.generator());
        let mut planner = Planner::new(&book, sealing.as_ref() as &dyn Seal, &mut draw, now_ms);
        let audit_only = request
            .changes
            .iter()
            .all(|c| c.kind == i32::from(rows_v1::Kind::Audit));
        for (position, change) in (0..).zip(request.changes.iter().cloned()) {
            planner.change(position, change);
        }
        if !audit_only {
            let change = planner.notes();
            planner.audit(admin::AuditEntry {
                at_utc_ms: now_ms,
                actor: request.actor.clone(),
                address: request.address.clone(),
                action: resource::action(&request.changes),
                subject: resource::subject(&request.changes),
                reason: request.reason.clone(),
                change,
                done: true,
                trace_id: Bytes::new(),
            });
        }
        planner.finish()
    }

    /// A document that is replaced is kept under the revision that it had.
    fn keep_history(
        &self,
        effects: &[Effect],
        request: &rows_v1::ApplyRequest,
        now_ms: u64,
        txn: &mut Txn,
    ) {
        let book = self.book.read();
        for effect in effects {
            let Effect::Settings(scope, _) = effect else {
                continue;
            };
            let Some(before) = book.settings.get(scope) else {
                continue;
            };
            let row = rows_v1::HistoryRow {
                settings: Some(before.row.clone()),
                actor: request.actor.clone(),
                at_utc_ms: now_ms,
                reason: request.reason.clone(),
            };
            let key = Key::History(scope.clone(), before.revision);
            *txn = std::mem::take(txn).put(key, row.encode_to_vec());
        }
    }

    /// Takes what was written into the copy in memory, and tells it.
    fn take(&self, effects: &[Effect], revision: Revision) {
        {
            let mut book = self.book.write();
            for effect in effects.iter().cloned() {
                rows::take(&mut book, effect, revision);
            }
        }
        // Nobody listens: that is no error.
        let _ = self.changes.send(Arc::new(effects.to_vec()));
    }

    /// Writes rows that are the server's own business (enrolment, subscriptions), guarded, and takes them over.
    ///
    /// # Errors
    /// If the store does not take it.
    pub async fn write(
        &self,
        txn: Txn,
        effects: Vec<Effect>,
    ) -> Result<Option<Revision>, StoreError> {
        let _one_writer = self.writer.lock().await;
        match self.store.txn(txn).await? {
            Commit::Done(revision) => {
                self.take(&effects, revision);
                Ok(Some(revision))
            }
            Commit::Refused { .. } => Ok(None),
        }
    }

    /// The secret behind a sealed field of the row `key`; empty if there is none, or it cannot be opened.
    #[must_use]
    pub fn secret(&self, key: &str, sealed: &[u8]) -> String {
        if sealed.is_empty() {
            return String::new();
        }
        self.sealing
            .open(key, sealed)
            .and_then(|s| String::from_utf8(s).ok())
            .unwrap_or_default()
    }

    /// Opens a sealed key.
    #[must_use]
    pub fn open_key(&self, key: &str, sealed: &[u8]) -> Option<[u8; 16]> {
        if sealed.is_empty() {
            return None;
        }
        self.sealing
            .open(key, sealed)
            .and_then(|s| s.try_into().ok())
    }

    /// What was sealed for the row `key`, if it was sealed under our key.
    #[must_use]
    pub fn open_sealed(&self, key: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.sealing.open(key, sealed)
    }

    /// Seals a secret for the row `key`.
    #[must_use]
    pub fn seal(&self, key: &str, secret: &[u8]) -> Bytes {
        self.sealing.seal(key, secret)
    }

    /// A scope of settings: what is stored, or the defaults, with its revision.
    ///
    /// # Panics
    /// If `scope` is no scope.
    #[must_use]
    pub fn settings(&self, scope: &str) -> (admin::settings_document::Scope, Revision) {
        let book = self.book.read();
        let stored = book.settings.get(scope);
        let document = stored
            .and_then(|k| k.row.document.as_ref())
            .and_then(|d| d.scope.clone());
        let revision = stored.map_or(0, |k| k.revision);
        let mut found =
            document.unwrap_or_else(|| settings::default_of(scope).expect("a scope has defaults"));
        if let settings::Secret::Dect(dect) = settings::secrets(&mut found) {
            let sealed = stored.and_then(|k| k.row.sealed.get("access_code"));
            dect.access_code = sealed.map_or_else(String::new, |s| {
                self.secret(&Key::Settings("dect".into()).to_string(), s)
            });
            dect.access_code_set = sealed.is_some();
        }
        (found, revision)
    }

    /// A user's secrets: password, access code.
    #[must_use]
    pub fn user_secrets(&self, id: &str, row: &rows_v1::UserRow) -> (String, String) {
        let key = Key::User(id.into()).to_string();
        (
            self.secret(&key, &row.sealed_auth_password),
            self.secret(&key, &row.sealed_access_code),
        )
    }

    /// The user of a handset with his secrets, and the handset's row.
    #[must_use]
    pub fn of_handset(
        &self,
        ipei: Ipei,
    ) -> (
        Option<Kept<rows_v1::UserRow>>,
        Option<Kept<rows_v1::HandsetRow>>,
    ) {
        let book = self.book.read();
        let user = book.user_of(ipei).and_then(|id| book.user(id)).cloned();
        (user, book.handset(ipei).cloned())
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn utc_ms(at: SystemTime) -> u64 {
    crate::live::ms(at)
}

#[cfg(test)]
pub(crate) mod tests;
