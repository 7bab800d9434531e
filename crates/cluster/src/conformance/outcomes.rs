//! Transactions whose answer is lost, or which never arrive.

use super::{done, get, put, row};
use crate::error::StoreError;
use crate::store::{Page, Revision, Row, Store, Watch};
use crate::txn::{Commit, Txn};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// What becomes of a transaction on its way.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// It never arrives.
    Request,
    /// It arrives; the answer does not.
    Answer,
}

/// A store at the other end of a bad line.
#[derive(Debug)]
struct Lossy<S> {
    store: Arc<S>,
    /// For the next transactions; then all goes well.
    losses: Mutex<VecDeque<Loss>>,
}

impl<S: Store> Lossy<S> {
    fn new(store: &Arc<S>, losses: &[Loss]) -> Lossy<S> {
        Lossy {
            store: store.clone(),
            losses: Mutex::new(losses.iter().copied().collect()),
        }
    }
}

#[async_trait]
impl<S: Store> Store for Lossy<S> {
    async fn get(&self, key: &str) -> Result<Option<Row>, StoreError> {
        self.store.get(key).await
    }

    async fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store.range(prefix, after, limit).await
    }

    async fn txn(&self, txn: Txn) -> Result<Commit, StoreError> {
        let loss = self.losses.lock().pop_front();
        match loss {
            None => return self.store.txn(txn).await,
            Some(Loss::Request) => {}
            Some(Loss::Answer) => {
                self.store.txn(txn).await?;
            }
        }
        Err(StoreError::Unknown("the line is bad".to_owned()))
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        self.store.watch(prefix, from).await
    }
}

/// Wherever it was lost, a transaction is done once, and its revision is known.
pub(super) async fn lost_answers_are_found_out<S: Store>(store: S) {
    use Loss::{Answer, Request};
    let store = Arc::new(store);
    let losses: [&[Loss]; 6] = [
        &[],
        &[Request],
        &[Answer],
        &[Request, Request, Answer],
        &[Answer, Answer],
        &[Answer, Request, Answer],
    ];
    let mut before = put(&*store, "/own", "0").await;
    for (n, losses) in losses.iter().enumerate() {
        let value = format!("written by {n}");
        let txn = Txn::new()
            .if_unchanged("/own", before)
            .put("/own", value.clone())
            .put("/second", value.clone());
        let commit = Lossy::new(&store, losses).txn_certain(txn).await;
        let commit = commit.expect("it is found out");
        assert_eq!(commit, Commit::Done(before + 1), "{losses:?}: once");
        let found = get(&*store, "/own").await.expect("the row");
        assert_eq!(
            (found.value, found.mod_revision),
            (value.into(), before + 1)
        );
        before += 1;
    }
    for losses in losses {
        let gone = Txn::new().if_present("/own").delete("/own");
        let commit = Lossy::new(&store, losses).txn_certain(gone).await;
        assert_eq!(commit.expect("it is found out"), Commit::Done(before + 1));
        before = put(&*store, "/own", "again").await;
    }
}

/// What a rival did is not our work, and what was refused stays refused.
pub(super) async fn rivals_are_not_taken_for_oneself<S: Store>(store: S) {
    let store = Arc::new(store);
    let claim = |who: &str| Txn::new().if_absent("/claim").put("/claim", who.to_owned());
    let theirs = done(&*store, claim("rival")).await;
    for losses in [&[][..], &[Loss::Request], &[Loss::Answer, Loss::Answer]] {
        let commit = Lossy::new(&store, losses).txn_certain(claim("own")).await;
        let refused = Commit::Refused {
            revision: theirs,
            keys: vec!["/claim".into()],
        };
        assert_eq!(commit.expect("it is found out"), refused, "{losses:?}");
    }
    // The same value, but from before: the guard knows its revision.
    let same = Txn::new()
        .if_unchanged("/claim", theirs)
        .if_present("/none")
        .put("/claim", "rival");
    let commit = Lossy::new(&store, &[Loss::Answer]).txn_certain(same).await;
    assert!(!commit.expect("it is found out").is_done());
    assert_eq!(
        get(&*store, "/claim").await,
        Some(row("/claim", "rival", theirs, theirs))
    );
}

/// A transaction without a guard on its own rows is not sent; one that is always lost says so.
pub(super) async fn what_could_not_be_found_out_is_not_begun<S: Store>(store: S) {
    let store = Arc::new(store);
    let before = put(&*store, "/a", "1").await;
    for txn in [
        Txn::new().put("/b", "1"),
        Txn::new().if_present("/a").put("/a", "2"),
        Txn::new().if_absent("/b").put("/c", "1"),
        Txn::new().if_absent("/b").delete("/b"),
    ] {
        let answer = store.txn_certain(txn).await;
        assert!(matches!(answer, Err(StoreError::Invalid(_))), "{answer:?}");
    }
    let lossy = Lossy::new(&store, &[Loss::Request; 50]);
    let answer = lossy
        .txn_certain(Txn::new().if_absent("/b").put("/b", "1"))
        .await;
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    let page = store.range("/", None, 0).await.expect("range");
    assert_eq!((page.rows.len(), page.revision), (1, before));
}

/// Whoever was left without an answer asks again, and learns what the first copy did.
pub(super) async fn an_unknown_outcome_is_settled_later<S: Store>(store: S) {
    let store = Arc::new(store);
    let txn = || Txn::new().if_absent("/own").put("/own", "1");
    let lossy = Lossy::new(&store, &[Loss::Answer; 5]);
    let answer = lossy.txn_certain(txn()).await;
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    let done = lossy.txn_settled(txn()).await.expect("it is settled");
    let found = get(&*store, "/own").await.expect("the row");
    assert_eq!(done, Commit::Done(found.mod_revision));
    let rival = Txn::new().if_absent("/own").put("/own", "2");
    let refused = lossy.txn_settled(rival).await.expect("it is settled");
    assert!(!refused.is_done());
}
