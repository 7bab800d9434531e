//! Settings documents: read, change.

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::settings_document::Scope;
use ipdect_proto::admin::v1::{AccountRole, SettingsScope};
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::resource::Value;
use tonic::Status;

use super::Api;
use super::caller::Caller;
use super::upstream::{Actor, put};

/// The key of a scope in the directory.
#[must_use]
pub fn scope_key(scope: SettingsScope) -> Option<&'static str> {
    Some(match scope {
        SettingsScope::Sip => "sip",
        SettingsScope::Proxies => "proxies",
        SettingsScope::Domain => "domain",
        SettingsScope::Dect => "dect",
        SettingsScope::Media => "media",
        SettingsScope::Links => "links",
        SettingsScope::General => "general",
        SettingsScope::Lync => "lync",
        SettingsScope::Unspecified => return None,
    })
}

fn key_of(scope: &Scope) -> &'static str {
    match scope {
        Scope::Sip(_) => "sip",
        Scope::Proxies(_) => "proxies",
        Scope::Domain(_) => "domain",
        Scope::Dect(_) => "dect",
        Scope::Media(_) => "media",
        Scope::Links(_) => "links",
        Scope::General(_) => "general",
        Scope::Lync(_) => "lync",
    }
}

impl Api {
    /// One document. The system's access code is for administrators.
    ///
    /// # Errors
    /// For viewers and up.
    pub async fn settings_get(
        &self,
        caller: &Caller,
        scope: SettingsScope,
    ) -> Result<admin::SettingsDocument, Status> {
        caller.must_be(AccountRole::Viewer)?;
        let key = scope_key(scope)
            .ok_or_else(|| Status::invalid_argument("scope: say which document is meant"))?;
        let found = self.upstream().get(rows::Kind::Settings, key).await?;
        let document = found.and_then(|r| match r.value {
            Some(Value::Settings(document)) => Some(document),
            _ => None,
        });
        let mut document =
            document.ok_or_else(|| Status::not_found(format!("there is no scope `{key}`")))?;
        if let Some(Scope::Dect(dect)) = &mut document.scope
            && caller.role < AccountRole::Administrator
        {
            dect.access_code.clear();
        }
        Ok(document)
    }

    /// Writes a whole document; the revision must be the one that was read.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with every mistake.
    pub async fn settings_update(
        &self,
        caller: &Caller,
        request: admin::UpdateSettingsRequest,
    ) -> Result<admin::SettingsDocument, Status> {
        caller.must_be(AccountRole::Administrator)?;
        let document = request
            .document
            .ok_or_else(|| Status::invalid_argument("document: is missing"))?;
        let scope = document
            .scope
            .as_ref()
            .ok_or_else(|| Status::invalid_argument("document: has no scope"))?;
        let (key, revision) = (key_of(scope), document.revision);
        let change = put(
            rows::Kind::Settings,
            key,
            revision,
            Value::Settings(document.clone()),
        );
        let written = self
            .upstream()
            .apply(
                &Actor::from(caller),
                &request.reason,
                request.dry_run,
                vec![change],
            )
            .await?;
        let now = written.into_iter().find_map(|r| match r.value {
            Some(Value::Settings(document)) => Some(document),
            _ => None,
        });
        // A dry run has written nothing: what was asked for is what would be.
        Ok(now.unwrap_or(document))
    }

    /// Former versions of a document, latest first.
    ///
    /// # Errors
    /// For administrators.
    pub async fn settings_history(
        &self,
        caller: &Caller,
        scope: SettingsScope,
        limit: u32,
    ) -> Result<Vec<admin::SettingsVersion>, Status> {
        caller.must_be(AccountRole::Administrator)?;
        let key = scope_key(scope)
            .ok_or_else(|| Status::invalid_argument("scope: say which document is meant"))?;
        let limit = if limit == 0 { 20 } else { limit.min(1000) };
        self.upstream().history(key, limit).await
    }
}
