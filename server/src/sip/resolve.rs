//! From a SIP URI to addresses. Source: RFC 3263 with RFC 2782; methods as on the guide's SIP page (G15, G19).

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};
use ipdect_sip::transaction::Transport;
use rand_core::{CryptoRng, RngCore};
use tracing::warn;

use super::transport::Target;

/// How host names become addresses: the guide's DNS method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsMethod {
    /// A and AAAA records only.
    #[default]
    ARecords,
    /// SRV records, else A records.
    Srv,
    /// NAPTR, then SRV, else A records.
    NaptrSrv,
}

/// The part of a URI that says where to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Host name or IP literal, without brackets.
    pub host: String,
    /// Port, when the URI names one.
    pub port: Option<u16>,
    /// Transport, when the URI names one.
    pub transport: Option<Transport>,
    /// A `sips:` URI: TLS, whatever else it says.
    pub secure: bool,
}

/// Why a name led nowhere.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResolveError {
    /// No record of any kind.
    #[error("`{0}` has no address; check the name, or the DNS method of the SIP page")]
    NoAddress(String),
}

/// One SRV answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// Share within a priority.
    pub weight: u16,
    /// Port of the service.
    pub port: u16,
    /// Host name.
    pub host: String,
}

/// One NAPTR answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower first.
    pub order: u16,
    /// Lower first within an order.
    pub preference: u16,
    /// `SIPS+D2T`, `SIP+D2T`, `SIP+D2U`.
    pub service: String,
    /// The SRV name it leads to.
    pub replacement: String,
}

/// Orders SRV answers as RFC 2782 asks: by priority, and by weight with the random argument within one.
#[must_use]
pub fn order_srv(mut records: Vec<Srv>, random: &mut dyn RngCore) -> Vec<Srv> {
    // Weight 0 first within a priority, so that it has its small chance.
    records.sort_by_key(|r| (r.priority, r.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while !records.is_empty() {
        let priority = records[0].priority;
        let group = records
            .iter()
            .take_while(|r| r.priority == priority)
            .count();
        let sum: u32 = records[..group].iter().map(|r| u32::from(r.weight)).sum();
        let mut left = random.next_u32() % (sum + 1);
        let chosen = records[..group]
            .iter()
            .position(|r| {
                let weight = u32::from(r.weight);
                if left <= weight {
                    return true;
                }
                left -= weight;
                false
            })
            .unwrap_or(0);
        ordered.push(records.remove(chosen));
    }
    ordered
}

/// The services that we can speak, in the order the domain prefers. RFC 3263 section 4.1.
#[must_use]
pub fn order_naptr(mut records: Vec<Naptr>, secure: bool) -> Vec<(Transport, String)> {
    records.sort_by_key(|r| (r.order, r.preference));
    records
        .into_iter()
        .filter_map(|r| {
            let transport = match r.service.to_ascii_uppercase().as_str() {
                "SIPS+D2T" => Transport::Tls,
                "SIP+D2T" => Transport::Tcp,
                "SIP+D2U" => Transport::Udp,
                _ => return None,
            };
            (!secure || transport == Transport::Tls).then_some((transport, r.replacement))
        })
        .collect()
}

/// The SRV names to ask when there is no NAPTR record.
#[must_use]
pub fn srv_names(hop: &NextHop) -> Vec<(Transport, String)> {
    let host = &hop.host;
    let all = [
        (Transport::Udp, format!("_sip._udp.{host}")),
        (Transport::Tcp, format!("_sip._tcp.{host}")),
        (Transport::Tls, format!("_sips._tcp.{host}")),
    ];
    let wanted = if hop.secure {
        Some(Transport::Tls)
    } else {
        hop.transport
    };
    all.into_iter()
        .filter(|(t, _)| wanted.is_none_or(|w| w == *t))
        .collect()
}

/// The transport of a hop whose URI leaves it open.
#[must_use]
pub fn default_transport(hop: &NextHop) -> Transport {
    match (hop.secure, hop.transport) {
        (true, _) => Transport::Tls,
        (false, Some(transport)) => transport,
        (false, None) => Transport::Udp,
    }
}

/// The target of a hop that is an IP literal; it needs no DNS.
#[must_use]
pub fn literal(hop: &NextHop) -> Option<Target> {
    let ip: IpAddr = hop.host.parse().ok()?;
    let transport = default_transport(hop);
    let port = hop.port.unwrap_or_else(|| default_port(transport));
    Some(Target {
        transport,
        address: SocketAddr::new(ip, port),
        name: hop.host.clone(),
    })
}

fn default_port(transport: Transport) -> u16 {
    if transport == Transport::Tls {
        5061
    } else {
        5060
    }
}

/// Asks DNS. Cheap to clone.
#[derive(Clone)]
pub struct Resolver(Option<TokioResolver>);

impl Resolver {
    /// Reads the system's configuration; a broken one leaves IP literals and `localhost` working, and says so once.
    #[must_use]
    pub fn from_system() -> Self {
        let made =
            TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
        match made {
            Ok(resolver) => Self(Some(resolver)),
            Err(error) => {
                warn!(%error, "no usable DNS configuration; only IP addresses can be reached");
                Self(None)
            }
        }
    }

    /// All targets of a hop, best first.
    ///
    /// # Errors
    /// [`ResolveError::NoAddress`] when nothing answers to the name.
    pub async fn targets(
        &self,
        hop: &NextHop,
        method: DnsMethod,
        random: &mut (dyn CryptoRng + Send),
    ) -> Result<Vec<Target>, ResolveError> {
        if let Some(target) = literal(hop) {
            return Ok(vec![target]);
        }
        let mut found = Vec::new();
        // A port in the URI means A records, RFC 3263 section 4.2.
        if hop.port.is_none() && method != DnsMethod::ARecords {
            for (transport, name) in self.services(hop, method).await {
                for record in order_srv(self.srv(&name).await, random) {
                    for ip in self.addresses(&record.host).await {
                        found.push(Target {
                            transport,
                            address: SocketAddr::new(ip, record.port),
                            // The certificate is for the name asked for, not for what DNS answered: RFC 5922 section 4.
                            name: hop.host.clone(),
                        });
                    }
                }
            }
        }
        if found.is_empty() {
            let transport = default_transport(hop);
            let port = hop.port.unwrap_or_else(|| default_port(transport));
            for ip in self.addresses(&hop.host).await {
                let address = SocketAddr::new(ip, port);
                found.push(Target {
                    transport,
                    address,
                    name: hop.host.clone(),
                });
            }
        }
        if found.is_empty() {
            return Err(ResolveError::NoAddress(hop.host.clone()));
        }
        Ok(found)
    }

    async fn services(&self, hop: &NextHop, method: DnsMethod) -> Vec<(Transport, String)> {
        if method == DnsMethod::NaptrSrv && hop.transport.is_none() {
            let named = order_naptr(self.naptr(&hop.host).await, hop.secure);
            if !named.is_empty() {
                return named;
            }
        }
        srv_names(hop)
    }

    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        if host.eq_ignore_ascii_case("localhost") {
            return vec![IpAddr::from([127, 0, 0, 1])];
        }
        let Some(resolver) = &self.0 else {
            return Vec::new();
        };
        match resolver.lookup_ip(host).await {
            Ok(answer) => {
                let mut all: Vec<IpAddr> = answer.iter().collect();
                all.sort_by_key(|ip| !ip.is_ipv4());
                all
            }
            Err(_) => Vec::new(),
        }
    }

    async fn srv(&self, name: &str) -> Vec<Srv> {
        self.records(name, RecordType::SRV, |data| match data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                host: host_text(&srv.target.to_utf8()),
            }),
            _ => None,
        })
        .await
    }

    async fn naptr(&self, name: &str) -> Vec<Naptr> {
        self.records(name, RecordType::NAPTR, |data| match data {
            RData::NAPTR(n) if n.flags.eq_ignore_ascii_case(b"s") => Some(Naptr {
                order: n.order,
                preference: n.preference,
                service: String::from_utf8_lossy(&n.services).into_owned(),
                replacement: host_text(&n.replacement.to_utf8()),
            }),
            _ => None,
        })
        .await
    }

    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Vec<T> {
        let Some(resolver) = &self.0 else {
            return Vec::new();
        };
        match resolver.lookup(name, kind).await {
            Ok(answer) => answer
                .answers()
                .iter()
                .filter_map(|r| read(&r.data))
                .collect(),
            Err(_) => Vec::new(),
        }
    }
}

