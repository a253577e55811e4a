//! `simulate`: the whole controller under faults, from seeds that replay.

/// A run makes and drops some hundred thousand small JSON values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    simulation::command::run()
}
