//! Files that are damaged, foreign, in use or from the future: a clear error each, never a panic, never wrong rows.

use crate::disk::Disk;
use ipdect_cluster::{Embedded, Store, StoreError};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use std::fs;

async fn filled(disk: &Disk) -> Vec<(String, Vec<u8>)> {
    let store = disk.open().unwrap();
    for n in 0..40_u8 {
        store
            .put(&format!("/rows/{n}"), vec![n; 300].into())
            .await
            .unwrap();
    }
    let rows = read(&store).await.unwrap();
    store.close().await;
    rows
}

async fn read(store: &Embedded) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let page = store.range("/", None, 0).await?;
    Ok(page
        .rows
        .into_iter()
        .map(|row| (row.key, row.value.to_vec()))
        .collect())
}

#[tokio::test]
async fn changed_octets_are_found_or_do_not_matter() {
    let disk = Disk::default();
    let rows = filled(&disk).await;
    let (image, mut rng) = (disk.image(), ChaCha8Rng::seed_from_u64(1));
    let used = image.iter().rposition(|octet| *octet != 0).unwrap() as u64 + 1;
    let mut found = 0;
    for case in 0..400 {
        let mut image = image.clone();
        // The first page has the most to say, so it gets every fourth change.
        let at = if case % 4 == 0 {
            rng.next_u64() % 512
        } else {
            rng.next_u64() % used
        };
        image[at as usize] ^= 1 << (rng.next_u32() % 8);
        match Disk::holding(image).open() {
            Ok(store) => {
                assert_eq!(read(&store).await.unwrap(), rows, "octet {at}");
                store.close().await;
            }
            Err(StoreError::Corrupt { .. }) => found += 1,
            Err(error) => panic!("octet {at}: {error:?}"),
        }
    }
    assert!(found > 40, "{found} of 400 found");
}

#[tokio::test]
async fn a_file_cut_short_is_damaged() {
    let disk = Disk::default();
    filled(&disk).await;
    let image = disk.image();
    for length in [1, 9, 320, 4095, 4096, image.len() / 2, image.len() - 4096] {
        let opened = Disk::holding(image[..length].to_vec()).open();
        assert!(
            matches!(opened, Err(StoreError::Corrupt { .. })),
            "{length}: {opened:?}"
        );
    }
}

#[tokio::test]
async fn a_foreign_file_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    fs::write(&path, "this is not a store\n".repeat(1000)).unwrap();
    let error = Embedded::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("store.redb") && text.contains("put a backup in its place"),
        "{text}"
    );
    assert_eq!(
        fs::read(&path).unwrap().len(),
        20_000,
        "it is left as it was"
    );
}

#[tokio::test]
async fn one_file_has_one_opener_and_its_own_eyes_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let store = Embedded::open(&path).unwrap();
    let second = Embedded::open(&path);
    assert!(
        matches!(second, Err(StoreError::InUse { .. })),
        "{second:?}"
    );
    let revision = store.put("/a", "1".into()).await.unwrap();
    let mut watch = store.watch("/", 0).await.unwrap();
    let clone = store.clone();
    store.close().await;
    assert!(
        futures_util::StreamExt::next(&mut watch).await.is_none(),
        "watches end with their store"
    );
    assert!(matches!(
        clone.get("/a").await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(matches!(
        clone.put("/a", "2".into()).await,
        Err(StoreError::Unavailable(_))
    ));
    drop(clone);
    let again = Embedded::open(&path).unwrap();
    assert_eq!(
        again.put("/b", "1".into()).await.unwrap(),
        revision + 1,
        "revisions count on"
    );
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    again.close().await;
}

#[tokio::test]
async fn a_file_of_a_later_release_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let later = redb::Database::create(&path).unwrap();
    let transaction = later.begin_write().unwrap();
    transaction
        .open_table(redb::TableDefinition::<&str, u64>::new("numbers"))
        .unwrap()
        .insert("format", 2)
        .unwrap();
    transaction.commit().unwrap();
    drop(later);
    let opened = Embedded::open(&path);
    assert!(
        matches!(
            opened,
            Err(StoreError::NewerFormat {
                found: 2,
                known: 1,
                ..
            })
        ),
        "{opened:?}"
    );
}

#[tokio::test]
async fn watches_do_not_reach_behind_a_restart() {
    let disk = Disk::default();
    filled(&disk).await;
    let store = disk.open().unwrap();
    let latest = store.range("/", None, 1).await.unwrap().revision;
    let mut behind = store.watch("/", latest).await.unwrap();
    let first = futures_util::StreamExt::next(&mut behind).await;
    assert!(
        matches!(first, Some(Err(StoreError::Compacted { oldest })) if oldest == latest + 1),
        "{first:?}"
    );
    store.close().await;
}
