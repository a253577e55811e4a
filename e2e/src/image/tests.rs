#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::{Image, ImageError, RootFs, Written, layout, libraries};

/// A folder of this test's own, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("image-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn image() -> Image {
    Image { reference: "stepgate/tiny:dev".into(), binary: PathBuf::from("tiny"), ports: vec![8080, 8090] }
}

fn tiny(folder: &Path) -> Written {
    let program = folder.join("tiny");
    fs::write(&program, b"not really a program").unwrap();
    let mut root = RootFs::base().unwrap();
    root.program("bin/tiny", &program).unwrap();
    layout::write(&image(), &root.layer().unwrap(), &folder.join("layout")).unwrap()
}

fn blob(written: &Written, digest: &str) -> Vec<u8> {
    let bytes =
        fs::read(written.folder.join("blobs/sha256").join(digest.strip_prefix("sha256:").unwrap())).unwrap();
    assert_eq!(layout::digest(&bytes), digest, "a blob is named by its digest");
    bytes
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn untar(bytes: &[u8]) -> BTreeMap<String, (u32, u64, u64, String)> {
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let header = entry.header().clone();
        let mut text = Vec::new();
        entry.read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        (path, (header.mode().unwrap(), header.uid().unwrap(), header.mtime().unwrap(), text))
    });
    entries.collect()
}

#[test]
fn the_layout_leads_from_the_index_to_the_layer() {
    let scratch = Scratch::new("chain");
    let written = tiny(&scratch.0);
    assert_eq!(json(&fs::read(written.folder.join("oci-layout")).unwrap())["imageLayoutVersion"], "1.0.0");
    let index = json(&fs::read(written.folder.join("index.json")).unwrap());
    let entry = &index["manifests"][0];
    assert_eq!(entry["digest"], written.manifest.digest.as_str());
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "dev");
    assert_eq!(entry["annotations"]["io.containerd.image.name"], "docker.io/stepgate/tiny:dev");
    let manifest_bytes = blob(&written, &written.manifest.digest);
    assert_eq!(entry["size"], manifest_bytes.len());
    let manifest = json(&manifest_bytes);
    assert_eq!(manifest["config"]["digest"], written.config.digest.as_str());
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let layer = blob(&written, manifest["layers"][0]["digest"].as_str().unwrap());
    assert_eq!(manifest["layers"][0]["size"], layer.len());
    let mut tar = Vec::new();
    GzDecoder::new(layer.as_slice()).read_to_end(&mut tar).unwrap();
    let config = json(&blob(&written, &written.config.digest));
    assert_eq!(
        config["rootfs"]["diff_ids"][0],
        layout::digest(&tar).as_str(),
        "the digest before compression"
    );
    assert_eq!(config["config"]["User"], "999");
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/bin/tiny"]));
    assert_eq!(config["config"]["Env"][1], "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt");
    assert!(config["config"]["ExposedPorts"]["8090/tcp"].is_object());
}

#[test]
fn the_layer_has_the_program_the_user_and_no_shell() {
    let scratch = Scratch::new("layer");
    let written = tiny(&scratch.0);
    let mut tar = Vec::new();
    GzDecoder::new(blob(&written, &written.layer.digest).as_slice()).read_to_end(&mut tar).unwrap();
    let files = untar(&tar);
    let paths: Vec<&str> = files.keys().map(|path| path.trim_end_matches('/')).collect();
    let all = ["bin", "bin/tiny", "etc", "etc/group", "etc/nsswitch.conf", "etc/passwd", "tmp"];
    assert_eq!(paths, all);
    assert_eq!(files["bin/tiny"], (0o755, 0, 0, "not really a program".into()));
    assert!(files["etc/passwd"].3.contains("stepgate:x:999:999:"));
    let tmp = files.iter().find(|(path, _)| path.starts_with("tmp")).unwrap().1;
    assert_eq!(tmp.0, 0o1777);
}

#[test]
fn the_same_files_make_the_same_image_whenever_they_are_written() {
    let (one, two) = (Scratch::new("same-1"), Scratch::new("same-2"));
    let (first, second) = (tiny(&one.0), tiny(&two.0));
    assert_eq!((first.manifest, first.config, first.layer), (second.manifest, second.config, second.layer));
}

#[test]
fn a_layout_is_replaced_and_anything_else_is_kept() {
    let scratch = Scratch::new("replace");
    let written = tiny(&scratch.0);
    let stale = written.folder.join("blobs/sha256/stale");
    fs::write(&stale, b"of an earlier image").unwrap();
    tiny(&scratch.0);
    assert!(!stale.exists());
    let theirs = scratch.0.join("theirs");
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("thesis.txt"), b"years of work").unwrap();
    let refused = layout::write(&image(), &[], &theirs);
    assert!(matches!(refused, Err(ImageError::Occupied(_))), "{refused:?}");
    assert!(theirs.join("thesis.txt").exists());
}

#[test]
fn a_reference_needs_a_tag() {
    for reference in ["stepgate/controller", "host:5000/controller", ":dev", "name:"] {
        let image = Image { reference: reference.into(), ..image() };
        assert!(matches!(image.name_and_tag(), Err(ImageError::Reference(_))), "{reference}");
    }
}

#[test]
fn ldd_is_read_line_by_line() {
    let ldd = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
               \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
    let paths = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
    assert_eq!(libraries::parse(ldd), Ok(paths.to_vec()));
    assert_eq!(libraries::parse("\tlibodd.so.1 => not found\n"), Err("libodd.so.1".into()));
    assert_eq!(libraries::parse("\tstatically linked\n"), Ok(Vec::new()));
}

/// This very test program is a dynamic one: its image has the loader and the C library.
#[test]
fn a_real_program_brings_its_loader_and_libraries() {
    let me = std::env::current_exe().unwrap();
    let needed = libraries::needed_libraries(&me).unwrap();
    let has = |part: &str| needed.iter().any(|path| path.to_str().unwrap().contains(part));
    assert!(has("/libc.so.6") && has("/ld-linux"), "{needed:?}");
}
