//! A read-only image registry on loopback: it serves OCI image layouts that lie on disk.

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file of a state directory that lists `NAME:TAG<tab>FOLDER`.
pub const LIST: &str = "images.txt";
const HEAD_MAX_BYTES: u64 = 16 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Serves the images listed in `state` for ever; the list is read anew for every request.
///
/// # Errors
///
/// When the address is taken.
pub fn serve(listen: &str, state: &Path) -> Result<()> {
    let listener = TcpListener::bind(listen).with_context(|| format!("listen on {listen}"))?;
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let state = state.to_owned();
        std::thread::spawn(move || {
            if let Err(error) = answer(stream, &state) {
                eprintln!("{error:#}");
            }
        });
    }
    Ok(())
}

fn answer(mut stream: TcpStream, state: &Path) -> Result<()> {
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    let mut head = BufReader::new(stream.try_clone()?.take(HEAD_MAX_BYTES));
    let mut first = String::new();
    head.read_line(&mut first)?;
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut words = first.split_whitespace();
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default();
    let (status, kind, digest, body) = match find(path, state) {
        Some((kind, digest, body)) => ("200 OK", kind, digest, body),
        None => (
            "404 Not Found",
            "application/json",
            String::new(),
            br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#.to_vec(),
        ),
    };
    eprintln!("{method} {path} {status}");
    let digest = if digest.is_empty() { digest } else { format!("Docker-Content-Digest: {digest}\r\n") };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{digest}Connection: close\r\n\r\n",
        body.len()
    )?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    Ok(())
}

fn find(path: &str, state: &Path) -> Option<(&'static str, String, Vec<u8>)> {
    let rest = path.strip_prefix("/v2")?.trim_start_matches('/');
    if rest.is_empty() {
        return Some(("application/json", String::new(), b"{}".to_vec()));
    }
    let (rest, reference) = rest.rsplit_once('/')?;
    let (name, kind) = rest.rsplit_once('/')?;
    let list = fs::read_to_string(state.join(LIST)).ok()?;
    let images: Vec<(&str, &str)> = list.lines().filter_map(|line| line.split_once('\t')).collect();
    let digest = if reference.starts_with("sha256:") {
        reference.to_owned()
    } else {
        let wanted = format!("{name}:{reference}");
        // The last of a name wins: an image can be built again.
        let (_, folder) = images.iter().rev().find(|(image, _)| *image == wanted)?;
        let index: Value =
            serde_json::from_slice(&fs::read(Path::new(folder).join("index.json")).ok()?).ok()?;
        index.pointer("/manifests/0/digest")?.as_str()?.to_owned()
    };
    let hex =
        digest.strip_prefix("sha256:").filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let body = images
        .iter()
        .find_map(|(_, folder)| fs::read(Path::new(folder).join("blobs/sha256").join(hex)).ok())?;
    Some((if kind == "manifests" { MANIFEST } else { "application/octet-stream" }, digest, body))
}

/// Writes an image of one layer: `files` (path, content; all executable) and busybox's applets when `busybox` is given.
pub(crate) fn write_image(
    folder: &Path,
    files: &[(&str, Vec<u8>)],
    busybox: Option<&Path>,
    command: &[&str],
) -> Result<()> {
    let mut layer = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(u64::try_from(content.len())?);
        layer.append_data(&mut header, path, content.as_slice())?;
    }
    if let Some(busybox) = busybox {
        let list = crate::process::run(std::process::Command::new(busybox).arg("--list"))?;
        for applet in list.lines().filter(|name| *name != "busybox") {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            layer.append_link(&mut header, PathBuf::from("bin").join(applet), "busybox")?;
        }
    }
    let layer = layer.into_inner()?;
    let plain = format!("sha256:{}", hex(&layer));
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
    packed.write_all(&layer)?;
    let (layer, layer_size) = blob(folder, &packed.finish()?)?;
    let config = json!({"architecture": "amd64", "os": "linux", "config": {"Cmd": command, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [plain]}});
    let (config, config_size) = blob(folder, config.to_string().as_bytes())?;
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": layer_size}]});
    let (manifest, size) = blob(folder, manifest.to_string().as_bytes())?;
    let index =
        json!({"schemaVersion": 2, "manifests": [{"mediaType": MANIFEST, "digest": manifest, "size": size}]});
    fs::write(folder.join("index.json"), index.to_string())?;
    Ok(())
}

fn blob(folder: &Path, content: &[u8]) -> Result<(String, usize)> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let name = hex(content);
    fs::write(blobs.join(&name), content)?;
    Ok((format!("sha256:{name}"), content.len()))
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
