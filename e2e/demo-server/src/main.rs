//! `demo-server` serves; `demo-server load` sends requests and writes down what it saw.

use std::{fs::File, path::PathBuf};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use demo_server::{load, server, settings::Settings};
use http::Uri;
use tokio::signal::unix::{SignalKind, signal};

/// A small web server for demos and tests, set by its environment.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send GET requests at a steady rate and write one line for each: time, duration, status, version, pod, its state,
    /// way.
    Load {
        /// The page, `http://HOST:PORT/`.
        #[arg(long)]
        url: Uri,
        /// Where to connect, when the address names a host that nobody resolves.
        #[arg(long)]
        connect: Option<std::net::SocketAddr>,
        /// Requests per second, each on a new connection.
        #[arg(long, default_value_t = 20)]
        rate: u32,
        /// Requests per second on kept connections.
        #[arg(long, default_value_t = 0)]
        kept: u32,
        /// Requests per second by HTTP/2.
        #[arg(long, default_value_t = 0)]
        http2: u32,
        /// gRPC streams that stay open.
        #[arg(long, default_value_t = 0)]
        streams: u32,
        /// How long.
        #[arg(long)]
        seconds: u32,
        /// The log; an existing file is replaced.
        #[arg(long)]
        log: PathBuf,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Load { url, connect, rate, kept, http2, streams, seconds, log }) => {
            let file = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
            let rates = load::Rates { new: rate, kept, http2, streams };
            let load = load::Load { url, connect, rates, seconds };
            let count = load::send(&load, file, terminated()?).await?;
            println!("{count} requests written to {}", log.display());
            Ok(())
        }
        None if cli.settings.start_fail => bail!("START_FAIL is set: this release crashes at start"),
        None => {
            // The handler comes before the port: once someone can connect, SIGTERM is honoured.
            let terminated = terminated()?;
            let port = cli.settings.port;
            let listener = server::bind(port).await.with_context(|| format!("cannot open port {port}"))?;
            println!("version {} serves on {}", cli.settings.version, listener.local_addr()?);
            Ok(server::serve(listener, cli.settings, terminated).await?)
        }
    }
}

/// Resolves on SIGTERM (a kubelet) or SIGINT (a person). The handlers are installed before this returns.
fn terminated() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = term.recv() => (),
            _ = interrupt.recv() => (),
        }
    })
}
