//! `stepgate-controller`.

use clap::Parser;

fn main() -> anyhow::Result<()> {
    let args = controller::args::Args::parse();
    controller::args::init_logs(&args);
    providers::install_tls();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(controller::run(args))
}
