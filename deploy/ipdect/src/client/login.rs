//! Where the admin API is, and as whom to log in.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{ClientError, Session};

/// Port of the admin API on this machine.
const ADMIN: &str = "127.0.0.1:7461";

/// How to reach the admin API; what is not given is looked for in the data folder of `ipdect up`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Login {
    /// Admin API, host:port of its gRPC port.
    #[arg(long, value_name = "HOST:PORT", env = "IPDECT_ADMIN")]
    admin: Option<String>,
    /// The cluster's root certificate (PEM).
    #[arg(long, value_name = "FILE", env = "IPDECT_CA")]
    ca: Option<PathBuf>,
    /// Account.
    #[arg(
        long,
        value_name = "NAME",
        env = "IPDECT_USER",
        default_value = "admin"
    )]
    user: String,
    /// Its password; better given in the environment, where other users do not see it.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "IPDECT_PASSWORD",
        hide_env_values = true
    )]
    password: Option<String>,
}

impl Login {
    /// The password that was given.
    ///
    /// # Errors
    /// [`ClientError::Input`] if none was.
    pub(crate) fn password(&self) -> Result<&str, ClientError> {
        self.password.as_deref().ok_or_else(|| {
            ClientError::Input("set IPDECT_PASSWORD to the password of the account".into())
        })
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn open(&self, data: Option<&Path>) -> Result<Session, ClientError> {
        let address = self
            .admin
            .clone()
            .or_else(|| data.and_then(running_admin))
            .unwrap_or_else(|| ADMIN.to_owned());
        let root = self
            .ca
            .clone()
            .or_else(|| data.map(|data| data.join("server/pki/ca.pem")))
            .ok_or_else(|| {
                ClientError::Input("name the cluster's root certificate with --ca".into())
            })?;
        let root_pem =
            std::fs::read(&root).map_err(|source| ClientError::Root { path: root, source })?;
        let password = self.password()?;
        let mut session = Session::connect(&address, &root_pem).await?;
        session.login(&self.user, password).await?;
        Ok(session)
    }
}

/// The address that a running `ipdect up` has written down.
fn running_admin(data: &Path) -> Option<String> {
    let text = std::fs::read(data.join("run/admin.json")).ok()?;
    let content: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let bound: std::net::SocketAddr = content["addresses"]["grpc.listen"].as_str()?.parse().ok()?;
    let host = if bound.ip().is_unspecified() {
        std::net::Ipv4Addr::LOCALHOST.into()
    } else {
        bound.ip()
    };
    Some(std::net::SocketAddr::new(host, bound.port()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_system_tells_where_its_admin_api_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(running_admin(folder.path()), None);
        std::fs::create_dir(folder.path().join("run")).unwrap();
        let text = r#"{"addresses":{"grpc.listen":"0.0.0.0:7461"}}"#;
        std::fs::write(folder.path().join("run/admin.json"), text).unwrap();
        assert_eq!(
            running_admin(folder.path()).as_deref(),
            Some("127.0.0.1:7461")
        );
    }
}
