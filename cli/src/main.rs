//! `kubectl-stepgate`: promote, abort and watch Rollouts. It answers to the name `kubectl-argo-rollouts`, too.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // A second provider would be a defect of the build; the first stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(cli::main().await)
}
