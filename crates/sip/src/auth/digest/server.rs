//! The server side: makes nonces, checks answers, remembers counts.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use rand_core::RngCore;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{Algorithm, Challenge, Credentials, Digested, Password, Qop};
use crate::message::{HeaderName, Message, Uri};

/// Nonces whose counts are remembered; the oldest are forgotten, and with them refused, beyond that.
const MAX_NONCES: usize = 65_536;

/// Octets of time and of random in a nonce; the rest is the HMAC.
const STAMPED: usize = 16;

/// Answers of a server to credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The user is who he says.
    Accepted {
        /// Name of the user.
        username: String,
    },
    /// Challenge (again): nothing was sent, or it does not prove anything.
    Challenge {
        /// The password was right, only the nonce is too old or was used before.
        stale: bool,
    },
    /// The header cannot be read, or answers for another Request-URI: 400.
    Malformed(&'static str),
}

/// One realm's side of digest. Nonces carry their time and an HMAC, so any server with the same secret takes them.
#[derive(Debug)]
pub struct Server {
    realm: String,
    secret: Secret,
    lifetime: Duration,
    /// Counts seen of each nonce, by its time first, so that the oldest come first.
    seen: BTreeMap<(u64, String), Seen>,
    /// Nonces up to this time (milliseconds) were forgotten for want of room.
    forgotten: u64,
}

struct Secret(Box<[u8]>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// The highest count and the 64 below it: datagrams may overtake each other.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    highest: u32,
    below: u64,
}

impl Server {
    /// A server whose nonces live for `lifetime`; the secret should have 32 random octets.
    pub fn new(realm: &str, secret: &[u8], lifetime: Duration) -> Server {
        Server {
            realm: realm.to_owned(),
            secret: Secret(secret.into()),
            lifetime,
            seen: BTreeMap::new(),
            forgotten: 0,
        }
    }

