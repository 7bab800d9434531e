//! Virtual handsets: whoever runs them is linked here; pages and the command line see and use them through it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use ipdect_link::role::Role;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::portable_report::Body;
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc, oneshot};
use tonic::Status;

use super::sessions::utc_ms;

/// Orders that may wait for one host.
const ORDERS: usize = 64;
/// Changes that a watcher may be behind.
const BEHIND: usize = 1024;
/// How long a host may take to press keys.
const PRESS_LIMIT: Duration = Duration::from_secs(5);

struct Host {
    /// Node id.
    node: String,
    orders: mpsc::Sender<Result<admin::PortableOrder, Status>>,
}

#[derive(Default)]
struct Tables {
    hosts: HashMap<u64, Host>,
    /// Each portable with the host that runs it.
    portables: BTreeMap<String, (u64, admin::Portable)>,
    waiting: HashMap<u64, oneshot::Sender<String>>,
    /// When each host that was ever attached here came or went last, milliseconds since 1970.
    seen: BTreeMap<String, u64>,
}

/// All hosts and their portables.
pub struct Portables {
    tables: Mutex<Tables>,
    changes: broadcast::Sender<admin::Portable>,
    hosts: broadcast::Sender<String>,
    numbers: AtomicU64,
}

impl Default for Portables {
    fn default() -> Self {
        Self::new()
    }
}

impl Portables {
    /// Nobody is linked yet.
    #[must_use]
    pub fn new() -> Self {
        let (changes, _) = broadcast::channel(BEHIND);
        let (hosts, _) = broadcast::channel(BEHIND);
        Self {
            tables: Mutex::default(),
            changes,
            hosts,
            numbers: AtomicU64::new(1),
        }
    }

    /// The host of this node id is linked; answers its number and the orders for it.
    pub fn attach(
        &self,
        node: &str,
    ) -> (u64, mpsc::Receiver<Result<admin::PortableOrder, Status>>) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (orders, receiver) = mpsc::channel(ORDERS);
        let node = node.to_owned();
        {
            let mut tables = self.tables.lock();
            tables.seen.insert(node.clone(), now_ms());
            let host = Host {
                node: node.clone(),
                orders,
            };
            tables.hosts.insert(number, host);
        }
        // Nobody watches: that is no error.
        let _ = self.hosts.send(node);
        (number, receiver)
    }

    /// Whether a host is attached here, and when it came or went; `None` if it never was.
    #[must_use]
    pub fn host(&self, node: &str) -> Option<(bool, u64)> {
        let tables = self.tables.lock();
        let since = *tables.seen.get(node)?;
        Some((tables.hosts.values().any(|h| h.node == node), since))
    }

    /// Hears of every host that comes or goes from now on, by node id.
    #[must_use]
    pub fn subscribe_hosts(&self) -> broadcast::Receiver<String> {
        self.hosts.subscribe()
    }

    /// A host is gone, and its portables with it.
    pub fn detach(&self, host: u64) {
        let (node, gone): (Option<String>, Vec<admin::Portable>) = {
            let mut tables = self.tables.lock();
            let node = tables.hosts.remove(&host).map(|h| h.node);
            if let Some(node) = &node {
                tables.seen.insert(node.clone(), now_ms());
            }
            let keys: Vec<String> = tables
                .portables
                .iter()
                .filter(|(_, (h, _))| *h == host)
                .map(|(k, _)| k.clone())
                .collect();
            let gone = keys
                .iter()
                .filter_map(|k| tables.portables.remove(k))
                .map(|(_, p)| p)
                .collect();
            (node, gone)
        };
        // Nobody watches: that is no error.
        let _ = node.map(|node| self.hosts.send(node));
        for portable in gone {
            self.tell(admin::Portable {
                gone: true,
                ..portable
            });
        }
    }

    /// Takes in what a host says.
    pub fn reported(&self, host: u64, report: admin::PortableReport) {
        match report.body {
            Some(Body::Hello(hello)) => {
                hello.portables.into_iter().for_each(|p| self.keep(host, p))
            }
            Some(Body::Portable(portable)) => self.keep(host, portable),
            Some(Body::Result(result)) => {
                let waiting = self.tables.lock().waiting.remove(&result.order_id);
                if let Some(waiting) = waiting {
                    // Whoever asked may have given up.
                    let _ = waiting.send(result.error);
                }
            }
            None => {}
        }
    }

    fn keep(&self, host: u64, portable: admin::Portable) {
        {
            let mut tables = self.tables.lock();
            if portable.gone {
                tables.portables.remove(&portable.ipei);
            } else {
                tables
                    .portables
                    .insert(portable.ipei.clone(), (host, portable.clone()));
            }
        }
        self.tell(portable);
    }

    fn tell(&self, portable: admin::Portable) {
        // Nobody watches: that is no error.
        let _ = self.changes.send(portable);
    }

    /// All portables, by IPEI.
    #[must_use]
    pub fn list(&self) -> Vec<admin::Portable> {
        self.tables
            .lock()
            .portables
            .values()
            .map(|(_, p)| p.clone())
            .collect()
    }

    /// Hears of every change from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<admin::Portable> {
        self.changes.subscribe()
    }

    /// Presses keys of a portable, and waits until its host did.
    ///
    /// # Errors
    /// NOT_FOUND without such a portable, FAILED_PRECONDITION with what its host said.
    pub async fn press(&self, press: admin::PressRequest) -> Result<(), Status> {
        let order_id = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        {
            let mut tables = self.tables.lock();
            let host = tables.portables.get(&press.ipei).map(|(host, _)| *host);
            let orders = host
                .and_then(|h| tables.hosts.get(&h))
                .map(|h| h.orders.clone());
            let orders = orders.ok_or_else(|| {
                Status::not_found(format!(
                    "no virtual handset with IPEI {} runs; start one with `ipdect handset`",
                    press.ipei
                ))
            })?;
            let order = admin::PortableOrder {
                trace: bytes::Bytes::new(),
                order_id,
                press: Some(press),
            };
            orders
                .try_send(Ok(order))
                .map_err(|_| Status::unavailable("the host of this handset does not keep up"))?;
            tables.waiting.insert(order_id, tell);
        }
        match tokio::time::timeout(PRESS_LIMIT, told).await {
            Ok(Ok(error)) if error.is_empty() => Ok(()),
            Ok(Ok(error)) => Err(Status::failed_precondition(error)),
            _ => {
                self.tables.lock().waiting.remove(&order_id);
                Err(Status::unavailable(
                    "the host of this handset did not answer in 5 s",
                ))
            }
        }
    }
}

