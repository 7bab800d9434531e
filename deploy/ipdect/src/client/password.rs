//! `ipdect password`: changes the password of the account, the first one too.

use clap::Args;
use ipdect_proto::admin::v1::ChangePasswordRequest;
use ipdect_proto::admin::v1::session_client::SessionClient;

use super::login::Login;
use super::{ClientError, Session};

/// The new password.
#[derive(Clone, Debug, Args)]
pub(crate) struct New {
    /// New password, 10 characters or more; better given in the environment.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "IPDECT_NEW_PASSWORD",
        hide_env_values = true
    )]
    new: Option<String>,
}

/// Changes it.
///
/// # Errors
/// [`ClientError`].
pub(crate) async fn run(session: &Session, login: &Login, new: New) -> Result<(), ClientError> {
    let new_password = new
        .new
        .ok_or_else(|| ClientError::Input("set IPDECT_NEW_PASSWORD to the new password".into()))?;
    let request = ChangePasswordRequest {
        old_password: login.password()?.to_owned(),
        new_password,
    };
    SessionClient::new(session.channel())
        .change_password(session.request(request))
        .await?;
    Ok(())
}