    /// Challenges for a 401 or 407, the strongest first (RFC 8760 section 2.4).
    pub fn challenges(
        &self,
        now: SystemTime,
        stale: bool,
        rng: &mut dyn RngCore,
    ) -> [Challenge; 2] {
        let nonce = self.nonce(now, rng);
        [Algorithm::Sha256, Algorithm::Md5].map(|algorithm| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.clone(),
            opaque: None,
            algorithm,
            qop: vec![Qop::Auth],
            stale,
        })
    }

    /// Checks the credentials a request carries for this realm in `header` (Authorization or Proxy-Authorization).
    ///
    /// `password` gives the password of a user; the work done is the same whether there is one or not.
    pub fn verify(
        &mut self,
        now: SystemTime,
        request: &Message,
        header: HeaderName,
        password: impl FnOnce(&str) -> Option<Password>,
    ) -> Verdict {
        let credentials = match self.credentials(request, header) {
            Ok(Some(credentials)) => credentials,
            Ok(None) => return Verdict::Challenge { stale: false },
            Err(problem) => return Verdict::Malformed(problem),
        };
        let Some((Qop::Auth, count, cnonce)) = &credentials.qop else {
            return Verdict::Challenge { stale: false };
        };
        if !same_uri(request, &credentials.uri) {
            return Verdict::Malformed("digest uri is not the Request-URI");
        }
        let Some(made) = self.made_at(&credentials.nonce) else {
            return Verdict::Challenge { stale: false };
        };
        let known = password(&credentials.username);
        let right = is_right(request, &credentials, *count, cnonce, known.as_ref());
        if !right {
            return Verdict::Challenge { stale: false };
        }
        if !self.is_fresh(now, made) || !self.count(now, made, &credentials.nonce, *count) {
            return Verdict::Challenge { stale: true };
        }
        Verdict::Accepted {
            username: credentials.username,
        }
    }

    /// The credentials for this realm; other realms' are for others.
    fn credentials(
        &self,
        request: &Message,
        header: HeaderName,
    ) -> Result<Option<Credentials>, &'static str> {
        let mut problem = None;
        for value in request.headers(header) {
            match value.text().parse::<Credentials>() {
                Ok(credentials) if credentials.realm == self.realm => return Ok(Some(credentials)),
                Ok(_) => {}
                // Another scheme may serve another realm.
                Err(error)
                    if value
                        .text()
                        .trim_start()
                        .get(..7)
                        .is_some_and(|word| word.eq_ignore_ascii_case("Digest ")) =>
                {
                    problem = Some(error.0);
                }
                Err(_) => {}
            }
        }
        problem.map_or(Ok(None), Err)
    }

    fn nonce(&self, now: SystemTime, rng: &mut dyn RngCore) -> String {
        let mut octets = [0_u8; STAMPED];
        octets[..8].copy_from_slice(&millis(now).to_be_bytes());
        rng.fill_bytes(&mut octets[8..]);
        let mut all = octets.to_vec();
        all.extend_from_slice(&self.seal(&octets));
        URL_SAFE_NO_PAD.encode(all)
    }

    /// When one of our nonces was made, in milliseconds; `None` if it is not one of ours.
    fn made_at(&self, nonce: &str) -> Option<u64> {
        let all = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (stamped, seal) = all.split_at_checked(STAMPED)?;
        let ours = bool::from(self.seal(stamped).ct_eq(seal));
        let time = stamped
            .first_chunk::<8>()
            .map(|time| u64::from_be_bytes(*time));
        time.filter(|_| ours)
    }

    fn seal(&self, stamped: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.secret.0).expect("HMAC takes keys of any length");
        mac.update(stamped);
        mac.update(self.realm.as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn is_fresh(&self, now: SystemTime, made: u64) -> bool {
        let age = millis(now).saturating_sub(made);
        made > self.forgotten && u128::from(age) <= self.lifetime.as_millis()
    }

    /// Notes a count; `false` if it was used before.
    fn count(&mut self, now: SystemTime, made: u64, nonce: &str, count: u32) -> bool {
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let oldest = millis(now).saturating_sub(lifetime);
        self.seen = self.seen.split_off(&(oldest, String::new()));
        let fresh = self
            .seen
            .entry((made, nonce.to_owned()))
            .or_default()
            .note(count);
        if self.seen.len() > MAX_NONCES
            && let Some(((made, _), _)) = self.seen.pop_first()
        {
            self.forgotten = made;
        }
        fresh
    }
}

impl Seen {
    fn note(&mut self, count: u32) -> bool {
        if count > self.highest {
            let step = count - self.highest;
            let shifted = self.below.checked_shl(step).unwrap_or(0);
            let previous = if self.highest > 0 {
                1_u64.checked_shl(step - 1).unwrap_or(0)
            } else {
                0
            };
            *self = Seen {
                highest: count,
                below: shifted | previous,
            };
            return true;
        }
        let behind = self.highest - count;
        if count == 0 || behind == 0 || behind > 64 {
            return false;
        }
        let bit = 1_u64 << (behind - 1);
        let fresh = self.below & bit == 0;
        self.below |= bit;
        fresh
    }
}

fn is_right(
    request: &Message,
    sent: &Credentials,
    count: u32,
    cnonce: &str,
    password: Option<&Password>,
) -> bool {
    let digested = Digested {
        algorithm: sent.algorithm,
        username: &sent.username,
        realm: &sent.realm,
        nonce: &sent.nonce,
        method: request.method().map_or("", |method| method.as_str()),
        uri: &sent.uri,
        qop: Some((Qop::Auth, count, cnonce)),
        body: b"",
    };
    let nobody = Password::new("");
    let wanted = digested.response(password.unwrap_or(&nobody));
    let got = sent.response.to_ascii_lowercase();
    bool::from(wanted.as_bytes().ct_eq(got.as_bytes())) && password.is_some()
}

/// Whether the digest URI is the Request-URI, as text or by the rules of RFC 3261 section 19.1.4.
fn same_uri(request: &Message, uri: &str) -> bool {
    request.request_uri_text().is_some_and(|text| text == uri)
        || matches!((request.request_uri(), uri.parse::<Uri>()), (Ok(a), Ok(b)) if a == b)
}

fn millis(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
