//! Devices, handsets and their subscriptions, enrolment tokens.

use std::time::{Duration, SystemTime};

use ipdect_link::role::Role;
use ipdect_link::token::EnrolToken;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::AccountRole;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::live_item::Item;
use ipdect_proto::cluster::v1::resource::Value;
use tonic::Status;

use super::Api;
use super::caller::Caller;
use super::sessions::utc_ms;
use super::upstream::{Actor, delete, put};
use super::users::page;

/// Life of a token unless asked otherwise, and at the most.
const TOKEN_LIFE: (u32, u32) = (24 * 3600, 30 * 24 * 3600);

impl Api {
    /// Servers and devices with what they do now, refused ones with reason and remedy.
    ///
    /// # Errors
    /// For viewers and up.
    pub async fn devices_list(
        &self,
        caller: &Caller,
        role: Role,
    ) -> Result<Vec<admin::Device>, Status> {
        caller.must_be(AccountRole::Viewer)?;
        let items = self
            .upstream()
            .live_list(rows::LiveKind::Device, "", 0)
            .await?;
        let devices = items.into_iter().filter_map(|i| match i {
            Item::Device(device) => Some(self.with_attachment(device)),
            _ => None,
        });
        Ok(devices
            .filter(|d| role == Role::Unspecified || d.role() == role)
            .collect())
    }

    /// Changes site, note or `disabled` of a device.
    ///
    /// # Errors
    /// For administrators.
    pub async fn device_update(
        &self,
        caller: &Caller,
        request: admin::UpdateDeviceRequest,
    ) -> Result<admin::Device, Status> {
        caller.must_be(AccountRole::Administrator)?;
        let device = request
            .device
            .ok_or_else(|| Status::invalid_argument("device: is missing"))?;
        let (node, revision) = (device.node_id.clone(), device.revision);
        let change = put(rows::Kind::Device, &node, revision, Value::Device(device));
        let written = self
            .upstream()
            .apply(&Actor::from(caller), &request.reason, false, vec![change])
            .await?;
        let device = written.into_iter().find_map(|r| match r.value {
            Some(Value::Device(device)) => Some(device),
            _ => None,
        });
        device.ok_or_else(|| Status::internal("the server did not tell the device back"))
    }

    /// Removes a device; its certificate no longer counts.
    ///
    /// # Errors
    /// For administrators.
    pub async fn device_delete(
        &self,
        caller: &Caller,
        node: &str,
        reason: &str,
    ) -> Result<(), Status> {
        caller.must_be(AccountRole::Administrator)?;
        let change = delete(rows::Kind::Device, node, 0);
        self.upstream()
            .apply(&Actor::from(caller), reason, false, vec![change])
            .await
            .map(drop)
    }

    /// One page of handsets with what they do now.
    ///
    /// # Errors
    /// For viewers and up.
    pub async fn handsets_list(
        &self,
        caller: &Caller,
        request: admin::ListHandsetsRequest,
    ) -> Result<admin::ListHandsetsResponse, Status> {
        caller.must_be(AccountRole::Viewer)?;
        let items = self
            .upstream()
            .live_list(rows::LiveKind::Handset, "", 0)
            .await?;
        let filter = request.filter.trim().to_lowercase();
        let mut handsets: Vec<admin::Handset> = items
            .into_iter()
            .filter_map(|i| match i {
                Item::Handset(h) => Some(h),
                _ => None,
            })
            .filter(|h| {
                filter.is_empty()
                    || h.ipei.contains(&filter)
                    || h.username.to_lowercase().contains(&filter)
            })
            .collect();
        handsets.sort_by(|a, b| a.ipei.cmp(&b.ipei));
        let keyed = handsets.into_iter().map(|h| (h.ipei.clone(), h));
        let (handsets, next_page_token) = page(keyed, request.page_size, &request.page_token);
        Ok(admin::ListHandsetsResponse {
            handsets,
            next_page_token,
        })
    }

    /// Opens the system for subscriptions; answers until when, milliseconds since 1970.
    ///
    /// # Errors
    /// For operators and up.
    pub async fn subscription_open(&self, caller: &Caller, seconds: u32) -> Result<u64, Status> {
        self.subscription(caller, true, seconds).await
    }

    /// Closes it.
    ///
    /// # Errors
    /// For operators and up.
    pub async fn subscription_close(&self, caller: &Caller) -> Result<(), Status> {
        self.subscription(caller, false, 0).await.map(drop)
    }

    async fn subscription(&self, caller: &Caller, open: bool, seconds: u32) -> Result<u64, Status> {
        caller.must_be(AccountRole::Operator)?;
        let request = rows::SetSubscriptionRequest {
            open,
            seconds,
            actor: caller.name.clone(),
        };
        let answer = self
            .upstream()
            .live()
            .await?
            .set_subscription(request)
            .await?;
        Ok(answer.into_inner().until_utc_ms)
    }

