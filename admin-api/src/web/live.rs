//! Live pages: the body is rendered anew when something happened, and sent as a server-sent event if it differs.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderValue};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use ipdect_proto::admin::v1::Portable;
use tokio::sync::{broadcast, watch};

use super::fields::Fields;
use super::pages;
use super::visit::Visit;

/// Changes within this time make one event: a page need not be faster than an eye.
const GATHER: Duration = Duration::from_millis(250);
/// A sign of life, for proxies in between and to notice a browser that is gone.
const ALIVE: Duration = Duration::from_secs(15);

struct Listener {
    visit: Visit,
    page: String,
    query: Fields,
    sent: String,
    over: bool,
    board: watch::Receiver<u64>,
    portables: broadcast::Receiver<Portable>,
}

/// The stream of one page.
pub(crate) async fn live(
    visit: Visit,
    page: web::Path<String>,
    query: web::Query<Vec<(String, String)>>,
) -> HttpResponse {
    let listener = Listener {
        board: visit.gui.board.changes(),
        portables: visit.gui.api.portables().subscribe(),
        visit,
        page: page.into_inner(),
        query: Fields::new(query.into_inner()),
        sent: String::new(),
        over: false,
    };
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // An encoder would hold events back.
        .insert_header((CONTENT_ENCODING, HeaderValue::from_static("identity")))
        .streaming(stream::unfold(listener, next))
}

async fn next(mut listener: Listener) -> Option<(Result<Bytes, Infallible>, Listener)> {
    if listener.over {
        return None;
    }
    loop {
        // Asking for the secret does not prolong the session; an open page shall not live for ever.
        if listener
            .visit
            .gui
            .api
            .csrf(&listener.visit.caller)
            .is_empty()
        {
            listener.over = true;
            return Some((Ok(event("over", "log in again")), listener));
        }
        if let Ok(html) = pages::body(&listener.visit, &listener.page, &listener.query).await
            && html != listener.sent
        {
            let told = event("page", &html);
            listener.sent = html;
            return Some((Ok(told), listener));
        }
        match listener.change().await {
            Change::Happened => {
                tokio::time::sleep(GATHER).await;
                // The page is made of what is, not of the changes: those before it are done with.
                while !matches!(
                    listener.portables.try_recv(),
                    Err(broadcast::error::TryRecvError::Empty
                        | broadcast::error::TryRecvError::Closed)
                ) {}
                listener.board.mark_unchanged();
            }
            Change::Nothing => return Some((Ok(Bytes::from_static(b": alive\n\n")), listener)),
            Change::Stop => return None,
        }
    }
}

enum Change {
    Happened,
    Nothing,
    Stop,
}

impl Listener {
    async fn change(&mut self) -> Change {
        tokio::select! {
            () = self.visit.gui.stop.cancelled() => Change::Stop,
            _ = self.board.changed() => Change::Happened,
            _ = self.portables.recv() => Change::Happened,
            () = tokio::time::sleep(ALIVE) => Change::Nothing,
        }
    }
}

/// One event; each line of its data has a field of its own.
fn event(name: &str, data: &str) -> Bytes {
    let mut text = format!("event: {name}\n");
    for line in data.lines() {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_an_event() {
        assert_eq!(
            event("page", "<b>\r\nevent: evil\n\nx</b>"),
            "event: page\ndata: <b>\ndata: event: evil\ndata: \ndata: x</b>\n\n"
        );
    }
}
