//! Which shared libraries a program needs, as this machine's loader finds them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::ImageError;

/// The paths of the libraries that `binary` needs, the dynamic loader among them, each where the loader looks for
/// it; sorted. Empty for a static program.
///
/// `ldd` is asked rather than the ELF headers read: it follows the libraries' own needs, the loader's cache and its
/// multi-architecture folders exactly as the loader will.
///
/// # Errors
/// When `ldd` fails or a library is missing.
pub fn needed_libraries(binary: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let fail = |message: String| ImageError::Ldd { binary: binary.to_owned(), message };
    let ran = Command::new("ldd")
        .arg(binary)
        .env("LC_ALL", "C")
        .output()
        .map_err(ImageError::io(Path::new("ldd")))?;
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if !ran.status.success() {
        // glibc's ldd exits with 1 for a program without a loader; that is an answer, not a failure.
        let without_loader = out.contains("statically linked") || err.contains("not a dynamic executable");
        return if without_loader { Ok(Vec::new()) } else { Err(fail(err.trim().to_owned())) };
    }
    let mut found =
        parse(&out).map_err(|library| ImageError::LibraryMissing { binary: binary.to_owned(), library })?;
    found.sort();
    found.dedup();
    Ok(found)
}

/// Reads `ldd`'s lines: `NAME => PATH (ADDRESS)`, `NAME => not found`, and for the loader `PATH (ADDRESS)`.
/// The kernel's own `linux-vdso.so.1` has no path.
pub(super) fn parse(ldd: &str) -> Result<Vec<PathBuf>, String> {
    let mut paths = Vec::new();
    for line in ldd.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, target) = line.split_once(" => ").unwrap_or((line, line));
        if target.starts_with("not found") {
            return Err(name.to_owned());
        }
        let path = target.split(" (").next().unwrap_or(target);
        if path.starts_with('/') {
            paths.push(PathBuf::from(path));
        }
    }
    Ok(paths)
}
