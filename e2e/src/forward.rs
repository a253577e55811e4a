//! From the machine's loopback into the cluster's network namespace.
//!
//! One process outside accepts; every connection becomes the input and output of a small process inside, which
//! connects to the target. So nothing needs to move a thread between namespaces.

use anyhow::{Context, Result};
use std::io::{Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

/// Accepts for ever on the socket that is standard input, and hands each connection to [`pipe`] inside the namespace.
/// The socket comes from the one who has to know its port, so that nobody else can take that port in between.
///
/// # Errors
///
/// When standard input is not open.
pub fn serve(namespace: &str, target: &str) -> Result<()> {
    let listener = TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
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
    let mut outward = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let mut stream = stream;
    copy(&mut stream, &mut outward)?;
    outward.flush()?;
    Ok(())
}
