//! Who may come in: tokens, device records, certificates that count.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ipdect_cluster::{Key, Txn};
use ipdect_link::accept::{Admitted, Applicant, Enroller, Rejection};
use ipdect_link::identity::{PeerIdentity, normal_serial};
use ipdect_link::pki::ca::CertificateAuthority;
use ipdect_link::role::{NodeId, Role, role_name};
use ipdect_link::token::{EnrolToken, Pin};
use ipdect_node::Random;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use prost::Message as _;

use crate::directory::Directory;
use crate::directory::plan::Effect;
use crate::live::{Live, Told, utc_ms};

/// Certificates of one device that count at the same time: the present one and the next.
const CERTIFICATES: usize = 2;

/// The server's part of enrolment.
pub struct Admission {
    /// Configuration.
    pub directory: Arc<Directory>,
    /// Where events go.
    pub live: Live,
    /// The cluster's authority.
    pub authority: Arc<CertificateAuthority>,
    /// UUID of the cluster.
    pub cluster_id: String,
    /// The sealing key as text; servers and admin APIs get it.
    pub secret: Vec<u8>,
    /// Where devices dial.
    pub addresses: Vec<String>,
    /// Chance.
    pub random: Random,
    /// The first token for an admin API, until one has enrolled; the file for the administrator has it too.
    pub first_token: parking_lot::Mutex<Option<String>>,
    /// Where the administrator finds it.
    pub token_file: PathBuf,
    /// This server.
    pub own: PeerIdentity,
}

impl Admission {
    /// Makes a token and keeps its hash.
    ///
    /// # Errors
    /// A sentence, if the store does not take it.
    pub async fn issue_token(
        &self,
        role: Role,
        uses: u32,
        valid: Duration,
    ) -> Result<EnrolToken, String> {
        let token = EnrolToken::make(role, self.pin(), self.random.generator().as_mut());
        self.keep_token(&token, role, uses, valid).await?;
        Ok(token)
    }

    /// Keeps a token that somebody else chose.
    ///
    /// # Errors
    /// A sentence, if the store does not take it.
    pub async fn keep_token(
        &self,
        token: &EnrolToken,
        role: Role,
        uses: u32,
        valid: Duration,
    ) -> Result<(), String> {
        let hash = token.hash();
        let now = utc_ms();
        let row = rows::TokenRow {
            token: Some(admin::Token {
                id: hex::encode(&hash[..8]),
                role: role.into(),
                uses_left: uses.max(1),
                expires_utc_ms: now + u64::try_from(valid.as_millis()).unwrap_or(u64::MAX / 2),
                created_by: "system".into(),
                created_utc_ms: now,
                note: String::new(),
                hash: hash.to_vec().into(),
            }),
        };
        let key = hex::encode(hash);
        let txn = Txn::new().put(Key::Token(key.clone()), row.encode_to_vec());
        let written = self
            .directory
            .write(txn, vec![Effect::Token(key, row)])
            .await;
        written.map(drop).map_err(|e| e.to_string())
    }

    /// The pin of the authority, for tokens.
    #[must_use]
    pub fn pin(&self) -> Option<Pin> {
        self.authority.pin().ok()
    }

    /// Whether a certificate counts: its device's record names its serial number and is not switched off.
    #[must_use]
    pub fn knows(&self, identity: &PeerIdentity) -> bool {
        if identity.role == Role::Server {
            // There is one server in this release, and it dials nobody but itself.
            return *identity == self.own;
        }
        let book = self.directory.book();
        book.device(identity.node_id.as_str()).is_some_and(|kept| {
            let serial = normal_serial(&identity.certificate_serial);
            let device = kept.row.device.as_ref();
            let named = kept
                .row
                .certificate_serials
                .iter()
                .any(|s| normal_serial(s) == serial);
            named && device.is_some_and(|d| !d.disabled && d.role() == identity.role)
        })
    }

