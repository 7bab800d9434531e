//! The command line as a client of the admin API.

pub(crate) mod login;
pub(crate) mod password;
pub(crate) mod press;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod users;

use std::time::Duration;

use ipdect_proto::admin::v1::session_client::SessionClient;
use ipdect_proto::admin::v1::{LoginRequest, LoginResponse};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::host::attach::ADMIN_NAME;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Why a call of the admin API did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(
        "{address}: no admin API answers there ({why}); name another with --admin, or start one"
    )]
    Unreachable { address: String, why: String },
    #[error("{}: {source}; name the cluster's root certificate with --ca", path.display())]
    Root {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("the admin API says no ({}): {}", code_name(.0.code()), .0.message())]
    Refused(#[from] tonic::Status),
    #[error("{0}")]
    Input(String),
    #[error("{0} line(s) not imported")]
    Lines(u64),
}

fn code_name(code: tonic::Code) -> String {
    format!("{code:?}")
}

/// An open session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    channel: Channel,
    bearer: Option<MetadataValue<Ascii>>,
}

impl Session {
    /// Connects to an admin API whose certificate the root vouches for.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`].
    pub(crate) async fn connect(address: &str, root_pem: &[u8]) -> Result<Self, ClientError> {
        let unreachable = |error: tonic::transport::Error| {
            let mut why = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                why = format!("{why}: {inner}");
                source = inner.source();
            }
            ClientError::Unreachable {
                address: address.to_owned(),
                why,
            }
        };
        let tls = ClientTlsConfig::new()
            .domain_name(ADMIN_NAME)
            .ca_certificate(Certificate::from_pem(root_pem));
        let channel = Endpoint::from_shared(format!("https://{address}"))
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(unreachable)?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(unreachable)?;
        Ok(Self {
            channel,
            bearer: None,
        })
    }

    /// Logs in; later calls are made as this account.
    ///
    /// # Errors
    /// [`ClientError::Refused`].
    pub(crate) async fn login(
        &mut self,
        name: &str,
        password: &str,
    ) -> Result<LoginResponse, ClientError> {
        let request = LoginRequest {
            name: name.to_owned(),
            password: password.to_owned(),
        };
        let response = SessionClient::new(self.channel())
            .login(request)
            .await?
            .into_inner();
        let bearer = format!("Bearer {}", response.session_token)
            .parse()
            .map_err(|_| ClientError::Input("the session token is no header value".into()))?;
        self.bearer = Some(bearer);
        Ok(response)
    }

    /// The channel, for a client of one service.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A request in the name of the account.
    pub(crate) fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Some(bearer) = &self.bearer {
            request
                .metadata_mut()
                .insert("authorization", bearer.clone());
        }
        request
    }
}
