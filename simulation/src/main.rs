//! `simulate`: the whole controller under faults, from seeds that replay.

fn main() -> anyhow::Result<()> {
    simulation::command::run()
}