    /// An admin API has enrolled: the token that lay ready for it is worthless from now on.
    async fn drop_first_token(&self) {
        let Some(token) = self.first_token.lock().take() else {
            return;
        };
        if let Ok(token) = token.parse::<EnrolToken>() {
            let key = hex::encode(token.hash());
            let txn = Txn::new().delete(Key::Token(key.clone()));
            if let Err(error) = self.directory.write(txn, vec![Effect::NoToken(key)]).await {
                tracing::warn!(%error, "the first token stays valid until it expires");
            }
        }
        if let Err(error) = std::fs::remove_file(&self.token_file) {
            tracing::debug!(%error, "the file of the first token was gone already");
        }
    }

    fn check(&self, applicant: &Applicant) -> Result<(String, rows::TokenRow, u64), Rejection> {
        let key = hex::encode(applicant.token_hash);
        let book = self.directory.book();
        let kept = book.token(&key).ok_or(Rejection::WrongToken)?;
        let token = kept.row.token.clone().unwrap_or_default();
        if token.role() != applicant.role {
            return Err(Rejection::WrongToken);
        }
        if token.uses_left == 0 {
            return Err(Rejection::UsedToken);
        }
        if token.expires_utc_ms <= utc_ms() {
            return Err(Rejection::ExpiredToken);
        }
        Ok((key, kept.row.clone(), kept.revision))
    }

    /// The name of a new device: the wished one if it is free, else role and random digits.
    fn name(&self, applicant: &Applicant) -> NodeId {
        let book = self.directory.book();
        let same_unit = |name: &str| {
            book.device(name).is_some_and(|kept| {
                let device = kept.row.device.as_ref();
                device.is_some_and(|d| {
                    d.role() == applicant.role
                        && d.serial == applicant.serial
                        && !d.serial.is_empty()
                })
            })
        };
        if let Some(wished) = &applicant.wished_name
            && (book.device(wished.as_str()).is_none() || same_unit(wished.as_str()))
        {
            return wished.clone();
        }
        let mut generator = self.random.generator();
        loop {
            let name = format!(
                "{}-{:04x}",
                role_name(applicant.role),
                generator.next_u32() & 0xffff
            );
            if book.device(&name).is_none()
                && let Ok(node) = name.parse()
            {
                return node;
            }
        }
    }

    fn device_row(
        &self,
        applicant: &Applicant,
        node: &NodeId,
    ) -> Result<rows::DeviceRow, Rejection> {
        let book = self.directory.book();
        let before = book.device(node.as_str());
        let rpn = match (applicant.role, before) {
            (Role::Base, Some(kept)) if kept.row.has_rpn => Some(kept.row.rpn),
            (Role::Base, _) => Some(book.free_rpn().ok_or_else(|| {
                Rejection::Denied(
                    "256 base stations are all that one system can have; remove one first".into(),
                )
            })?),
            _ => None,
        };
        Ok(rows::DeviceRow {
            device: Some(admin::Device {
                node_id: node.as_str().into(),
                role: applicant.role.into(),
                serial: applicant.serial.clone(),
                release: applicant.release.clone(),
                rpn: rpn.unwrap_or(0),
                enrolled_utc_ms: utc_ms(),
                ..Default::default()
            }),
            certificate_serials: vec![applicant.certificate_serial.clone().into()],
            rpn: rpn.unwrap_or(0),
            has_rpn: rpn.is_some(),
        })
    }
}

#[tonic::async_trait]
impl Enroller for Admission {
    fn authority(&self) -> Arc<CertificateAuthority> {
        self.authority.clone()
    }

