//! Answers to challenges, and credentials sent before anyone asks again.

use super::core::{Attempt, Turn};
use super::{Config, UserAgent};
use crate::auth::digest::{Client, Password};
use crate::message::{Edit, HeaderName, Message};

/// Challenges answered for one request: one each of registrar and proxies on the way, and one renewed nonce.
const CHALLENGES: u8 = 4;

/// The digest client of a configuration.
pub(super) fn client(config: &Config) -> Client {
    let by_aor = config.aor.user_unescaped().unwrap_or_default();
    let user = if config.auth_user.is_empty() {
        &by_aor
    } else {
        &config.auth_user
    };
    Client::new(user, Password::new(&config.auth_password))
}

impl UserAgent {
    /// Puts the answer to a 401 or 407 into a request; `false` if there is none or the last one was refused.
    pub(super) fn answer_challenge(
        &mut self,
        t: &mut Turn<'_>,
        attempt: &mut Attempt,
        response: &Message,
    ) -> bool {
        if self.config.auth_password.is_empty() || attempt.challenges >= CHALLENGES {
            return false;
        }
        if let Err(error) = self.digest.challenged(&attempt.request, response) {
            tracing::debug!(%error, "challenge not answered");
            return false;
        }
        attempt.challenges += 1;
        attempt.request = self.authorized(t, &attempt.request);
        true
    }

    /// A request with credentials for all challenges known so far.
    pub(super) fn authorized(&mut self, t: &mut Turn<'_>, request: &Message) -> Message {
        let (Some(method), Some(uri)) = (request.method(), request.request_uri_text()) else {
            return request.clone();
        };
        let credentials = self.digest.authorize(method, &uri, request.body(), t.rng);
        if credentials.is_empty() {
            return request.clone();
        }
        let bare = Edit::new(request)
            .remove(HeaderName::Authorization)
            .remove(HeaderName::ProxyAuthorization);
        credentials
            .into_iter()
            .fold(bare, |edit, (name, value)| edit.push(name, value))
            .build()
    }
}
