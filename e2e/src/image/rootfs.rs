//! The files of an image, and the layer (a tar) that they make.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use tar::{Builder, EntryType, Header};

use super::{ImageError, USER};

/// Files that every image has. Without `nsswitch.conf` the C library would ask DNS before `/etc/hosts`.
const BASE_FILES: [(&str, &str); 1] = [("etc/nsswitch.conf", "hosts: files dns\n")];
const READ: u32 = 0o644;
const RUN: u32 = 0o755;
/// Sticky and open to all, as `/tmp` is everywhere; with a read-only root it is where a volume is mounted.
const SCRATCH: u32 = 0o1777;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Folder { mode: u32 },
    File { mode: u32, content: Vec<u8> },
}

/// A tree of files, sorted by path; owned by root, so that the program cannot change itself.
#[derive(Debug, Clone, Default)]
pub struct RootFs {
    nodes: BTreeMap<PathBuf, Node>,
}

impl RootFs {
    /// What every image has: the users, `/tmp`, the order of name lookup.
    ///
    /// # Errors
    /// None today; the signature is that of the other steps.
    pub fn base() -> Result<Self, ImageError> {
        let mut root = Self::default();
        let passwd = format!(
            "root:x:0:0:root:/:/sbin/nologin\nstepgate:x:{USER}:{USER}:Stepgate:/tmp:/sbin/nologin\n"
        );
        root.file("etc/passwd", READ, passwd.into_bytes());
        root.file("etc/group", READ, format!("root:x:0:\nstepgate:x:{USER}:\n").into_bytes());
        for (path, text) in BASE_FILES {
            root.file(path, READ, text.as_bytes().to_vec());
        }
        root.nodes.insert(PathBuf::from("tmp"), Node::Folder { mode: SCRATCH });
        Ok(root)
    }

    /// Adds the program at `path`, relative to the root.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn program(&mut self, path: &str, source: &Path) -> Result<(), ImageError> {
        let content = read(source)?;
        self.file(path, RUN, content);
        Ok(())
    }

    /// Adds a library at the absolute path that it has here. A link becomes the file behind it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn library(&mut self, path: &Path) -> Result<(), ImageError> {
        let content = read(path)?;
        let inside = path.strip_prefix("/").unwrap_or(path);
        self.file(inside, RUN, content);
        Ok(())
    }

    /// Adds the certificates of public authorities at the path that they have here.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn certificates(&mut self, path: &Path) -> Result<(), ImageError> {
        let content = read(path)?;
        self.file(path.strip_prefix("/").unwrap_or(path), READ, content);
        Ok(())
    }

    fn file(&mut self, path: impl AsRef<Path>, mode: u32, content: Vec<u8>) {
        let path = path.as_ref();
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            self.nodes.entry(parent.to_owned()).or_insert(Node::Folder { mode: RUN });
        }
        self.nodes.insert(path.to_owned(), Node::File { mode, content });
    }

    /// The layer: a tar whose bytes depend on paths, modes and contents alone. A folder comes before what is in it,
    /// because paths are sorted by component.
    ///
    /// # Errors
    /// When a path does not fit the tar format.
    pub fn layer(&self) -> Result<Vec<u8>, ImageError> {
        let mut tar = Builder::new(Vec::new());
        for (path, node) in &self.nodes {
            let (kind, mode, content): (_, _, &[u8]) = match node {
                Node::Folder { mode } => (EntryType::Directory, *mode, &[]),
                Node::File { mode, content } => (EntryType::Regular, *mode, content),
            };
            let mut header = Header::new_ustar();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(u64::try_from(content.len()).unwrap_or(u64::MAX));
            tar.append_data(&mut header, path, content).map_err(ImageError::io(path))?;
        }
        tar.into_inner().map_err(ImageError::io(Path::new("layer.tar")))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    fs::read(path).map_err(ImageError::io(path))
}
