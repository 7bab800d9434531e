//! Accounts and passwords: the first login, its forced change, the rules (`contracts.md` section 14).

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

use argon2::password_hash::PasswordVerifier;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::resource::Value;
use tonic::Status;
use tonic::metadata::MetadataValue;
use tracing::{info, warn};

use super::Api;
use super::caller::Caller;
use super::sessions::utc_ms;
use super::upstream::{Actor, put, system};

/// Shortest password.
const LENGTH_MIN: usize = 10;
/// Longest password; more only costs time.
const LENGTH_MAX: usize = 256;
/// What everybody tries first.
const COMMON: &[&str] = &[
    "password12",
    "password123",
    "password1234",
    "1234567890",
    "12345678910",
    "123456789012",
    "qwertyuiop",
    "qwerty12345",
    "administrator",
    "administrator1",
    "letmein1234",
    "welcome123",
    "welcome1234",
    "iloveyou12",
    "changeme123",
    "changeme1234",
    "ip6000ip6000",
    "ipdectipdect",
    "passw0rd123",
    "adminadmin",
    "admin12345",
    "admin123456",
    "q1w2e3r4t5",
    "1q2w3e4r5t",
    "aaaaaaaaaa",
    "0000000000",
    "1111111111",
    "9876543210",
    "abcdefghij",
    "abcd123456",
];
/// A hash that no password has: checked when the account does not exist, so that time tells nothing.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| hash("nobody has this password").unwrap_or_default());

fn argon() -> Argon2<'static> {
    // 19 MiB, two passes, one lane: the floor of current advice, bearable on a small server.
    let params = Params::new(19 * 1024, 2, 1, None).expect("these parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> Result<String, Status> {
    let made = argon().hash_password(password.as_bytes());
    made.map(|h| h.to_string())
        .map_err(|e| Status::internal(format!("the password could not be hashed: {e}")))
}

fn verify(password: &str, hash: &str) -> bool {
    argon2::PasswordHash::new(hash)
        .is_ok_and(|h| argon().verify_password(password.as_bytes(), &h).is_ok())
}

/// What is wrong with a new password, if anything.
#[must_use]
pub fn weakness(new: &str, old: &str, account: &str) -> Option<String> {
    if new.chars().count() < LENGTH_MIN {
        return Some(format!(
            "new_password: has fewer than {LENGTH_MIN} characters; use a sentence"
        ));
    }
    if new.len() > LENGTH_MAX {
        return Some(format!(
            "new_password: has more than {LENGTH_MAX} octets; use a shorter one"
        ));
    }
    if new == old {
        return Some("new_password: is the old one; choose another".into());
    }
    let lower = new.to_lowercase();
    if lower.contains(&account.to_lowercase()) && new.len() < account.len() + 6 {
        return Some("new_password: is little more than the account's name; choose another".into());
    }
    if COMMON.contains(&lower.as_str()) {
        return Some("new_password: is one that everybody tries first; choose another".into());
    }
    None
}

impl Api {
    /// Makes the first account where there is none: `admin`, with the bootstrap password, to be changed.
    ///
    /// # Errors
    /// As the server said.
    pub async fn bootstrap(&self) -> Result<(), Status> {
        if !self.upstream().list(rows::Kind::Account).await?.is_empty() {
            return Ok(());
        }
        let password = self.0.bootstrap.0.clone();
        let hash = self.hashed(password).await?;
        let account = admin::Account {
            name: "admin".into(),
            role: admin::AccountRole::Administrator.into(),
            must_change: true,
            password_hash: hash,
            changed_utc_ms: 0,
            revision: 0,
        };
        let change = put(rows::Kind::Account, "admin", 0, Value::Account(account));
        self.upstream()
            .apply(&system(), "first start", false, vec![change])
            .await?;
        metrics::gauge!("ipdect_admin_bootstrap_password").set(1.0);
        info!("account admin made; its password must be changed at first login");
        Ok(())
    }

