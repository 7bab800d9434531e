//! `Users`, `Devices`, `Settings`, `Tokens`, `Audit`: what is configured.

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::audit_server::Audit;
use ipdect_proto::admin::v1::settings_server::Settings;
use ipdect_proto::admin::v1::tokens_server::Tokens;
use ipdect_proto::admin::v1::users_server::Users;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::Services;
use crate::api::import::FILE_MAX;

#[tonic::async_trait]
impl Users for Services {
    async fn list(
        &self,
        request: Request<admin::ListUsersRequest>,
    ) -> Result<Response<admin::ListUsersResponse>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .users_list(&caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get(
        &self,
        request: Request<admin::GetUserRequest>,
    ) -> Result<Response<admin::User>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .user_get(&caller, &request.into_inner().id)
            .await
            .map(Response::new)
    }

    async fn create(
        &self,
        request: Request<admin::CreateUserRequest>,
    ) -> Result<Response<admin::User>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .user_create(&caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn update(
        &self,
        request: Request<admin::UpdateUserRequest>,
    ) -> Result<Response<admin::User>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .user_update(&caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn delete(
        &self,
        request: Request<admin::DeleteUserRequest>,
    ) -> Result<Response<admin::DeleteUserResponse>, Status> {
        let caller = self.caller(&request)?;
        self.api.user_delete(&caller, request.into_inner()).await?;
        Ok(Response::new(admin::DeleteUserResponse {}))
    }

    type ImportStream = ReceiverStream<Result<admin::ImportUsersReport, Status>>;

    async fn import(
        &self,
        request: Request<Streaming<admin::ImportUsersRequest>>,
    ) -> Result<Response<Self::ImportStream>, Status> {
        let caller = self.caller(&request)?;
        let mut pieces = request.into_inner();
        let mut file = Vec::new();
        let mut options = None;
        while let Some(piece) = pieces.message().await? {
            let _ = options.get_or_insert((piece.dry_run, piece.update_existing));
            file.extend_from_slice(&piece.chunk);
            if file.len() > FILE_MAX {
                return Err(Status::invalid_argument(
                    "file: has more than 4 MiB; split it",
                ));
            }
        }
        let (dry_run, update_existing) = options.unwrap_or_default();
        let reports = self
            .api
            .users_import(&caller, &file, dry_run, update_existing)
            .await?;
        let (queue, stream) = tokio::sync::mpsc::channel(64);
        tokio::spawn(async move {
            for report in reports {
                if queue.send(Ok(report)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

#[tonic::async_trait]
impl Settings for Services {
    async fn get(
        &self,
        request: Request<admin::GetSettingsRequest>,
    ) -> Result<Response<admin::SettingsDocument>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .settings_get(&caller, request.into_inner().scope())
            .await
            .map(Response::new)
    }

    async fn update(
        &self,
        request: Request<admin::UpdateSettingsRequest>,
    ) -> Result<Response<admin::SettingsDocument>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .settings_update(&caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn history(
        &self,
        request: Request<admin::SettingsHistoryRequest>,
    ) -> Result<Response<admin::SettingsHistoryResponse>, Status> {
        let caller = self.caller(&request)?;
        let wanted = request.into_inner();
        let versions = self
            .api
            .settings_history(&caller, wanted.scope(), wanted.limit)
            .await?;
        Ok(Response::new(admin::SettingsHistoryResponse { versions }))
    }
}

#[tonic::async_trait]
impl Tokens for Services {
    async fn create(
        &self,
        request: Request<admin::CreateTokenRequest>,
    ) -> Result<Response<admin::CreateTokenResponse>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .token_create(&caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn list(
        &self,
        request: Request<admin::ListTokensRequest>,
    ) -> Result<Response<admin::ListTokensResponse>, Status> {
        let caller = self.caller(&request)?;
        let tokens = self.api.token_list(&caller).await?;
        Ok(Response::new(admin::ListTokensResponse { tokens }))
    }

    async fn revoke(
        &self,
        request: Request<admin::RevokeTokenRequest>,
    ) -> Result<Response<admin::RevokeTokenResponse>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .token_revoke(&caller, &request.into_inner().id)
            .await?;
        Ok(Response::new(admin::RevokeTokenResponse {}))
    }
}

#[tonic::async_trait]
impl Audit for Services {
    async fn list(
        &self,
        request: Request<admin::ListAuditRequest>,
    ) -> Result<Response<admin::ListAuditResponse>, Status> {
        let caller = self.caller(&request)?;
        let entries = self.api.audit_list(&caller, request.into_inner()).await?;
        Ok(Response::new(admin::ListAuditResponse { entries }))
    }
}
