//! Puts what user agents want to say on the wire: next hops become targets, failures go back to who asked.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use ipdect_node::Random;
use ipdect_sip::message::{Host, Message, Method, Scheme, Uri};
use ipdect_sip::transaction::{Flow, Hop, Transport};
use ipdect_sip::trunk::Proxies;
use tokio::runtime::Handle;
use tracing::{debug, info};

use super::resolve::{DnsMethod, NextHop, Resolver, literal};
use super::transport::{SendError, Transports};

/// What the sender must know of the settings.
#[derive(Clone)]
pub struct Routes {
    /// Proxies 1 to 4.
    pub proxies: Proxies,
    /// How names become addresses.
    pub dns: DnsMethod,
    /// Transport of hops that leave it open.
    pub transport: Transport,
}

struct Inner {
    transports: Transports,
    resolver: Resolver,
    routes: ArcSwap<Routes>,
    random: Random,
    runtime: Handle,
}

/// The sending side of one listening point, cheap to clone.
#[derive(Clone)]
pub struct Sender(Arc<Inner>);

impl Sender {
    /// A sender over open transports.
    #[must_use]
    pub fn new(transports: Transports, resolver: Resolver, routes: Routes, random: Random) -> Self {
        let routes = ArcSwap::from_pointee(routes);
        let runtime = Handle::current();
        Self(Arc::new(Inner {
            transports,
            resolver,
            routes,
            random,
            runtime,
        }))
    }

    /// Takes new settings.
    pub fn set_routes(&self, routes: Routes) {
        self.0.routes.store(Arc::new(routes));
    }

    /// Sends a message; calls `failed` if it cannot be sent. What cannot be sent at once is sent by a task.
    pub fn send(&self, message: &Message, to: &Hop, failed: impl FnOnce() + Send + 'static) {
        count(message);
        let bytes = message.bytes();
        let sent = match to {
            Hop::Flow(flow) => self.0.transports.send_back(flow, bytes.clone()),
            Hop::Proxy(_) | Hop::Uri(_) => return self.route(to, bytes.clone(), failed),
        };
        if let Err(error) = sent {
            tell(&error.to_string(), failed);
        }
    }

    /// Sends a response back where its request came from, outside any transaction.
    ///
    /// # Errors
    /// [`SendError`] if the flow is gone.
    pub fn reply(&self, flow: &Flow, message: &Message) -> Result<(), SendError> {
        count(message);
        self.0.transports.send_back(flow, message.bytes().clone())
    }

    fn route(&self, to: &Hop, bytes: Bytes, failed: impl FnOnce() + Send + 'static) {
        let routes = self.0.routes.load_full();
        let Some(hop) = next_hop(to, &routes) else {
            return tell("there is no such proxy", failed);
        };
        // The quick way: nothing to look up, nothing to open.
        if let Some(target) = literal(&hop)
            && let Some(sent) = self.0.transports.send_now(&target, &bytes)
        {
            if let Err(error) = sent {
                tell(&error.to_string(), failed);
            }
            return;
        }
        let this = self.clone();
        self.0.runtime.spawn(async move {
            if let Err(why) = this.send_to_first(&hop, routes.dns, bytes).await {
                tell(&why, failed);
            }
        });
    }

    /// Tries the targets of a hop in their order until one takes the message.
    async fn send_to_first(
        &self,
        hop: &NextHop,
        dns: DnsMethod,
        bytes: Bytes,
    ) -> Result<(), String> {
        let mut random = self.0.random.generator();
        let targets = self
            .0
            .resolver
            .targets(hop, dns, random.as_mut())
            .await
            .map_err(|e| e.to_string())?;
        let mut why = String::new();
        for target in targets {
            match self.0.transports.send(&target, bytes.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    debug!(%error, "trying the next address");
                    why = error.to_string();
                }
            }
        }
        Err(why)
    }
}

fn tell(why: &str, failed: impl FnOnce()) {
    info!(why, "a SIP message could not be sent");
    metrics::counter!("ipdect_sip_send_failures_total").increment(1);
    failed();
}

fn next_hop(hop: &Hop, routes: &Routes) -> Option<NextHop> {
    match hop {
        Hop::Proxy(index) => routes
            .proxies
            .get(*index)
            .map(|p| of_uri(&p.uri, routes.transport)),
        Hop::Uri(uri) => Some(of_uri(uri, routes.transport)),
        Hop::Flow(_) => None,
    }
}

/// Where a URI leads: `maddr` before the host, and our own transport where it names none.
#[must_use]
pub fn of_uri(uri: &Uri, default: Transport) -> NextHop {
    let host = match uri.param("maddr") {
        Some(maddr) => maddr.trim_matches(['[', ']']).to_string(),
        None => uri.host().map(host_text).unwrap_or_default(),
    };
    let named = uri.param("transport").and_then(Transport::from_name);
    NextHop {
        host,
        port: uri.port(),
        transport: named.or((default != Transport::Udp).then_some(default)),
        secure: *uri.scheme() == Scheme::Sips,
    }
}

/// A host without brackets.
fn host_text(host: &Host) -> String {
    host.ip()
        .map_or_else(|| host.to_string(), |ip| ip.to_string())
}

fn count(message: &Message) {
    match message.method() {
        Some(method) => {
            metrics::counter!("ipdect_sip_requests_total", "direction" => "out", "method" => method_label(method)).increment(1);
        }
        None => {
            let class = message.status().map_or("0xx", |s| class_of(s.code()));
            metrics::counter!("ipdect_sip_responses_total", "direction" => "out", "code_class" => class).increment(1);
        }
    }
}

/// The method as a metric's label: a closed set, whatever strangers send.
#[must_use]
pub fn method_label(method: &Method) -> &'static str {
    match method {
        Method::Invite => "INVITE",
        Method::Ack => "ACK",
        Method::Bye => "BYE",
        Method::Cancel => "CANCEL",
        Method::Register => "REGISTER",
        Method::Options => "OPTIONS",
        Method::Prack => "PRACK",
        Method::Update => "UPDATE",
        Method::Info => "INFO",
        Method::Subscribe => "SUBSCRIBE",
        Method::Notify => "NOTIFY",
        Method::Refer => "REFER",
        Method::Message => "MESSAGE",
        Method::Publish => "PUBLISH",
        _ => "other",
    }
}

/// The class of a status code, for metrics.
#[must_use]
pub fn class_of(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        6 => "6xx",
        _ => "other",
    }
}