    /// Opens a session.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED after five wrong passwords a minute, UNAUTHENTICATED for a wrong name or password alike.
    pub async fn login(
        &self,
        name: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<(String, admin::Account), Status> {
        if let Some(wait) = self.0.limits.wait(name, address, Instant::now()) {
            return Err(wait_status(wait));
        }
        if password.len() > LENGTH_MAX {
            return Err(Status::unauthenticated("wrong name or password"));
        }
        let found = self.account(name).await?;
        let hash = found
            .as_ref()
            .map_or_else(|| NOBODY.clone(), |a| a.password_hash.clone());
        let right = self.checked(password.into(), hash).await?;
        let Some(mut account) = found.filter(|_| right) else {
            self.0.limits.failed(name, address, Instant::now());
            metrics::counter!("ipdect_admin_logins_total", "result" => "refused").increment(1);
            self.audit("session.login", name, address, false).await;
            return Err(Status::unauthenticated("wrong name or password"));
        };
        self.0.limits.succeeded(name, address);
        metrics::counter!("ipdect_admin_logins_total", "result" => "accepted").increment(1);
        self.audit("session.login", name, address, true).await;
        account.password_hash.clear();
        let token = self.0.sessions.open(&self.0.random, &account);
        Ok((token, account))
    }

    /// Ends the caller's session.
    pub fn logout(&self, caller: &Caller) {
        self.0.sessions.close(&caller.session);
    }

    /// Changes the caller's password; his other sessions end.
    ///
    /// # Errors
    /// UNAUTHENTICATED for a wrong old one, INVALID_ARGUMENT for a weak new one.
    pub async fn change_password(
        &self,
        caller: &Caller,
        old: &str,
        new: &str,
    ) -> Result<(), Status> {
        if let Some(wait) = self
            .0
            .limits
            .wait(&caller.name, caller.address, Instant::now())
        {
            return Err(wait_status(wait));
        }
        let account = self.account(&caller.name).await?;
        let mut account = account.ok_or_else(|| Status::unauthenticated("the account is gone"))?;
        if !self
            .checked(old.into(), account.password_hash.clone())
            .await?
        {
            self.0
                .limits
                .failed(&caller.name, caller.address, Instant::now());
            return Err(Status::invalid_argument("old_password: is wrong"));
        }
        if let Some(why) = weakness(new, old, &caller.name) {
            return Err(Status::invalid_argument(why));
        }
        let revision = account.revision;
        account.password_hash = self.hashed(new.into()).await?;
        account.must_change = false;
        account.changed_utc_ms = utc_ms(SystemTime::now());
        let change = put(
            rows::Kind::Account,
            &caller.name,
            revision,
            Value::Account(account),
        );
        self.upstream()
            .apply(
                &Actor::from(caller),
                "password changed",
                false,
                vec![change],
            )
            .await?;
        self.0.sessions.changed(&caller.name, &caller.session);
        if caller.name == "admin" {
            metrics::gauge!("ipdect_admin_bootstrap_password").set(0.0);
        }
        info!(account = %caller.name, "password changed");
        Ok(())
    }

    /// The secret that forms of this session repeat.
    #[must_use]
    pub fn csrf(&self, caller: &Caller) -> String {
        self.0.sessions.csrf(&caller.session).unwrap_or_default()
    }

    /// Whether the first password still stands.
    ///
    /// # Errors
    /// As the server said.
    pub async fn bootstrap_stands(&self) -> Result<bool, Status> {
        Ok(self.account("admin").await?.is_some_and(|a| a.must_change))
    }

    async fn account(&self, name: &str) -> Result<Option<admin::Account>, Status> {
        let found = self.upstream().get(rows::Kind::Account, name).await?;
        Ok(found.and_then(|r| match r.value {
            Some(Value::Account(account)) => Some(account),
            _ => None,
        }))
    }

    async fn hashed(&self, password: String) -> Result<String, Status> {
        let _slot = self
            .0
            .hashing
            .acquire()
            .await
            .map_err(|e| Status::internal(e.to_string()))?;
        tokio::task::spawn_blocking(move || hash(&password))
            .await
            .map_err(|e| Status::internal(e.to_string()))?
    }

    async fn checked(&self, password: String, hash: String) -> Result<bool, Status> {
        let _slot = self
            .0
            .hashing
            .acquire()
            .await
            .map_err(|e| Status::internal(e.to_string()))?;
        let checked = tokio::task::spawn_blocking(move || verify(&password, &hash));
        checked.await.map_err(|e| Status::internal(e.to_string()))
    }

    async fn audit(&self, action: &str, name: &str, address: IpAddr, done: bool) {
        let entry = admin::AuditEntry {
            at_utc_ms: utc_ms(SystemTime::now()),
            actor: name.chars().take(64).collect(),
            address: address.to_string(),
            action: action.into(),
            subject: name.chars().take(64).collect(),
            done,
            ..Default::default()
        };
        let change = put(rows::Kind::Audit, "", 0, Value::Audit(entry));
        if let Err(error) = self
            .upstream()
            .apply(&system(), "", false, vec![change])
            .await
        {
            warn!(%error, "an audit entry is not written");
        }
    }
}

fn wait_status(wait: std::time::Duration) -> Status {
    let seconds = wait.as_secs().max(1);
    let mut status = Status::resource_exhausted(format!(
        "too many wrong passwords; try again in {seconds} s"
    ));
    if let Ok(value) = MetadataValue::try_from(seconds.to_string()) {
        status.metadata_mut().insert("retry-after", value);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_new_and_not_what_everybody_tries() {
        assert!(weakness("short", "x", "admin").is_some());
        assert!(weakness("same-as-before", "same-as-before", "admin").is_some());
        assert!(weakness("admin12345", "x", "admin").is_some());
        assert!(weakness("Password123", "x", "anna").is_some());
        assert_eq!(weakness("a quiet afternoon", "x", "admin"), None);
    }

    #[test]
    fn a_hash_knows_its_password_only() {
        let hash = hash("a quiet afternoon").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify("a quiet afternoon", &hash));
        assert!(!verify("a quiet Afternoon", &hash));
        assert!(!verify("", "not a hash"));
    }
}
