//! The web GUI: pages made on the server, live state by server-sent events, no framework.
//!
//! A handler asks [`Api`] in the name of the caller, turns the answer into plain view structs (pure, tested
//! without server), and renders a compiled template.

mod answer;
mod assets;
mod board;
mod changes;
mod fields;
mod live;
mod pages;
mod settings;
#[cfg(test)]
mod tests;
mod trouble;
mod views;
mod visit;
mod words;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actix_web::middleware::{Compress, DefaultHeaders};
use actix_web::{HttpServer, web};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use board::Board;

/// Threads that serve pages; the work is small.
const WORKERS: usize = 2;
/// How long open requests may take when the program ends, seconds.
const STOP_LIMIT_S: u64 = 2;
/// Nothing but our own files runs, is loaded or frames us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What all handlers share.
#[derive(Clone)]
pub(crate) struct Gui {
    /// The door to everything.
    pub(crate) api: Api,
    /// What happens now.
    pub(crate) board: Board,
    /// End of the subscription window opened from a page, milliseconds since 1970; 0: none.
    pub(crate) window: Arc<AtomicU64>,
    /// The program ends.
    pub(crate) stop: CancellationToken,
}

/// Serves the pages until `stop`, on a thread with an actix system of its own.
///
/// # Errors
/// What the system says of the sockets or the thread.
pub async fn serve(
    api: Api,
    listen_https: TcpListener,
    tls: rustls::ServerConfig,
    listen_plain: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let board = Board::new();
    let following = tokio::spawn(board.clone().follow(api.upstream().clone(), stop.clone()));
    let gui = Gui {
        api,
        board,
        window: Arc::default(),
        stop,
    };
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("web".into());
    thread.spawn(move || {
        let served = actix_rt::System::new().block_on(run(gui, listen_https, tls, listen_plain));
        // Nobody waits any more: that is no error.
        let _ = tell.send(served);
    })?;
    let served = told.await;
    following.abort();
    served.unwrap_or_else(|_| {
        Err(io::Error::other(
            "the thread of the web pages died; its panic is in the log",
        ))
    })
}

async fn run(
    gui: Gui,
    listen_https: TcpListener,
    tls: rustls::ServerConfig,
    listen_plain: TcpListener,
) -> io::Result<()> {
    let stop = gui.stop.clone();
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(web::Data::new(gui.clone()))
            .app_data(web::FormConfig::default().limit(visit::FORM_MAX))
            .wrap(Compress::default())
            .wrap(headers())
            .configure(pages::routes)
    })
    .workers(WORKERS)
    .shutdown_timeout(STOP_LIMIT_S)
    .disable_signals()
    .listen(listen_plain)?
    .listen_rustls_0_23(listen_https, tls)?
    .run();
    let handle = server.handle();
    actix_rt::spawn(async move {
        stop.cancelled().await;
        handle.stop(true).await;
    });
    server.await
}

fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Content-Security-Policy", POLICY))
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add((
            "Permissions-Policy",
            "camera=(), geolocation=(), microphone=()",
        ))
}
