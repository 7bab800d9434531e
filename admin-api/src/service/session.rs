//! `Session`: login of people and programs.

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::session_server::Session;
use tonic::{Request, Response, Status};

use super::{Services, address};

#[tonic::async_trait]
impl Session for Services {
    async fn login(
        &self,
        request: Request<admin::LoginRequest>,
    ) -> Result<Response<admin::LoginResponse>, Status> {
        let from = address(request.extensions());
        let wanted = request.into_inner();
        let (session_token, account) = self.api.login(&wanted.name, &wanted.password, from).await?;
        let expires_utc_ms = self.api.caller(&session_token, from)?.expires_utc_ms;
        Ok(Response::new(admin::LoginResponse {
            session_token,
            expires_utc_ms,
            account: Some(account),
        }))
    }

    async fn logout(
        &self,
        request: Request<admin::LogoutRequest>,
    ) -> Result<Response<admin::LogoutResponse>, Status> {
        let caller = self.caller(&request)?;
        self.api.logout(&caller);
        Ok(Response::new(admin::LogoutResponse {}))
    }

    async fn change_password(
        &self,
        request: Request<admin::ChangePasswordRequest>,
    ) -> Result<Response<admin::ChangePasswordResponse>, Status> {
        let caller = self.caller(&request)?;
        let wanted = request.into_inner();
        self.api
            .change_password(&caller, &wanted.old_password, &wanted.new_password)
            .await?;
        Ok(Response::new(admin::ChangePasswordResponse {}))
    }

    async fn who_am_i(
        &self,
        request: Request<admin::WhoAmIRequest>,
    ) -> Result<Response<admin::WhoAmIResponse>, Status> {
        let caller = self.caller(&request)?;
        let account = admin::Account {
            name: caller.name,
            role: caller.role.into(),
            must_change: caller.must_change,
            ..Default::default()
        };
        Ok(Response::new(admin::WhoAmIResponse {
            account: Some(account),
            expires_utc_ms: caller.expires_utc_ms,
        }))
    }
}