fn now_ms() -> u64 {
    utc_ms(SystemTime::now())
}

impl super::Api {
    /// A device with what only this admin API knows: a host is attached here, not to a server.
    #[must_use]
    pub fn with_attachment(&self, mut device: admin::Device) -> admin::Device {
        if device.role() == Role::Host
            && let Some((attached, since_utc_ms)) = self.portables().host(&device.node_id)
        {
            let status = device.status.get_or_insert_default();
            let state = match attached {
                true => admin::DeviceState::Up,
                false => admin::DeviceState::Down,
            };
            status.state = state.into();
            status.seen_utc_ms = match attached {
                true => now_ms(),
                false => since_utc_ms,
            };
        }
        device
    }

    /// Presses keys of a portable in the name of somebody.
    ///
    /// # Errors
    /// For operators and up.
    pub async fn portable_press(
        &self,
        caller: &super::caller::Caller,
        press: admin::PressRequest,
    ) -> Result<(), Status> {
        caller.must_be(admin::AccountRole::Operator)?;
        self.portables().press(press).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portable(ipei: &str) -> admin::PortableReport {
        let portable = admin::Portable {
            ipei: ipei.into(),
            ..Default::default()
        };
        admin::PortableReport {
            trace: bytes::Bytes::new(),
            body: Some(Body::Portable(portable)),
        }
    }

    #[tokio::test]
    async fn keys_reach_the_host_and_its_answer_comes_back() {
        let portables = Portables::new();
        let (host, mut orders) = portables.attach("host-1");
        portables.reported(host, portable("655350000001"));
        let press = admin::PressRequest {
            ipei: "655350000001".into(),
            keys: "(1002".into(),
            speech_source: String::new(),
        };
        let (pressed, ()) = tokio::join!(portables.press(press), async {
            let order = orders.recv().await.unwrap().unwrap();
            assert_eq!(order.press.unwrap().keys, "(1002");
            let result = admin::PressResult {
                order_id: order.order_id,
                error: "off hook already".into(),
            };
            portables.reported(
                host,
                admin::PortableReport {
                    trace: bytes::Bytes::new(),
                    body: Some(Body::Result(result)),
                },
            );
        });
        assert_eq!(pressed.unwrap_err().message(), "off hook already");
    }

    #[test]
    fn a_host_is_up_while_it_is_attached_here() {
        let api = crate::api::tests::api();
        let device = || {
            let enrolled = admin::Device {
                node_id: "host-1".into(),
                role: Role::Host.into(),
                status: Some(admin::DeviceStatus {
                    state: admin::DeviceState::Enrolled.into(),
                    ..Default::default()
                }),
                ..Default::default()
            };
            let seen = api.with_attachment(enrolled);
            seen.status.map(|status| status.state())
        };
        assert_eq!(device(), Some(admin::DeviceState::Enrolled));
        let mut told = api.portables().subscribe_hosts();
        let (host, _orders) = api.portables().attach("host-1");
        assert_eq!(device(), Some(admin::DeviceState::Up));
        api.portables().detach(host);
        assert_eq!(device(), Some(admin::DeviceState::Down));
        assert_eq!(told.try_recv().as_deref(), Ok("host-1"));
        assert_eq!(told.try_recv().as_deref(), Ok("host-1"));
    }

    #[tokio::test]
    async fn a_host_that_goes_takes_its_portables_along() {
        let portables = Portables::new();
        let (host, _orders) = portables.attach("host-1");
        portables.reported(host, portable("655350000001"));
        let mut changes = portables.subscribe();
        portables.detach(host);
        assert!(changes.recv().await.unwrap().gone);
        assert_eq!(portables.list(), []);
        let press = admin::PressRequest {
            ipei: "655350000001".into(),
            keys: "(".into(),
            speech_source: String::new(),
        };
        assert_eq!(
            portables.press(press).await.unwrap_err().code(),
            tonic::Code::NotFound
        );
    }
}
