//! The probe endpoint over a real connection, and sockets that are taken.

use ipdect_node::health::{Probes, serve};
use ipdect_node::{Metric, Metrics, Running, StartError, bind_tcp, bind_udp};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn probes_follow_a_program_from_start_to_drain() {
    let (running, control) = Running::new("server", [("link.listen", LOOPBACK)]);
    let served = serve(
        LOOPBACK,
        Probes::of(Metrics::new(&[]), vec![running.clone()]),
    )
    .await
    .unwrap();
    let at = served.address();
    assert!(get(at, "/livez").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(
        get(at, "/readyz")
            .await
            .ends_with("\r\n\r\nnot ready\nserver: starting\n")
    );
    assert!(get(at, "/startupz").await.starts_with("HTTP/1.1 503 "));
    control.set_ready();
    assert!(get(at, "/readyz").await.ends_with("\r\n\r\nok\n"));
    assert!(get(at, "/startupz").await.starts_with("HTTP/1.1 200 "));
    let draining = tokio::spawn({
        let running = running.clone();
        async move { running.drain(Duration::from_secs(60)).await }
    });
    while running.not_ready().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(
        get(at, "/readyz")
            .await
            .ends_with("not ready\nserver: draining\n")
    );
    assert!(get(at, "/startupz").await.starts_with("HTTP/1.1 200 "));
    assert!(get(at, "/livez").await.starts_with("HTTP/1.1 200 "));
    control.ended(ipdect_node::Ended::Cleanly);
    draining.await.unwrap();
}

#[tokio::test]
async fn metrics_are_served_with_help_buckets_and_content_type() {
    const METRICS: &[Metric] = &[
        Metric::counter("ipdect_test_events_total", "Events.", &["kind"]),
        Metric::seconds("ipdect_test_wait_seconds", "Waits.", &[], &[0.1, 1.0]),
    ];
    let metrics = Metrics::new(&[METRICS]);
    metrics.built("ipdect-test", "PCS16_");
    metrics
        .counter("ipdect_test_events_total", &[("kind", "a")])
        .increment(3);
    metrics
        .histogram("ipdect_test_wait_seconds", &[])
        .record(0.5);
    let other = Metrics::new(&[METRICS]);
    let served = serve(LOOPBACK, Probes::new(metrics, Vec::new))
        .await
        .unwrap();
    let text = get(served.address(), "/metrics").await;
    assert!(
        text.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{text}"
    );
    for line in [
        "# HELP ipdect_test_events_total Events.",
        "# TYPE ipdect_test_events_total counter",
        "ipdect_test_events_total{kind=\"a\"} 3",
        "ipdect_test_wait_seconds_bucket{le=\"0.1\"} 0",
        "ipdect_test_wait_seconds_bucket{le=\"1\"} 1",
        "ipdect_test_wait_seconds_bucket{le=\"+Inf\"} 1",
        "# TYPE ipdect_build_info gauge",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let built = text
        .lines()
        .find(|found| found.starts_with("ipdect_build_info{"))
        .unwrap();
    for label in ["release=\"PCS16_\"", "program=\"ipdect-test\"", "} 1"] {
        assert!(built.contains(label), "{built}");
    }
    assert!(
        !other.render().contains("kind=\"a\""),
        "recorders are apart"
    );
}

#[tokio::test]
async fn a_caller_that_sends_nonsense_or_leaves_does_no_harm() {
    let served = serve(LOOPBACK, Probes::new(Metrics::new(&[]), Vec::new))
        .await
        .unwrap();
    for octets in [&b"\0\0\0"[..], &[b'x'; 20_000], b"GET /livez HTTP/1.1\r\n"] {
        let mut stream = TcpStream::connect(served.address()).await.unwrap();
        // The endpoint may have answered and closed already.
        let _ = stream.write_all(octets).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    drop(TcpStream::connect(served.address()).await.unwrap());
    assert!(
        get(served.address(), "/livez")
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    assert!(
        get(served.address(), "/admin")
            .await
            .starts_with("HTTP/1.1 404 ")
    );
}

#[tokio::test]
async fn a_port_in_use_names_key_address_and_remedy() {
    let taken = bind_tcp("link.listen", LOOPBACK).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = bind_tcp("link.listen", address).await.unwrap_err();
    assert!(
        matches!(&error, StartError::PortInUse { key, address: at } if key == "link.listen" && *at == address)
    );
    let text = error.to_string();
    assert!(
        text.starts_with(&format!(
            "link.listen: {address} is in use; stop what listens there"
        )),
        "{text}"
    );
    assert_eq!((error.exit_code(), error.code()), (1, "start-port-in-use"));

    let taken = bind_udp("speech.listen", LOOPBACK).await.unwrap();
    let again = bind_udp("speech.listen", taken.local_addr().unwrap()).await;
    assert!(
        matches!(again, Err(StartError::PortInUse { .. })),
        "{again:?}"
    );

    let elsewhere = bind_tcp("link.listen", "192.0.2.1:7460".parse().unwrap())
        .await
        .unwrap_err();
    assert!(
        elsewhere
            .to_string()
            .contains("set it to an address of this machine"),
        "{elsewhere}"
    );
}
