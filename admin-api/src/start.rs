//! Starts the admin API: enrolment, the first account, gRPC, the web GUI.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipdect_link::enrol::{EnrolError, Enrolling, enrol};
use ipdect_link::pki::ca::pin_of;
use ipdect_link::pki::credentials::{Credentials, read_root};
use ipdect_link::pki::tls::client_config;
use ipdect_link::release::Release;
use ipdect_link::role::Role;
use ipdect_link::token::EnrolToken;
use ipdect_node::listen::refused;
use ipdect_node::run_file::{Lock, RunFile, create_dir};
use ipdect_node::{Control, Ended, Environment, Running, StartError};
use ipdect_proto::FILE_DESCRIPTOR_SET;
use ipdect_proto::admin::v1::audit_server::AuditServer;
use ipdect_proto::admin::v1::calls_server::CallsServer;
use ipdect_proto::admin::v1::devices_server::DevicesServer;
use ipdect_proto::admin::v1::events_server::EventsServer;
use ipdect_proto::admin::v1::handsets_server::HandsetsServer;
use ipdect_proto::admin::v1::session_server::SessionServer;
use ipdect_proto::admin::v1::settings_server::SettingsServer;
use ipdect_proto::admin::v1::tokens_server::TokensServer;
use ipdect_proto::admin::v1::users_server::UsersServer;
use ipdect_proto::admin::v1::virtual_handsets_server::VirtualHandsetsServer;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tracing::{info, warn};

use crate::api::Api;
use crate::api::upstream::Upstream;
use crate::config::Config;
use crate::service::Services;
use crate::web;

/// Pause between two tries to reach a server at the start.
const RETRY: Duration = Duration::from_millis(500);
/// Pause between two warnings that the first password still stands while others could reach us.
const WARN_EVERY: Duration = Duration::from_secs(3600);

/// Starts the admin API. Needs a server for enrolment, and waits for one.
///
/// # Errors
/// [`StartError`] that names the key, the value and the remedy.
pub async fn start(config: Config, env: Environment) -> Result<Running, StartError> {
    let folder = config.common.data_dir.clone();
    create_dir(&folder)?;
    let lock = Lock::take(&folder)?;
    let grpc = ipdect_node::bind_tcp("grpc.listen", config.grpc_listen).await?;
    let https = listen("web.listen", config.web_listen)?;
    let plain = listen("web.plain", config.web_plain)?;
    let addresses = [
        (
            "grpc.listen",
            local("grpc.listen", config.grpc_listen, grpc.local_addr())?,
        ),
        (
            "web.listen",
            local("web.listen", config.web_listen, https.local_addr())?,
        ),
        (
            "web.plain",
            local("web.plain", config.web_plain, plain.local_addr())?,
        ),
    ];
    let credentials = Arc::new(credentials(&config, &folder).await?);
    let servers: Vec<String> = config.servers.iter().map(ToString::to_string).collect();
    let tls = client_config(&credentials).map_err(pki)?;
    let pin = pin_of(&credentials.ca).ok();
    let api = Api::new(
        Upstream::new(servers, tls),
        env.random.clone(),
        config.bootstrap_password.clone(),
        pin,
    );

    let stop = CancellationToken::new();
    let services = Services::new(api.clone(), credentials.identity.cluster_id.clone());
    let server = serve_grpc(grpc, services, &folder.join("pki"), stop.clone())?;
    let web_tls = crate::web_tls::config(&folder).map_err(|what| {
        other(
            what,
            "remove admin/web.pem and web.key to have them made anew",
        )
    })?;
    let pages = web::serve(api.clone(), https, web_tls, plain, stop.clone());

    let (running, control) = Running::new("admin", addresses);
    let run_file = RunFile::write(&folder, &Release::ours().to_string(), &running)?;
    let exposed = !addresses[1].1.ip().is_loopback();
    tokio::spawn(work(api, control, stop, exposed, (lock, run_file)));
    tokio::spawn(async move {
        if let Err(error) = pages.await {
            warn!(%error, "the web GUI closed");
        }
    });
    tokio::spawn(async move {
        if let Err(error) = server.await {
            warn!(%error, "the admin API closed");
        }
    });
    Ok(running)
}

/// Makes the first account, says when everything is ready, and waits for the end.
async fn work(
    api: Api,
    mut control: Control,
    stop: CancellationToken,
    exposed: bool,
    held: (Lock, RunFile),
) {
    let ready = async {
        while let Err(status) = api.bootstrap().await {
            control.set_not_ready(vec![status.message().to_string()]);
            tokio::time::sleep(RETRY).await;
        }
    };
    ready.await;
    control.set_ready();
    info!("admin API started");
    let warner = tokio::spawn(warn_of_bootstrap(api, exposed));
    control.drain_asked().await;
    warner.abort();
    stop.cancel();
    // Streams of watchers end with the connection; the pages' last answers go out.
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(held);
    control.ended(Ended::Cleanly);
}

/// While the first password stands and others than this machine can reach the page: a warning each hour.
async fn warn_of_bootstrap(api: Api, exposed: bool) {
    loop {
        let stands = api.bootstrap_stands().await.unwrap_or(false);
        metrics::gauge!("ipdect_admin_bootstrap_password").set(f64::from(u8::from(stands)));
        if stands && exposed {
            warn!(
                "the first password of `admin` was not changed, and the page can be reached from other machines"
            );
        }
        tokio::time::sleep(WARN_EVERY).await;
    }
}

