//! `ipdect up --check`: tries the whole system out through its real doors, and says in one line how it went.
//! Source: contracts 15.

mod call;
mod folder;
mod left;
mod report;
mod steps;

use std::io::Write;
use std::time::{Duration, Instant};

use ipdect_node::{Environment, StartError};

pub(crate) use folder::Folder;
use report::{Failure, Report};

use crate::up::System;
use crate::up::config::Plan;

/// Longest time for all steps; what is left of 30 s is for the end of the parts.
const STEPS: Duration = Duration::from_millis(26_500);
/// Longest time for the end of the parts.
const END: Duration = Duration::from_secs(2);

/// Runs the check, prints its line, and answers whether all is well.
pub(crate) async fn run(plan: Plan, environment: Environment) -> bool {
    let begun = Instant::now();
    let mut report = Report::new();
    match System::start(plan, false, environment).await {
        Ok(system) => {
            report.started(&system.times);
            progress(&format!(
                "all parts are ready after {} ms",
                system.times.ready.as_millis()
            ));
            let steps = steps::all(&system, &mut report);
            match tokio::time::timeout(STEPS.saturating_sub(begun.elapsed()), steps).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => report.failures.push(failure),
                Err(_) => report.failures.push(Failure::new(
                    "time",
                    "check",
                    "done in 30 s",
                    "still busy",
                )),
            }
            end(system).await;
        }
        Err(error) => report.failures.push(not_started(&error)),
    }
    report.finish(begun.elapsed());
    for failure in &report.failures {
        progress(&format!("failed: {failure}"));
    }
    // The line is all that is wanted; without a reader the status still tells.
    let _ = writeln!(std::io::stdout().lock(), "{}", report.line());
    report.ok
}

async fn end(system: System) {
    for (part, how) in system.end(END).await {
        if let ipdect_node::Ended::Failed(why) = how {
            tracing::warn!(part, why, "did not end cleanly");
        }
    }
}

fn not_started(error: &StartError) -> Failure {
    let part = match error {
        StartError::Part { part, .. } => part,
        _ => "ipdect",
    };
    Failure::new("start", part, "ready", &error.to_string())
}

/// Tells on standard error how far the check is.
fn progress(text: &str) {
    eprintln!("check: {text}");
}
