//! What the kernel's receive queues dropped, by local port: the counter that `SO_RXQ_OVFL` shows, read from
//! `/proc/net/udp` because a batch of datagrams loses its control data after the first call.

use std::collections::BTreeMap;

/// Packets dropped so far on each local UDP port of this network namespace; empty where the system does not tell.
#[must_use]
pub fn read() -> BTreeMap<u16, u64> {
    let mut drops = BTreeMap::new();
    for table in ["/proc/net/udp", "/proc/net/udp6"] {
        if let Ok(text) = std::fs::read_to_string(table) {
            add(&text, &mut drops);
        }
    }
    drops
}

fn add(table: &str, drops: &mut BTreeMap<u16, u64>) {
    for line in table.lines().skip(1) {
        let mut words = line.split_ascii_whitespace();
        let port = words.nth(1).and_then(|local| local.rsplit(':').next());
        let port = port.and_then(|hex| u16::from_str_radix(hex, 16).ok());
        let count = words.last().and_then(|count| count.parse::<u64>().ok());
        if let (Some(port), Some(count)) = (port, count) {
            *drops.entry(port).or_default() += count;
        }
    }
}

/// What grew since the last reading. A port that is new, or whose socket is another one, counts from its beginning.
#[must_use]
pub fn grown(before: &BTreeMap<u16, u64>, now: &BTreeMap<u16, u64>) -> BTreeMap<u16, u64> {
    (now.iter())
        .filter_map(|(port, count)| {
            let last = before
                .get(port)
                .copied()
                .filter(|last| last <= count)
                .unwrap_or(0);
            (*count > last).then_some((*port, count - last))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn a_socket_that_nobody_reads_shows_its_drops() {
        let before = read();
        let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = sink.local_addr().unwrap().port();
        let source = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..2000 {
            source.send_to(&[0; 1000], ("127.0.0.1", port)).unwrap();
        }
        let after = read();
        assert!(grown(&before, &after)[&port] > 0);
        assert_eq!(grown(&after, &after), BTreeMap::new());
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        let mut drops = BTreeMap::new();
        add(
            "head\n 1: 0100007F:4E20 x x 7\nnonsense\n 2: 0:zz 1\n\n",
            &mut drops,
        );
        assert_eq!(drops, BTreeMap::from([(20_000, 7)]));
    }
}