async fn credentials(config: &Config, folder: &Path) -> Result<Credentials, StartError> {
    let pki_folder = folder.join("pki");
    if let Some(found) = Credentials::load(&pki_folder).map_err(pki)? {
        return Ok(found);
    }
    let enrolling = enrolling(config, pki_folder.clone())?;
    loop {
        match enrol(&enrolling).await {
            Ok(enrolled) => {
                if let Some(key) = &enrolled.secret_key {
                    let path = folder.join("secret.key");
                    ipdect_link::pki::credentials::write_secret(&path, &key.0).map_err(pki)?;
                }
                info!(node = %enrolled.credentials.identity.node_id, "enrolled");
                return Credentials::load(&pki_folder).map_err(pki)?.ok_or_else(|| {
                    other(
                        "enrolment left no files".into(),
                        "see that the data directory can be written",
                    )
                });
            }
            Err(EnrolError::Unreachable(why)) => {
                info!(why, "waiting for a server");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => {
                return Err(StartError::Enrol {
                    what: error.to_string(),
                    remedy: "put a new token into enrol.token; the server writes one to enrol/admin.token".into(),
                    usage: matches!(error, EnrolError::NoAnchor | EnrolError::NoServer),
                });
            }
        }
    }
}

fn enrolling(config: &Config, folder: PathBuf) -> Result<Enrolling, StartError> {
    let usage = |what: String| StartError::Enrol {
        what,
        remedy:
            "write enrol.token = \"admin.…\"; the server writes the first one to enrol/admin.token"
                .into(),
        usage: true,
    };
    if config.token.0.trim().is_empty() {
        return Err(usage(
            "enrol.token is missing, and this node has not enrolled yet".into(),
        ));
    }
    let token: EnrolToken = config
        .token
        .0
        .trim()
        .parse()
        .map_err(|e| usage(format!("enrol.token: {e}")))?;
    if token.role != Role::Admin {
        return Err(usage("enrol.token is for another role".into()));
    }
    let root = config
        .ca_file
        .as_deref()
        .map(read_root)
        .transpose()
        .map_err(pki)?;
    Ok(Enrolling {
        servers: config.servers.iter().map(ToString::to_string).collect(),
        token,
        root,
        serial: config
            .common
            .node_id
            .clone()
            .unwrap_or_else(|| "admin".into()),
        release: Release::ours(),
        wished_name: config.common.node_id.clone().unwrap_or_default(),
        folder,
    })
}

fn serve_grpc(
    listener: TcpListener,
    services: Services,
    pki_folder: &Path,
    stop: CancellationToken,
) -> Result<impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static, StartError>
{
    let read = |name: &str| {
        let path = pki_folder.join(name);
        std::fs::read(&path)
            .map_err(|e| StartError::file(path, e, "enrol anew: remove the folder pki"))
    };
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(read("node.pem")?, read("node.key")?))
        .client_ca_root(Certificate::from_pem(read("ca.pem")?))
        .client_auth_optional(true);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|e| {
            other(
                e.to_string(),
                "report this: the contracts cannot be described",
            )
        })?;
    let (health, health_service) = tonic_health::server::health_reporter();
    let mut server = Server::builder()
        .tls_config(tls)
        .map_err(|e| other(e.to_string(), "see the files in the folder pki"))?;
    let router = server
        .add_service(health_service)
        .add_service(reflection)
        .add_service(SessionServer::new(services.clone()))
        .add_service(UsersServer::new(services.clone()))
        .add_service(HandsetsServer::new(services.clone()))
        .add_service(DevicesServer::new(services.clone()))
        .add_service(CallsServer::new(services.clone()))
        .add_service(EventsServer::new(services.clone()))
        .add_service(SettingsServer::new(services.clone()))
        .add_service(TokensServer::new(services.clone()))
        .add_service(AuditServer::new(services.clone()))
        .add_service(VirtualHandsetsServer::new(services));
    Ok(async move {
        health
            .set_service_status("", tonic_health::ServingStatus::Serving)
            .await;
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        // Watchers hold their streams open for ever: they are cut when the time is over.
        tokio::select! {
            served = router.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.cancelled()) => served,
            () = late => Ok(()),
        }
    })
}

fn listen(key: &str, address: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    let listener = std::net::TcpListener::bind(address).map_err(|e| refused(key, address, e))?;
    listener
        .set_nonblocking(true)
        .map_err(|e| refused(key, address, e))?;
    Ok(listener)
}

fn local(
    key: &str,
    asked: SocketAddr,
    found: std::io::Result<SocketAddr>,
) -> Result<SocketAddr, StartError> {
    found.map_err(|e| refused(key, asked, e))
}

fn pki(error: ipdect_link::pki::PkiError) -> StartError {
    other(
        error.to_string(),
        "see the files in the folder pki of the data directory",
    )
}

fn other(what: String, remedy: &str) -> StartError {
    StartError::Other {
        what,
        remedy: remedy.into(),
    }
}
