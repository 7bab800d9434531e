//! The client side: remembers challenges, answers them, counts nonces.

use std::collections::BTreeMap;

use rand_core::RngCore;

use super::{Challenge, Credentials, Digested, Password};
use crate::message::{HeaderName, Message, Method};

/// Why a challenge is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The response holds no digest challenge that can be answered.
    #[error("no challenge that can be answered; MD5 and SHA-256 digest are known")]
    NoUsableChallenge,
    /// Name or password were refused; asking again with the same ones is useless.
    #[error("realm {realm} refuses the user name or password")]
    Rejected {
        /// Whose passwords they are.
        realm: String,
    },
}

/// One user's credentials towards servers and proxies.
#[derive(Debug, Clone)]
pub struct Client {
    username: String,
    password: Password,
    /// One session for each kind of challenger and realm.
    sessions: BTreeMap<(HeaderName, String), Session>,
}

/// A challenge and how often its nonce was used.
#[derive(Debug, Clone)]
struct Session {
    challenge: Challenge,
    count: u32,
}

impl Client {
    /// A client that was not challenged yet.
    pub fn new(username: &str, password: Password) -> Client {
        Client {
            username: username.to_owned(),
            password,
            sessions: BTreeMap::new(),
        }
    }

    /// Takes in the challenges of a 401 or 407: of each realm the strongest that is known here.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] if `request` already carried an answer to a fresh challenge of the same realm and the
    /// server does not call it stale; [`ClientError::NoUsableChallenge`].
    pub fn challenged(&mut self, request: &Message, response: &Message) -> Result<(), ClientError> {
        let mut found = false;
        for (asked, answered) in [
            (HeaderName::WwwAuthenticate, HeaderName::Authorization),
            (
                HeaderName::ProxyAuthenticate,
                HeaderName::ProxyAuthorization,
            ),
        ] {
            for challenge in strongest(response, asked) {
                found = true;
                if !challenge.stale && was_refused(request, answered, &challenge.realm) {
                    self.sessions.remove(&(answered, challenge.realm.clone()));
                    return Err(ClientError::Rejected {
                        realm: challenge.realm,
                    });
                }
                let key = (answered, challenge.realm.clone());
                self.sessions.insert(
                    key,
                    Session {
                        challenge,
                        count: 0,
                    },
                );
            }
        }
        if found {
            Ok(())
        } else {
            Err(ClientError::NoUsableChallenge)
        }
    }

    /// The headers a request needs, one for each challenge taken in; empty before the first.
    ///
    /// `uri` is the Request-URI as it will be written.
    pub fn authorize(
        &mut self,
        method: &Method,
        uri: &str,
        body: &[u8],
        rng: &mut dyn RngCore,
    ) -> Vec<(HeaderName, Credentials)> {
        let (username, password) = (&self.username, &self.password);
        let each = self.sessions.iter_mut();
        each.map(|((name, _), session)| {
            (
                *name,
                session.answer(username, password, method.as_str(), uri, body, &cnonce(rng)),
            )
        })
        .collect()
    }

    /// Forgets all challenges, as when the server changes.
    pub fn forget(&mut self) {
        self.sessions.clear();
    }
}

impl Session {
    fn answer(
        &mut self,
        username: &str,
        password: &Password,
        method: &str,
        uri: &str,
        body: &[u8],
        cnonce: &str,
    ) -> Credentials {
        self.count += 1;
        let challenge = &self.challenge;
        let qop = challenge.best_qop().map(|qop| (qop, self.count, cnonce));
        let digested = Digested {
            algorithm: challenge.algorithm,
            username,
            realm: &challenge.realm,
            nonce: &challenge.nonce,
            method,
            uri,
            qop,
            body,
        };
        Credentials {
            username: username.to_owned(),
            realm: challenge.realm.clone(),
            nonce: challenge.nonce.clone(),
            uri: uri.to_owned(),
            response: digested.response(password),
            algorithm: challenge.algorithm,
            opaque: challenge.opaque.clone(),
            qop: qop.map(|(qop, count, cnonce)| (qop, count, cnonce.to_owned())),
        }
    }
}

/// Of each realm the strongest challenge; the first one where two are alike.
fn strongest(response: &Message, name: HeaderName) -> Vec<Challenge> {
    let mut best: Vec<Challenge> = Vec::new();
    for challenge in response
        .headers(name)
        .filter_map(|value| value.text().parse::<Challenge>().ok())
    {
        match best.iter_mut().find(|known| known.realm == challenge.realm) {
            Some(known) if known.algorithm < challenge.algorithm => *known = challenge,
            Some(_) => {}
            None => best.push(challenge),
        }
    }
    best
}

/// Whether the request answered a fresh nonce of the realm. A nonce used before may just have run out at a server
/// that does not say `stale`, so the first refusal of such a one is no verdict on the password.
fn was_refused(request: &Message, name: HeaderName, realm: &str) -> bool {
    let sent = request
        .headers(name)
        .filter_map(|value| value.text().parse::<Credentials>().ok());
    sent.filter(|credentials| credentials.realm == realm)
        .any(|credentials| credentials.qop.is_none_or(|(_, count, _)| count == 1))
}

fn cnonce(rng: &mut dyn RngCore) -> String {
    let mut octets = [0_u8; 16];
    rng.fill_bytes(&mut octets);
    hex::encode(octets)
}
