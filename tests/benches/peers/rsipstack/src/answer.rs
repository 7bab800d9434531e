//! An endpoint that answers every request with 200, each in a server transaction.

use std::error::Error;
use std::io::BufRead as _;
use std::time::Duration;

use rsipstack::EndpointBuilder;
use rsipstack::sip::StatusCode;
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption};
use rsipstack::transport::TransportLayer;
use rsipstack::transport::udp::UdpConnection;

/// How long a finished transaction is kept: shorter than the 32 s of Timer J, so that forgetting it is measured too.
const KEPT: Duration = Duration::from_secs(1);

pub fn run() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let loopback = "127.0.0.1:0".parse()?;
    let connection = UdpConnection::create_connection(loopback, None, None).await?;
    let address = connection.get_addr().get_socketaddr()?;
    let transport = TransportLayer::new(Default::default());
    transport.add_transport(connection.into());
    let option = EndpointOption {
        t1x64: KEPT,
        ..Default::default()
    };
    let endpoint = EndpointBuilder::new()
        .with_transport_layer(transport)
        .with_option(option)
        .build();
    let mut incoming = endpoint.incoming_transactions()?;
    let inner = endpoint.inner.clone();
    tokio::spawn(async move { inner.serve().await });
    println!("{}", address.port());
    tell_when_forgotten(endpoint.inner.clone(), tokio::runtime::Handle::current());
    while let Some(mut transaction) = incoming.recv().await {
        transaction.reply(StatusCode::OK).await?;
    }
    Ok(())
}

/// On a thread of its own, which waits for lines.
fn tell_when_forgotten(endpoint: EndpointInnerRef, runtime: tokio::runtime::Handle) {
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines() {
            runtime.block_on(async {
                let left = || {
                    let stats = endpoint.get_stats();
                    stats.running_transactions + stats.finished_transactions
                };
                while left() > 0 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
            println!("forgotten");
        }
        // Nobody asks any more.
        std::process::exit(0);
    });
}
