//! Sessions of people and programs, in memory: a restart ends them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use ipdect_node::Random;
use ipdect_proto::admin::v1 as admin;
use parking_lot::RwLock;
use tonic::Status;

use super::caller::Caller;

/// Life of a session without use.
const IDLE: Duration = Duration::from_secs(8 * 3600);
/// Sessions at the most; a flood of logins ends the oldest.
const MOST: usize = 10_000;

struct Session {
    name: String,
    role: admin::AccountRole,
    must_change: bool,
    until: Instant,
    /// Secret that forms must repeat.
    csrf: String,
}

/// All sessions.
#[derive(Default)]
pub struct Sessions(RwLock<HashMap<String, Session>>);

/// A text that nobody guesses: 256 random bits.
#[must_use]
pub fn secret(random: &Random) -> String {
    let mut octets = [0; 32];
    random.generator().fill_bytes(&mut octets);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(octets)
}

impl Sessions {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a session for an account.
    #[must_use]
    pub fn open(&self, random: &Random, account: &admin::Account) -> String {
        let token = secret(random);
        let session = Session {
            name: account.name.clone(),
            role: account.role(),
            must_change: account.must_change,
            until: Instant::now() + IDLE,
            csrf: secret(random),
        };
        let mut all = self.0.write();
        let now = Instant::now();
        all.retain(|_, s| s.until > now);
        if all.len() >= MOST
            && let Some(oldest) = all
                .iter()
                .min_by_key(|(_, s)| s.until)
                .map(|(k, _)| k.clone())
        {
            all.remove(&oldest);
        }
        all.insert(token.clone(), session);
        token
    }

    /// Whose session it is; using it prolongs it.
    ///
    /// # Errors
    /// UNAUTHENTICATED for none that stands.
    pub fn find(&self, token: &str, address: IpAddr) -> Result<Caller, Status> {
        let mut all = self.0.write();
        let now = Instant::now();
        let session = all.get_mut(token).filter(|s| s.until > now);
        let session =
            session.ok_or_else(|| Status::unauthenticated("log in first (Session/Login)"))?;
        session.until = now + IDLE;
        Ok(Caller {
            name: session.name.clone(),
            role: session.role,
            must_change: session.must_change,
            address,
            session: token.into(),
            expires_utc_ms: utc_ms(SystemTime::now() + IDLE),
        })
    }

    /// The secret that this session's forms repeat.
    #[must_use]
    pub fn csrf(&self, token: &str) -> Option<String> {
        self.0.read().get(token).map(|s| s.csrf.clone())
    }

    /// Ends one.
    pub fn close(&self, token: &str) {
        self.0.write().remove(token);
    }

    /// The password of an account was changed: its other sessions end, this one is free to go on.
    pub fn changed(&self, account: &str, kept: &str) {
        let mut all = self.0.write();
        all.retain(|token, s| s.name != account || token == kept);
        if let Some(session) = all.get_mut(kept) {
            session.must_change = false;
        }
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn utc_ms(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
