//! The OCI image layout: blobs named by their SHA-256, and an index that names the image.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CA_CERTIFICATES, Image, ImageError, USER};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The file that marks a folder as an image layout.
const MARK: &str = "oci-layout";

/// A blob as the layout names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Size in bytes.
    pub size: usize,
}

/// An image that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Folder of the layout.
    pub folder: PathBuf,
    /// Repository and tag.
    pub reference: String,
    /// The manifest: its digest is the image's.
    pub manifest: Blob,
    /// The configuration.
    pub config: Blob,
    /// The only layer, compressed.
    pub layer: Blob,
}

/// Writes the layout of an image with one layer (a tar, not yet compressed).
pub(super) fn write(image: &Image, layer_tar: &[u8], folder: &Path) -> Result<Written, ImageError> {
    let (name, tag) = image.name_and_tag()?;
    clear(folder)?;
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(ImageError::io(&blobs))?;
    let layer = put(&blobs, &gzip(layer_tar)?)?;
    let config = put(&blobs, &serde_json::to_vec(&config(image, &digest(layer_tar))?)?)?;
    let manifest = put(&blobs, &serde_json::to_vec(&manifest(&config, &layer))?)?;
    let mut entry = descriptor(MANIFEST, &manifest);
    if let Value::Object(fields) = &mut entry {
        fields.insert("platform".into(), json!({ "architecture": architecture(), "os": "linux" }));
        // The first annotation is the specification's; containerd's importer reads the full name from the second.
        let names = json!({ "org.opencontainers.image.ref.name": tag, "io.containerd.image.name": format!("docker.io/{name}:{tag}") });
        fields.insert("annotations".into(), names);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    file(&folder.join("index.json"), &serde_json::to_vec(&index)?)?;
    file(&folder.join(MARK), &serde_json::to_vec(&json!({ "imageLayoutVersion": "1.0.0" }))?)?;
    Ok(Written { folder: folder.to_owned(), reference: image.reference.clone(), manifest, config, layer })
}

fn config(image: &Image, diff_id: &str) -> Result<Value, ImageError> {
    let ports: serde_json::Map<_, _> =
        image.ports.iter().map(|port| (format!("{port}/tcp"), json!({}))).collect();
    Ok(json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {
            // Numeric: a kubelet cannot tell whether a name is root.
            "User": USER.to_string(),
            "Entrypoint": [format!("/bin/{}", image.program()?)],
            "Env": ["PATH=/bin", format!("SSL_CERT_FILE={CA_CERTIFICATES}"), "HOME=/tmp".to_owned()],
            "WorkingDir": "/",
            "ExposedPorts": ports,
        },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    }))
}

fn manifest(config: &Blob, layer: &Blob) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": [descriptor(LAYER, layer)],
    })
}

fn descriptor(media_type: &str, blob: &Blob) -> Value {
    json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.size })
}

/// The architecture of this machine under the name that images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Compresses without a time or a file name in the header.
fn gzip(bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    let here = Path::new("layer.tar.gz");
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    encoder.write_all(bytes).map_err(ImageError::io(here))?;
    encoder.finish().map_err(ImageError::io(here))
}

/// `sha256:` and the digest in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn put(blobs: &Path, bytes: &[u8]) -> Result<Blob, ImageError> {
    let digest = digest(bytes);
    file(&blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
    Ok(Blob { digest, size: bytes.len() })
}

fn file(path: &Path, bytes: &[u8]) -> Result<(), ImageError> {
    fs::write(path, bytes).map_err(ImageError::io(path))
}

/// Removes an earlier layout, and only a layout: the folder's name comes from the command line.
fn clear(folder: &Path) -> Result<(), ImageError> {
    if folder.join(MARK).is_file() {
        return fs::remove_dir_all(folder).map_err(ImageError::io(folder));
    }
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(ImageError::Occupied(folder.to_owned())),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ImageError::Io { path: folder.to_owned(), source }),
    }
}
