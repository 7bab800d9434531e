//! Threads for what keeps the clock of the air: no other work of the process holds them up.

use std::io;

use ipdect_node::{Running, StartError};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Runs a future on a thread of its own, with a runtime of its own.
///
/// # Errors
/// If the system has no thread left.
pub(crate) fn spawn<W>(name: &str, work: impl FnOnce() -> W + Send + 'static) -> io::Result<()>
where
    W: Future<Output = ()>,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(async move { work().await }))
        .map(drop)
}

/// Starts a program on a thread of its own, which lasts as long as the program.
///
/// # Errors
/// What the program says, or that there is no thread.
pub(crate) async fn start<S>(
    name: &'static str,
    program: impl FnOnce() -> S + Send + 'static,
) -> Result<Running, StartError>
where
    S: Future<Output = Result<Running, StartError>>,
{
    let (tell, told) = oneshot::channel();
    let work = move || async move {
        let started = program().await;
        let running = started.as_ref().ok().cloned();
        // Nobody waits any more: the whole system ends.
        let _ = tell.send(started);
        if let Some(running) = running {
            running.wait().await;
        }
    };
    spawn(name, work).map_err(no_thread)?;
    told.await.unwrap_or_else(|_| {
        Err(StartError::Other {
            what: "its thread ended".into(),
            remedy: "see the log".into(),
        })
    })
}

/// Says that there is no thread, and what to do.
pub(crate) fn no_thread(error: io::Error) -> StartError {
    StartError::Other {
        what: format!("no thread: {error}"),
        remedy: "raise the limit of processes".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_runs_beside_and_its_start_is_told() {
        let program = || async {
            let none: [(String, std::net::SocketAddr); 0] = [];
            let (running, control) = Running::new("test", none);
            tokio::spawn(async move {
                let mut control = control;
                control.drain_asked().await;
                control.ended(ipdect_node::Ended::Cleanly);
            });
            Ok(running)
        };
        let running = start("test", program).await.unwrap();
        let ended = running.drain(std::time::Duration::from_secs(5)).await;
        assert_eq!(ended, ipdect_node::Ended::Cleanly);
        let failing = || async { Err(no_thread(io::Error::other("full"))) };
        assert!(start("test", failing).await.is_err());
    }
}
