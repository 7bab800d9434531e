//! The disk runs full and is emptied again.

use crate::disk::Disk;
use futures_util::StreamExt;
use ipdect_cluster::{Store, StoreError};

#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing_that_was_confirmed() {
    let disk = Disk::default();
    let store = disk.open().unwrap();
    let mut watch = store.watch("/", 0).await.unwrap();
    disk.set_room(Some(disk.image().len() as u64 + 2_000_000));
    let mut confirmed = 0_u64;
    let error = loop {
        match store
            .put(&format!("/rows/{confirmed}"), vec![1; 100_000].into())
            .await
        {
            Ok(_) => confirmed += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full), "{error}");
    assert!(confirmed > 3, "{confirmed} fitted");
    let told = watch.next().await.unwrap().unwrap();
    assert_eq!(told.revision, 1);
    let again = store.put("/more", vec![1; 900_000].into()).await;
    assert!(matches!(again, Err(StoreError::Full)), "{again:?}");

    disk.set_room(None);
    let revision = store.put("/more", vec![2; 500_000].into()).await.unwrap();
    assert!(revision > confirmed, "revisions go on");
    let page = store.range("/rows/", None, 0).await.unwrap();
    assert!(
        page.rows.len() as u64 >= confirmed,
        "{} rows, {confirmed} confirmed",
        page.rows.len()
    );
    assert!(page.rows.iter().all(|row| row.value.len() == 100_000));
    store.close().await;

    let reopened = Disk::holding(disk.image()).open().unwrap();
    assert_eq!(
        reopened.range("/", None, 0).await.unwrap().revision,
        revision
    );
    reopened.close().await;
}
