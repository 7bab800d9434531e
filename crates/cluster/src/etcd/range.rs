//! Ranges in pieces: one answer must stay below what gRPC takes, 4 MiB.

use super::convert::{end_of, first_of, revision, row, signed};
use super::pool::{Effect, Failure};
use super::{Etcd, lost_header};
use crate::error::StoreError;
use crate::store::{Page, Revision, Row};
use etcd_client::{GetOptions, GetResponse, KeyValue};

/// Rows of the first piece; records have 8 KiB at the most, and rows 1 MiB.
const ROWS: usize = 256;
/// How often a range is begun anew because its revision was compacted before the last piece came.
const TRIES: usize = 3;

/// One range being read.
struct Reading<'e> {
    etcd: &'e Etcd,
    end: Vec<u8>,
    /// Rows that are wanted.
    limit: usize,
    /// Rows of the next piece.
    piece: usize,
}

pub(super) async fn read(
    etcd: &Etcd,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut reading = Reading {
        etcd,
        end: end_of(prefix),
        limit: if limit == 0 { usize::MAX } else { limit },
        piece: ROWS,
    };
    for _ in 0..TRIES {
        match reading.whole(first_of(prefix, after)).await {
            Ok(page) => return Ok(page),
            Err(Failure::Compacted) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Err(Failure::Compacted.into())
}

impl Reading<'_> {
    /// Reads all pieces, each at the revision of the first.
    async fn whole(&mut self, mut from: Vec<u8>) -> Result<Page, Failure> {
        let mut rows: Vec<Row> = Vec::new();
        let mut at: Revision = 0;
        loop {
            let wanted = self.limit - rows.len();
            let mut answer = match self.piece(&from, wanted.min(self.piece), at).await {
                Err(Failure::TooLarge) if self.piece > 1 => {
                    self.piece /= 4;
                    self.piece = self.piece.max(1);
                    continue;
                }
                answer => answer?,
            };
            if at == 0 {
                let header = answer.header().ok_or_else(lost_header)?;
                at = revision(header.revision());
            }
            let found: Vec<KeyValue> = answer.take_kvs();
            if let Some(last) = found.last() {
                from = [last.key(), &[0]].concat();
            }
            rows.extend(found.into_iter().filter_map(row));
            if !answer.more() || rows.len() >= self.limit {
                return Ok(Page {
                    rows,
                    revision: at,
                    more: answer.more(),
                });
            }
        }
    }

    async fn piece(&self, from: &[u8], rows: usize, at: Revision) -> Result<GetResponse, Failure> {
        let options = GetOptions::new()
            .with_range(self.end.as_slice())
            .with_limit(i64::try_from(rows).unwrap_or(i64::MAX))
            .with_revision(signed(at));
        self.etcd
            .ask(Effect::Repeatable, "a range", |mut client| {
                let (from, options) = (from.to_vec(), options.clone());
                async move { client.get(from, Some(options)).await }
            })
            .await
    }
}
