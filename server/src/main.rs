//! `ipdect-server`: reads `server.toml`, installs what belongs to the process, starts the library, waits for the end.

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use ipdect_node::config::Section;
use ipdect_node::health::{self, Probes};
use ipdect_node::{Environment, Metrics, StartError, cli, shutdown, telemetry};
use ipdect_server::config::{Config, keys};

/// How long a drain may take after the first signal.
const DRAIN: Duration = Duration::from_secs(5);

/// The ipdect server: handset actors, SIP, call control, directory.
#[derive(Parser)]
#[command(name = "ipdect-server", version)]
struct Arguments {
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let keys = keys();
    let sections = [Section::root(&keys)];
    if let Some(task) = &arguments.common.task {
        use std::io::Write as _;
        // A reader that went away is no error.
        let _ = std::io::stdout().write_all(&task.output(
            Arguments::command(),
            "ipdect-server",
            &sections,
        ));
        return ExitCode::SUCCESS;
    }
    match read(&arguments, &sections).and_then(|config| {
        if arguments.common.check_config {
            println!("the configuration is good");
            return Ok(());
        }
        run(config)
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", error.code());
            ExitCode::from(error.exit_code())
        }
    }
}

fn read(arguments: &Arguments, sections: &[Section]) -> Result<Config, StartError> {
    let reader = arguments.common.document("server.toml")?.read(sections);
    let config = Config::read(&reader.root());
    Ok(reader.finish(config)?)
}

fn run(config: Config) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| StartError::Other {
            what: format!("no threads: {e}"),
            remedy: "see the system's limits".into(),
        })?;
    runtime.block_on(async {
        let telemetry =
            telemetry::install(&telemetry::Settings::of("ipdect-server", &config.common))?;
        let metrics = Metrics::new(&[ipdect_server::metrics::METRICS]);
        metrics.install()?;
        metrics.built(
            "ipdect-server",
            &ipdect_link::release::Release::ours().to_string(),
        );
        tokio::spawn(metrics.clone().keep_up());
        let listen = config.common.probe_listen;
        let running = ipdect_server::start(config, Environment::system(metrics.clone())).await?;
        let probes = Probes::of(metrics, vec![(*running).clone()]);
        tokio::spawn(probes.heart("runtime").beat_on());
        let _served = health::serve(listen, probes).await?;
        let ended = shutdown::signalled(running.wait(), || running.drain(DRAIN)).await;
        telemetry.shutdown();
        ended.map(drop).map_err(|e| StartError::Other {
            what: format!("signals: {e}"),
            remedy: "see the system's limits".into(),
        })
    })
}
