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
    let config = json!({"architecture": architecture(), "os": "linux", "config": {"Cmd": command, "Env": ["PATH=/bin"]},
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

/// The machine's, in the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A state directory with images of one file each.
    fn state(test: &str, images: &[(&str, &str)]) -> PathBuf {
        let state = std::env::temp_dir().join(format!("stepgate-registry-{test}-{}", std::process::id()));
        let mut list = String::new();
        for (number, (name, content)) in images.iter().enumerate() {
            let folder = state.join(number.to_string());
            write_image(&folder, &[("file", content.as_bytes().to_vec())], None, &["/file"]).unwrap();
            list += &format!("{name}\t{}\n", folder.display());
        }
        fs::write(state.join(LIST), list).unwrap();
        state
    }

    fn digest(path: &str, state: &Path) -> Option<String> {
        find(path, state).map(|(_, digest, _)| digest)
    }

    #[test]
    fn an_image_is_found_by_its_tag_with_all_its_parts() {
        let state = state("parts", &[("library/web:1", "one")]);
        let (kind, name, body) = find("/v2/library/web/manifests/1", &state).unwrap();
        assert_eq!((kind, name), (MANIFEST, format!("sha256:{}", hex(&body))));
        let manifest: Value = serde_json::from_slice(&body).unwrap();
        for part in ["/config", "/layers/0"] {
            let digest = manifest.pointer(&format!("{part}/digest")).and_then(Value::as_str).unwrap();
            let (kind, _, body) = find(&format!("/v2/library/web/blobs/{digest}"), &state).unwrap();
            assert_eq!(kind, "application/octet-stream");
            assert_eq!(format!("sha256:{}", hex(&body)), digest);
            assert_eq!(manifest.pointer(&format!("{part}/size")), Some(&json!(body.len())));
        }
        fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn of_an_image_built_again_the_tag_is_the_new_one_and_the_old_one_has_its_digest() {
        let state = state("again", &[("web:1", "old"), ("other:1", "other"), ("web:1", "new")]);
        let index = |number: &str| {
            let text = fs::read(state.join(number).join("index.json")).unwrap();
            let index: Value = serde_json::from_slice(&text).unwrap();
            index.pointer("/manifests/0/digest").and_then(Value::as_str).unwrap().to_owned()
        };
        assert_eq!(digest("/v2/web/manifests/1", &state), Some(index("2")));
        let old = index("0");
        assert_ne!(old, index("2"));
        assert_eq!(digest(&format!("/v2/web/manifests/{old}"), &state), Some(old));
        fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn what_is_not_there_or_leaves_the_folder_is_not_found() {
        let state = state("absent", &[("web:1", "x")]);
        assert!(find("/v2/", &state).is_some());
        for path in [
            "/",
            "/v2/web/manifests/2",
            "/v2/none/manifests/1",
            "/v2/web/blobs/sha256:00",
            "/v2/web/blobs/sha256:../../0/index.json",
            "/v2/web/manifests/sha256:",
        ] {
            assert!(find(path, &state).is_none(), "{path}");
        }
        fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn an_answer_has_the_headers_that_containerd_reads() {
        let state = state("answer", &[("web:1", "x")]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = state.clone();
        let server = std::thread::spawn(move || answer(listener.accept().unwrap().0, &served));
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"HEAD /v2/web/manifests/1?ns=docker.io HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        server.join().unwrap().unwrap();
        let wanted = digest("/v2/web/manifests/1", &state).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains(&format!("Docker-Content-Digest: {wanted}\r\n")), "{text}");
        assert!(text.contains(&format!("Content-Type: {MANIFEST}\r\n")), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "HEAD has no body: {text}");
        fs::remove_dir_all(state).unwrap();
    }
}
