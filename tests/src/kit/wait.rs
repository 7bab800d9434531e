//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks at the condition.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until the condition yields something.
///
/// # Errors
/// After `patience`, one that says what never came; whatever the condition itself answers, at once.
pub fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if started.elapsed() > patience {
            bail!("not within {patience:?}: {what}");
        }
        std::thread::sleep(LOOK);
    }
}
