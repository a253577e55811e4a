//! `stepgate-controller`.

use clap::Parser;

/// News are many small objects that come and go: with the allocator of the C library, a third of the processor time was
/// its own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let args = controller::args::Args::parse();
    controller::args::init_logs(&args);
    providers::install_tls();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(controller::run(args))
}
