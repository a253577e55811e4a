//! Container images without Docker: one binary, the shared libraries that it needs, CA certificates, no shell.
//!
//! An image is written as an OCI image layout (a directory that registries, `skopeo` and `ctr image import` read).
//! The same binary and libraries give the same bytes and so the same digest: nothing in it tells when, where or by
//! whom it was made.

mod layout;
mod libraries;
mod rootfs;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use layout::{Blob, Written};
pub use libraries::needed_libraries;
pub use rootfs::RootFs;

/// The numeric user that the image runs as: numeric, so that a kubelet can check `runAsNonRoot`; 999, as Argo
/// Rollouts' image has it.
pub const USER: u32 = 999;

/// Where the certificates of public authorities lie, on Debian and in our images.
pub const CA_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What to put in an image.
#[derive(Debug, Clone)]
pub struct Image {
    /// Repository and tag, such as `stepgate/controller:dev`.
    pub reference: String,
    /// The program on this machine; it becomes `/bin/NAME` and the entrypoint.
    pub binary: PathBuf,
    /// TCP ports that the program listens on.
    pub ports: Vec<u16>,
}

/// Why an image was not written.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The program has no file name.
    #[error("{0} is not the path of a program")]
    NoName(PathBuf),
    /// The reference has no tag.
    #[error("{0:?} is not an image reference: use NAME:TAG")]
    Reference(String),
    /// A shared library that the program needs is not on this machine.
    #[error("{binary} needs {library}, which is not on this machine: install the package that has it")]
    LibraryMissing {
        /// The program.
        binary: PathBuf,
        /// The library's name.
        library: String,
    },
    /// `ldd` could not tell what the program needs.
    #[error("ldd cannot read {binary}: {message}")]
    Ldd {
        /// The program.
        binary: PathBuf,
        /// What `ldd` printed.
        message: String,
    },
    /// The folder to write to holds something else.
    #[error("{0} is not empty and not an image layout: name another folder or remove it")]
    Occupied(PathBuf),
    /// JSON could not be written.
    #[error("cannot write the image's JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl ImageError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl Image {
    /// Collects the files and writes the image layout to `folder`, replacing a layout that is there.
    ///
    /// # Errors
    /// When a file cannot be read or written, a library is missing, or `folder` holds something else.
    pub fn write(&self, folder: &Path) -> Result<Written, ImageError> {
        let name = self.program()?;
        let mut root = RootFs::base()?;
        root.program(&format!("bin/{name}"), &self.binary)?;
        for library in needed_libraries(&self.binary)? {
            root.library(&library)?;
        }
        root.certificates(Path::new(CA_CERTIFICATES))?;
        layout::write(self, &root.layer()?, folder)
    }

    fn program(&self) -> Result<&str, ImageError> {
        self.binary
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| ImageError::NoName(self.binary.clone()))
    }

    /// Repository and tag apart.
    fn name_and_tag(&self) -> Result<(&str, &str), ImageError> {
        match self.reference.rsplit_once(':') {
            Some((name, tag)) if !name.is_empty() && !tag.is_empty() && !tag.contains('/') => Ok((name, tag)),
            _ => Err(ImageError::Reference(self.reference.clone())),
        }
    }
}
