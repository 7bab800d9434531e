//! Every store passes the same suite.

use ipdect_cluster::embedded::open_file;
use ipdect_cluster::{Embedded, Memory, conformance};

/// Changes kept by the stores under test: the suite wants fewer than 400.
const KEPT: usize = 100;

#[tokio::test]
async fn memory_conforms() {
    conformance::all(async || Memory::keeping(KEPT), async |_, _| {}).await;
}

#[tokio::test]
async fn embedded_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    let empty = || {
        count += 1;
        let path = dir.path().join(format!("{count}.redb"));
        async move {
            let file = path.clone();
            Embedded::open_with(&path, Box::new(move || open_file(&file)), KEPT).unwrap()
        }
    };
    // It forgets by itself.
    conformance::all(empty, async |_, _| {}).await;
}
