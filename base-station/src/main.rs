//! `ipdect-base`: a base station as a program of its own.

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use ipdect_base_station::{Config, config, metrics};
use ipdect_link::release::Release;
use ipdect_node::config::{ConfigErrors, Section};
use ipdect_node::health::{Probes, serve};
use ipdect_node::run_file::RunFile;
use ipdect_node::telemetry::{self, Settings};
use ipdect_node::{Ended, Environment, Metrics, StartError, cli, shutdown};

/// How long connections may last after the first signal.
const DRAIN: Duration = Duration::from_secs(5);

/// A base station of ipdect: virtual radio, bearers, speech.
#[derive(Debug, Parser)]
#[command(name = "ipdect-base", version)]
struct Arguments {
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.common) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}: {error}", error.code());
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(common: &cli::Common) -> Result<ExitCode, StartError> {
    let keys = config::keys();
    let sections = [Section::root(&keys)];
    if let Some(task) = &common.task {
        use std::io::Write;
        let output = task.output(
            Arguments::command(),
            "base.toml: a base station of ipdect",
            &sections,
        );
        // A closed pipe is the reader's choice.
        let _ = std::io::stdout().write_all(&output);
        return Ok(ExitCode::SUCCESS);
    }
    let config = read(common, &sections)?;
    if common.check_config {
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::Other {
            what: format!("no threads: {error}"),
            remedy: "raise the limit of processes".into(),
        })?;
    let ended = runtime.block_on(serve_until_end(config))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ended::Cleanly => Ok(ExitCode::SUCCESS),
        Ended::Failed(why) => Err(StartError::Other {
            what: why,
            remedy: "see the log".into(),
        }),
    }
}

fn read(common: &cli::Common, sections: &[Section]) -> Result<Config, ConfigErrors> {
    let reader = common.document("base.toml")?.read(sections);
    let config = Config::read(&reader.root());
    reader.finish(config)
}

async fn serve_until_end(config: Config) -> Result<Ended, StartError> {
    let telemetry = telemetry::install(&Settings::of("ipdect-base", &config.common))?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let metrics = Metrics::new(&[metrics::METRICS]);
    metrics.install()?;
    metrics.built("ipdect-base", &Release::ours().to_string());
    let (data_dir, probe_listen) = (config.common.data_dir.clone(), config.common.probe_listen);
    let running = ipdect_base_station::start(config, Environment::system(metrics.clone())).await?;
    let _probes = serve(
        probe_listen,
        Probes::of(metrics.clone(), vec![running.clone()]),
    )
    .await?;
    tokio::spawn(metrics.keep_up());
    let _run_file = RunFile::write(&data_dir, &Release::ours().to_string(), &running)?;
    let drained = running.clone();
    let finished = running.wait();
    if let Err(error) =
        shutdown::signalled(finished, || async move { drained.drain(DRAIN).await }).await
    {
        tracing::error!(%error, "signals cannot be taken");
    }
    let ended = running.drain(Duration::ZERO).await;
    let _ = tokio::task::spawn_blocking(move || telemetry.shutdown()).await;
    Ok(ended)
}
