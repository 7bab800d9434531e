//! The program `ipdect-media`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use ipdect_link::release::Release;
use ipdect_media_resource::{Config, config, metrics, start};
use ipdect_node::config::Section;
use ipdect_node::health::{Probes, serve};
use ipdect_node::run_file::{Lock, RunFile};
use ipdect_node::{Ended, Environment, Metrics, StartError, cli, shutdown, telemetry, tls};

/// How long calls may last after the first signal.
const DRAIN: Duration = Duration::from_secs(5);

/// Media resource of an ipdect system: RTP, SRTP, codecs, tones.
#[derive(Debug, Parser)]
#[command(name = "ipdect-media", version)]
struct Options {
    #[command(flatten)]
    common: cli::Common,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}: {error}", error.code());
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run(options: &Options) -> Result<ExitCode, StartError> {
    let keys = config::keys();
    let sections = [Section::root(&keys)];
    if let Some(task) = &options.common.task {
        let printed = task.output(Options::command(), "Media resource", &sections);
        print!("{}", String::from_utf8_lossy(&printed));
        return Ok(ExitCode::SUCCESS);
    }
    let reader = options.common.document("media.toml")?.read(&sections);
    let read = Config::read(&reader.root());
    let config = reader.finish(read)?;
    if options.common.check_config {
        return Ok(ExitCode::SUCCESS);
    }
    tls::install_provider();
    let telemetry = telemetry::install(&telemetry::Settings::of("ipdect-media", &config.common))?;
    let ended = serve_until_signalled(config).await;
    telemetry.shutdown();
    ended
}

async fn serve_until_signalled(config: Config) -> Result<ExitCode, StartError> {
    let common = config.common.clone();
    let _lock = Lock::take(&common.data_dir)?;
    let metrics = Metrics::new(&[metrics::METRICS]);
    metrics.install()?;
    metrics.built("ipdect-media", &Release::ours().to_string());
    tokio::spawn(metrics.clone().keep_up());
    let running = start(config, Environment::system(metrics.clone())).await?;
    let _probes = serve(
        common.probe_listen,
        Probes::of(metrics, vec![running.clone()]),
    )
    .await?;
    let release = Release::ours().to_string();
    let _run_file = RunFile::write(&common.data_dir, &release, &running)?;
    let finished = running.clone();
    let drained = running.clone();
    let signals = shutdown::signalled(async move { finished.wait().await }, move || async move {
        drained.drain(DRAIN).await
    });
    match signals.await {
        Ok(true) => Ok(match running.wait().await {
            Ended::Cleanly => ExitCode::SUCCESS,
            Ended::Failed(why) => {
                tracing::error!(%why, "ended");
                ExitCode::FAILURE
            }
        }),
        // A second signal: the end at once, as asked.
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(error) => Err(StartError::Other {
            what: format!("signals: {error}"),
            remedy: "run it where signals may be handled".into(),
        }),
    }
}
