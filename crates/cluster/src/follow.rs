//! A view that follows the store: read once, then kept by watches, and read anew when they lost sight.

use crate::error::StoreError;
use crate::keys::{Key, prefix};
use crate::membership::load;
use crate::store::{Changes, Store};
use crate::view::{Touched, View};
use futures_util::stream::{BoxStream, SelectAll, StreamExt};
use std::fmt;
use std::sync::Arc;

/// What a follower has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// These changed.
    Touched(Vec<Touched>),
    /// Everything was read anew; anything may have changed.
    Anew,
}

/// A view that follows a store.
///
/// Era, members and shards are watched one by one, so changes of different kinds may be seen in another order than they
/// were made in.
pub struct Follower {
    store: Arc<dyn Store>,
    view: View,
    /// `None`: to be read anew.
    watch: Option<SelectAll<BoxStream<'static, Result<Changes, StoreError>>>>,
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

impl Follower {
    /// Reads the view.
    ///
    /// # Errors
    /// If the store cannot be read, or a row of it.
    pub async fn new(store: Arc<dyn Store>) -> Result<Follower, StoreError> {
        let mut follower = Follower {
            store,
            view: View::new(),
            watch: None,
        };
        follower.read().await?;
        Ok(follower)
    }

    /// The view as last seen.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// Waits for the next change and takes it in. May be dropped while it waits.
    ///
    /// # Errors
    /// If the store cannot be read any more, or a row of it; the next call reads everything anew.
    pub async fn next(&mut self) -> Result<Seen, StoreError> {
        loop {
            let Some(watch) = &mut self.watch else {
                self.read().await?;
                return Ok(Seen::Anew);
            };
            match watch.next().await {
                Some(Ok(changes)) => {
                    let touched = self.take(&changes);
                    if touched.is_err() {
                        self.watch = None;
                    }
                    return touched.map(Seen::Touched);
                }
                Some(Err(StoreError::Compacted { .. })) | None => self.watch = None,
                Some(Err(error)) => {
                    self.watch = None;
                    return Err(error);
                }
            }
        }
    }

    fn take(&mut self, changes: &Changes) -> Result<Vec<Touched>, StoreError> {
        let touched = changes.changes.iter().map(|change| self.view.apply(change));
        touched.collect()
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        let (view, revision) = load(&*self.store).await?;
        let mut watch = SelectAll::new();
        for rows in [
            Key::Era.to_string().as_str(),
            prefix::MEMBERS,
            prefix::SHARDS,
        ] {
            // When one of them ends, so do all: a watch that ends has lost sight, or its store is closed.
            let one = self.store.watch(rows, revision + 1).await?;
            let ended = StoreError::Unavailable("the watch has ended".to_owned());
            watch.push(
                one.chain(futures_util::stream::once(async { Err(ended) }))
                    .boxed(),
            );
        }
        self.view = view;
        self.watch = Some(watch);
        Ok(())
    }
}
