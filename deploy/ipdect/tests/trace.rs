//! One call is one trace: base station, handset, SIP and media resource, as a collector gets it by OTLP.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::sync::mpsc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A collector that hands on what it gets.
struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let sent = self.0.send(request.into_inner());
        sent.map(|()| Response::new(ExportTraceServiceResponse::default()))
            .map_err(|_| Status::unavailable("the test is over"))
    }
}

/// Spans that a trace may begin with: a portable's access, or an INVITE of a peer.
const BEGINNINGS: [&str; 2] = ["dect.access", "sip.invite"];

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_trace_over_all_parts() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, mut received) = mpsc::unbounded_channel();
    tokio::spawn(
        Server::builder()
            .add_service(TraceServiceServer::new(Collector(sender)))
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // The check places calls; whether they sound right is judged elsewhere.
    let run = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_ipdect"))
            .args(["up", "--check", "--data"])
            .arg(data)
            .env("IPDECT_TRACE__OTLP_ENDPOINT", endpoint)
            .output()
            .unwrap()
    });
    let output = tokio::time::timeout(Duration::from_secs(120), run)
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();

    let mut traces: BTreeMap<Vec<u8>, BTreeSet<String>> = BTreeMap::new();
    while let Ok(request) = received.try_recv() {
        for span in request
            .resource_spans
            .into_iter()
            .flat_map(|r| r.scope_spans)
            .flat_map(|s| s.spans)
        {
            traces.entry(span.trace_id).or_default().insert(span.name);
        }
    }
    let wanted = [
        "dect.access",
        "handset.nwk",
        "sip.response",
        "media.open",
        "base.speech",
    ];
    let whole = traces
        .values()
        .any(|names| wanted.iter().all(|w| names.contains(*w)));
    assert!(
        whole,
        "no trace has {wanted:?}; there were {:#?}\n{said}",
        traces.values().collect::<Vec<_>>()
    );
    let incoming = [
        "sip.invite",
        "sip.request",
        "base.page",
        "handset.nwk",
        "media.open",
        "base.speech",
    ];
    let lone: Vec<_> = traces
        .values()
        .filter(|names| !names.iter().any(|name| BEGINNINGS.contains(&name.as_str())))
        .collect();
    assert!(lone.is_empty(), "belong to no call: {lone:#?}");
    let whole = traces
        .values()
        .any(|names| incoming.iter().all(|w| names.contains(*w)));
    assert!(
        whole,
        "no trace has {incoming:?}; there were {:#?}\n{said}",
        traces.values().collect::<Vec<_>>()
    );
}