    async fn admit(&self, applicant: Applicant) -> Result<Admitted, Rejection> {
        let (key, mut token, token_revision) = self.check(&applicant)?;
        let node = self.name(&applicant);
        let row = self.device_row(&applicant, &node)?;
        let device_key = Key::Device(node.as_str().into());
        let device_revision = self
            .directory
            .book()
            .device(node.as_str())
            .map_or(0, |k| k.revision);
        let mut effects = vec![Effect::Device(node.as_str().into(), row.clone())];
        let mut txn = Txn::new()
            .if_unchanged(Key::Token(key.clone()), token_revision)
            .if_unchanged(device_key.clone(), device_revision)
            .put(device_key, row.encode_to_vec());
        if row.has_rpn {
            let rpn = Key::Rpn(u8::try_from(row.rpn).unwrap_or(u8::MAX));
            txn = txn.put(
                rpn,
                rows::RpnRow {
                    node_id: node.as_str().into(),
                }
                .encode_to_vec(),
            );
        }
        // A burnt token stays until it expires, so that its second user is told that it was used.
        if let Some(token) = &mut token.token {
            token.uses_left -= 1;
        }
        txn = txn.put(Key::Token(key.clone()), token.encode_to_vec());
        effects.push(Effect::Token(key, token));
        match self.directory.write(txn, effects).await {
            Ok(Some(_)) => {}
            Ok(None) => return Err(Rejection::UsedToken),
            Err(error) => return Err(Rejection::Unavailable(error.to_string())),
        }
        let mut device = row.device.unwrap_or_default();
        device.status = Some(admin::DeviceStatus {
            state: admin::DeviceState::Enrolled.into(),
            ..Default::default()
        });
        self.live.device(device);
        self.live.event(Told {
            code: "link.enrolled",
            severity: admin::Severity::Info,
            subject: node.as_str().into(),
            text: format!(
                "{} {node} enrolled from {}.",
                role_name(applicant.role),
                applicant.address.ip()
            ),
            remedy: String::new(),
        });
        if applicant.role == Role::Admin {
            self.drop_first_token().await;
        }
        let trusted = matches!(applicant.role, Role::Server | Role::Admin);
        Ok(Admitted {
            node_id: node,
            cluster_id: self.cluster_id.clone(),
            server_addresses: self.addresses.clone(),
            secret_key: trusted.then(|| self.secret.clone()),
        })
    }

    async fn renew(
        &self,
        identity: &PeerIdentity,
        certificate_serial: Vec<u8>,
    ) -> Result<(), Rejection> {
        let kept = self
            .directory
            .book()
            .device(identity.node_id.as_str())
            .cloned();
        let kept =
            kept.ok_or_else(|| Rejection::Denied("this device was removed; enrol it anew".into()))?;
        let mut row = kept.row.clone();
        row.certificate_serials.push(certificate_serial.into());
        let surplus = row.certificate_serials.len().saturating_sub(CERTIFICATES);
        row.certificate_serials.drain(..surplus);
        let key = Key::Device(identity.node_id.as_str().into());
        let txn = Txn::new()
            .if_unchanged(key.clone(), kept.revision)
            .put(key, row.encode_to_vec());
        match self
            .directory
            .write(
                txn,
                vec![Effect::Device(identity.node_id.as_str().into(), row)],
            )
            .await
        {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Rejection::Unavailable(
                "its record changed meanwhile; try again".into(),
            )),
            Err(error) => Err(Rejection::Unavailable(error.to_string())),
        }
    }

    fn rejected(&self, address: SocketAddr, role: Role, serial: &str, why: &str) {
        self.live.event(Told {
            code: "link.enrolment-refused",
            severity: admin::Severity::Warning,
            subject: address.ip().to_string(),
            text: format!(
                "A {} (serial {serial:?}) at {} could not enrol: {why}.",
                role_name(role),
                address.ip()
            ),
            remedy: "Make a new token on the devices page, and give it to the unit.".into(),
        });
    }
}

/// Tokens that expired are removed once a day has passed.
pub async fn tidy_tokens(directory: &Directory, now: SystemTime) {
    let now = crate::live::ms(now);
    let day = 24 * 3600 * 1000;
    let old: Vec<String> = directory
        .book()
        .tokens()
        .filter(|(_, kept)| {
            kept.row
                .token
                .as_ref()
                .is_none_or(|t| t.expires_utc_ms + day < now)
        })
        .map(|(hash, _)| hash.clone())
        .collect();
    for hash in old {
        let txn = Txn::new().delete(Key::Token(hash.clone()));
        // The next day sees to what could not be removed today.
        let _ = directory.write(txn, vec![Effect::NoToken(hash)]).await;
    }
}
