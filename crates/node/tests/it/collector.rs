//! Spans reach a collector by OTLP over gRPC, and carry no personal data.

use ipdect_node::config::LogFormat;
use ipdect_node::telemetry::{Settings, provider, subscriber};
use ipdect_node::{Redacted, StartError, trace};
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
struct Collector(mpsc::Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let sent = self.0.send(request.into_inner()).await;
        sent.map(|()| Response::new(ExportTraceServiceResponse::default()))
            .map_err(|_| Status::unavailable("the test is over"))
    }
}

fn settings(endpoint: String) -> Settings {
    Settings {
        program: "ipdect-server",
        node_id: "server-1".into(),
        level: "info".into(),
        format: LogFormat::Text,
        otlp_endpoint: endpoint,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_reach_the_collector_when_the_program_ends() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mut received) = mpsc::channel(8);
    let service = TraceServiceServer::new(Collector(sender));
    tokio::spawn(
        Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener)),
    );

    let settings = settings(format!("http://{address}"));
    let provider = provider(&settings).unwrap();
    let subscriber = subscriber(&settings, &provider, std::io::sink, false).unwrap();
    let trace_id = tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("call", ipei = %Redacted("655350000001"), shard = 716);
        span.in_scope(|| tracing::info!(to = %Redacted("1002"), "calls"));
        trace::trace_id(&span).unwrap()
    });
    tokio::task::spawn_blocking(move || provider.shutdown())
        .await
        .unwrap()
        .unwrap();

    let request = received.recv().await.unwrap();
    let resource = format!("{:?}", request.resource_spans[0].resource);
    assert!(
        resource.contains("ipdect-server") && resource.contains("server-1"),
        "{resource}"
    );
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.name, "call");
    assert_eq!(
        span.trace_id
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect::<String>(),
        trace_id
    );
    let all = format!("{span:?}");
    assert!(
        !all.contains("655350000001") && !all.contains("1002"),
        "{all}"
    );
    assert!(all.contains("716"), "{all}");
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_is_told_with_its_key() {
    let error = provider(&settings("http://[".into())).unwrap_err();
    assert!(
        matches!(&error, StartError::Telemetry { what, .. } if what.starts_with("trace.otlp_endpoint")),
        "{error}"
    );
}
