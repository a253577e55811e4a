//! From the machine's loopback into the cluster's network namespace.
//!
//! One process outside accepts; every connection becomes the input and output of a small process inside, which
//! connects to the target. So nothing needs to move a thread between namespaces.

use anyhow::{Context, Result};
use std::io::{Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// Accepts on `listen` for ever and hands each connection to [`pipe`] inside the namespace.
///
/// # Errors
///
/// When the address is taken.
pub fn serve(listen: &str, namespace: &str, target: &str) -> Result<()> {
    let listener = TcpListener::bind(listen).with_context(|| format!("listen on {listen}"))?;
    let program = std::env::current_exe()?;
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let Ok(second) = stream.try_clone() else { continue };
        let child = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{namespace}"))
            .arg(&program)
            .args(["e2e", "pipe", target])
            .stdin(Stdio::from(OwnedFd::from(stream)))
            .stdout(Stdio::from(OwnedFd::from(second)))
            .spawn();
        if let Ok(mut child) = child {
            std::thread::spawn(move || child.wait());
        }
    }
    Ok(())
}

/// Connects to `target` and copies standard input to it and its answer to standard output.
///
/// # Errors
///
/// When the target does not accept.
pub fn pipe(target: &str) -> Result<()> {
    let stream = TcpStream::connect(target).with_context(|| format!("connect to {target}"))?;
    let mut inward = stream.try_clone()?;
    std::thread::spawn(move || {
        // An end of either side is how every connection ends: there is nobody to tell.
        let _ = copy(&mut std::io::stdin().lock(), &mut inward);
        let _ = inward.shutdown(Shutdown::Write);
    });
    let mut outward = std::fs::File::from(std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned()?);
    let mut stream = stream;
    copy(&mut stream, &mut outward)?;
    outward.flush()?;
    Ok(())
}