fn host_text(name: &str) -> String {
    name.trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u32);
    impl RngCore for Fixed {
        fn next_u32(&mut self) -> u32 {
            self.0
        }
        fn next_u64(&mut self) -> u64 {
            u64::from(self.0)
        }
        fn fill_bytes(&mut self, out: &mut [u8]) {
            out.fill(0);
        }
    }

    fn srv(priority: u16, weight: u16, host: &str) -> Srv {
        Srv {
            priority,
            weight,
            port: 5060,
            host: host.into(),
        }
    }

    #[test]
    fn a_lower_priority_comes_first_and_weight_shares_load_within_one() {
        let all = vec![srv(20, 0, "c"), srv(10, 30, "b"), srv(10, 70, "a")];
        let names = |r: u32| -> Vec<String> {
            order_srv(all.clone(), &mut Fixed(r))
                .into_iter()
                .map(|s| s.host)
                .collect()
        };
        assert_eq!(names(0), ["b", "a", "c"]);
        assert_eq!(names(31), ["a", "b", "c"]);
    }

    #[test]
    fn weight_shares_load_as_asked() {
        use rand::SeedableRng;
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        let first = (0..10_000)
            .filter(|_| {
                order_srv(vec![srv(1, 75, "a"), srv(1, 25, "b")], &mut random)[0].host == "a"
            })
            .count();
        assert!(
            (7_300..7_700).contains(&first),
            "{first} of 10,000 went to the 75 % host"
        );
    }

    #[test]
    fn naptr_order_decides_and_sips_leaves_only_tls() {
        let n = |order, service: &str| Naptr {
            order,
            preference: 50,
            service: service.into(),
            replacement: format!("_{service}"),
        };
        let all = vec![
            n(30, "SIP+D2U"),
            n(10, "SIPS+D2T"),
            n(20, "SIP+D2T"),
            n(5, "E2U+sip"),
        ];
        let kinds = |secure| -> Vec<Transport> {
            order_naptr(all.clone(), secure)
                .into_iter()
                .map(|(t, _)| t)
                .collect()
        };
        assert_eq!(
            kinds(false),
            [Transport::Tls, Transport::Tcp, Transport::Udp]
        );
        assert_eq!(kinds(true), [Transport::Tls]);
    }

    #[test]
    fn an_ip_literal_needs_no_dns() {
        let hop = |host: &str, secure| NextHop {
            host: host.into(),
            port: None,
            transport: None,
            secure,
        };
        let target = literal(&hop("192.0.2.5", false)).unwrap();
        assert_eq!(
            (target.transport, target.address.to_string()),
            (Transport::Udp, "192.0.2.5:5060".into())
        );
        let target = literal(&hop("2001:db8::9", true)).unwrap();
        assert_eq!(
            (target.transport, target.address.to_string()),
            (Transport::Tls, "[2001:db8::9]:5061".into())
        );
        assert_eq!(literal(&hop("pbx.test", false)), None);
    }
}