    /// Removes a handset's subscription.
    ///
    /// # Errors
    /// For operators and up.
    pub async fn handset_unsubscribe(
        &self,
        caller: &Caller,
        ipei: &str,
        reason: &str,
    ) -> Result<(), Status> {
        caller.must_be(AccountRole::Operator)?;
        let handset = admin::Handset {
            ipei: ipei.into(),
            subscribed: false,
            ..Default::default()
        };
        let change = put(rows::Kind::Handset, ipei, 0, Value::Handset(handset));
        self.upstream()
            .apply(&Actor::from(caller), reason, false, vec![change])
            .await
            .map(drop)
    }

    /// Attempts to subscribe, latest first.
    ///
    /// # Errors
    /// For viewers and up.
    pub async fn attempts(
        &self,
        caller: &Caller,
        limit: u32,
    ) -> Result<Vec<admin::SubscriptionAttempt>, Status> {
        caller.must_be(AccountRole::Viewer)?;
        let limit = if limit == 0 { 100 } else { limit };
        let items = self
            .upstream()
            .live_list(rows::LiveKind::Attempt, "", limit)
            .await?;
        let attempts = items.into_iter().filter_map(|i| match i {
            Item::Attempt(attempt) => Some(attempt),
            _ => None,
        });
        Ok(attempts.collect())
    }

    /// Makes an enrolment token; its text is told this once.
    ///
    /// # Errors
    /// For administrators.
    pub async fn token_create(
        &self,
        caller: &Caller,
        request: admin::CreateTokenRequest,
    ) -> Result<admin::CreateTokenResponse, Status> {
        caller.must_be(AccountRole::Administrator)?;
        let role = request.role();
        if matches!(role, Role::Unspecified | Role::Server) {
            return Err(Status::invalid_argument(
                "role: use base, media, admin or host",
            ));
        }
        let life = if request.valid_s == 0 {
            TOKEN_LIFE.0
        } else {
            request.valid_s
        };
        if life > TOKEN_LIFE.1 {
            return Err(Status::invalid_argument(
                "valid_s: 30 days (2592000) at the most",
            ));
        }
        let token = EnrolToken::make(role, self.0.pin, self.0.random.generator().as_mut());
        let hash = token.hash();
        let now = SystemTime::now();
        let kept = admin::Token {
            id: hex::encode(&hash[..8]),
            role: role.into(),
            uses_left: request.uses.max(1),
            expires_utc_ms: utc_ms(now + Duration::from_secs(u64::from(life))),
            created_by: caller.name.clone(),
            created_utc_ms: utc_ms(now),
            note: request.note,
            hash: hash.to_vec().into(),
        };
        let change = put(rows::Kind::Token, "", 0, Value::Token(kept.clone()));
        self.upstream()
            .apply(&Actor::from(caller), "", false, vec![change])
            .await?;
        let shown = admin::Token {
            hash: bytes::Bytes::new(),
            ..kept
        };
        Ok(admin::CreateTokenResponse {
            text: token.reveal(),
            token: Some(shown),
        })
    }

    /// Tokens that may still be used.
    ///
    /// # Errors
    /// For administrators.
    pub async fn token_list(&self, caller: &Caller) -> Result<Vec<admin::Token>, Status> {
        caller.must_be(AccountRole::Administrator)?;
        let now = utc_ms(SystemTime::now());
        let all = self.upstream().list(rows::Kind::Token).await?;
        let tokens = all.into_iter().filter_map(|r| match r.value {
            Some(Value::Token(token)) => Some(admin::Token {
                hash: bytes::Bytes::new(),
                ..token
            }),
            _ => None,
        });
        Ok(tokens
            .filter(|t| t.uses_left > 0 && t.expires_utc_ms > now)
            .collect())
    }

    /// Makes a token worthless.
    ///
    /// # Errors
    /// For administrators.
    pub async fn token_revoke(&self, caller: &Caller, id: &str) -> Result<(), Status> {
        caller.must_be(AccountRole::Administrator)?;
        let all = self.upstream().list(rows::Kind::Token).await?;
        let key = all
            .into_iter()
            .map(|r| r.key)
            .find(|key| !id.is_empty() && key.starts_with(id));
        let key = key.ok_or_else(|| Status::not_found(format!("there is no token `{id}`")))?;
        let change = delete(rows::Kind::Token, &key, 0);
        self.upstream()
            .apply(&Actor::from(caller), "", false, vec![change])
            .await
            .map(drop)
    }
}
