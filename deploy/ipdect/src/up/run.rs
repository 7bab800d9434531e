//! Runs a system until it is asked to end.

use std::time::Duration;

use ipdect_node::shutdown::Signals;
use ipdect_node::{Ended, Environment, StartError};

use super::config::Plan;
use super::people::setups;
use super::{System, shown};
use crate::host::Host;

/// How long the end may take after the first signal.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the system is open for subscriptions.
const OPEN: Duration = Duration::from_secs(120);

/// Starts everything, tells what runs, and ends it all at the first signal; a second one ends at once.
///
/// # Errors
/// [`StartError`] if a part does not start, or ends by itself.
pub(crate) async fn run(plan: Plan, environment: Environment) -> Result<(), StartError> {
    let mut signals = Signals::listen().map_err(|error| StartError::Other {
        what: format!("signals cannot be taken: {error}"),
        remedy: "see the system's limits".into(),
    })?;
    let password = plan.admin.bootstrap_password.clone();
    let system = tokio::select! {
        started = System::start(plan, true, environment) => started?,
        _ = signals.next() => return Ok(()),
    };
    shown::parts(&system, &password.0);
    let host = system
        .host(setups(&system.plan.people, system.base_m())?)
        .await?;
    let attached = system.attach(&host).await?;
    let subscribing = tokio::spawn(settle(system.server.clone(), host.clone()));

    let failed = tokio::select! {
        (part, ended) = system.failed() => Some(StartError::Other {
            what: format!("the part {part} ended: {ended:?}"),
            remedy: "see the log; IPDECT_LOG__LEVEL=info shows more".into(),
        }),
        _ = signals.next() => None,
    };
    shown::ending();
    let end = async {
        subscribing.abort();
        host.end().await;
        attached.abort();
        system
            .end(DRAIN.saturating_sub(Duration::from_millis(2500)))
            .await
    };
    tokio::select! {
        ended = tokio::time::timeout(DRAIN, end) => report(ended.unwrap_or_default()),
        _ = signals.next() => tracing::warn!("ended at once"),
    }
    failed.map_or(Ok(()), Err)
}

fn report(ended: Vec<(&'static str, Ended)>) {
    for (part, how) in ended {
        if let Ended::Failed(why) = how {
            tracing::warn!(part, why, "did not end cleanly");
        }
    }
}

/// Has the portables subscribe that have no subscription, and tells when all are ready.
async fn settle(server: ipdect_server::Running, host: Host) {
    let begun = std::time::Instant::now();
    let mut new: Vec<usize> = Vec::new();
    for (index, known) in host.known().iter().enumerate() {
        if !known.view.borrow().status.subscribed {
            new.push(index);
        }
    }
    if !new.is_empty() {
        if let Err(error) = server.open_subscription(OPEN).await {
            tracing::error!(%error, "the system does not open for subscriptions");
        }
        for index in new {
            if host.subscribe(index).await.is_err() {
                return;
            }
        }
    }
    for known in host.known() {
        let mut view = known.view.clone();
        let done =
            |v: &crate::host::View| v.status.located || matches!(v.subscription, Some((Err(_), _)));
        match view.wait_for(done).await.map(|view| view.subscription) {
            Ok(Some((Err(why), _))) => shown::not_subscribed(&known.number, &why),
            Ok(_) => {}
            Err(_) => return,
        }
    }
    shown::portables(&host, begun.elapsed());
}
