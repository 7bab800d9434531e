use std::net::UdpSocket;
use std::time::Duration;

use ipdect_node::Metrics;
use ipdect_node::config::{Document, Section};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_leaves_no_port_bound() {
    ipdect_node::tls::install_provider();
    let data = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let domain = taken.local_addr().unwrap().port();
    let free = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let text = format!(
        "[node]\ndata_dir = {:?}\n[link]\nlisten = '127.0.0.1:0'\n[sip]\nbind = '127.0.0.1'\n\
         [initial.settings.sip]\nlocal_port = {}\n[initial.settings.domain]\nenabled = true\nport = {domain}\n",
        data.path(),
        free.port()
    );
    let keys = crate::config::keys();
    let reader = Document::parse("server.toml", &text).read(&[Section::root(&keys)]);
    let config = Config::read(&reader.root());
    let config = reader.finish(config).unwrap();
    let env = Environment::system(Metrics::new(&[crate::metrics::METRICS]));
    let Err(error) = start(config, env).await else {
        panic!("a port in use")
    };
    assert!(
        matches!(&error, StartError::PortInUse { address, .. } if address.port() == domain),
        "{error}"
    );
    // The tasks that hold the handsets' ports end by themselves; this waits for them.
    let released = async {
        while UdpSocket::bind(free).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), released)
        .await
        .expect("the handsets' port is free again");
}
