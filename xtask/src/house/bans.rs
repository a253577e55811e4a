//! What a pure room may not call: one list, from which each pure room's `clippy.toml` is made (clippy reads only the
//! nearest one).

/// Rooms without IO, clock and randomness.
pub(crate) const PURE_ROOMS: [&str; 4] = ["crds", "analysis", "planner", "traffic"];

/// Calls that reach out of the process or read a clock, and why not.
const METHODS: [(&str, &str); 16] = [
    ("std::time::SystemTime::now", "the time is passed in"),
    ("std::time::Instant::now", "the time is passed in"),
    ("chrono::Utc::now", "the time is passed in"),
    ("chrono::Local::now", "the time is passed in"),
    ("std::env::var", "settings are passed in"),
    ("std::env::vars", "settings are passed in"),
    ("std::env::args", "settings are passed in"),
    ("std::fs::read", "files are read at the edge"),
    ("std::fs::read_to_string", "files are read at the edge"),
    ("std::fs::write", "files are written at the edge"),
    ("std::fs::File::open", "files are read at the edge"),
    ("std::fs::File::create", "files are written at the edge"),
    ("std::net::TcpStream::connect", "the network is at the edge"),
    ("std::net::TcpListener::bind", "the network is at the edge"),
    ("std::thread::spawn", "a decision has one thread"),
    ("std::thread::sleep", "a decision does not wait"),
];

/// Types whose order or content is not a function of their input, and why not.
const TYPES: [(&str, &str); 3] = [
    ("std::collections::HashMap", "its order is random: take a BTreeMap"),
    ("std::collections::HashSet", "its order is random: take a BTreeSet"),
    ("std::process::Command", "processes are started at the edge"),
];

/// Text of a pure room's `clippy.toml`.
pub(crate) fn clippy_toml() -> String {
    let mut out =
        String::from("# Made by `cargo xtask gen` from xtask/src/house/bans.rs: change it there.\n");
    out.push_str(
        "too-many-lines-threshold = 70\nallow-unwrap-in-tests = true\nallow-expect-in-tests = true\n",
    );
    out.push_str("allow-indexing-slicing-in-tests = true\n");
    for (key, list) in [("disallowed-methods", &METHODS[..]), ("disallowed-types", &TYPES[..])] {
        out.push_str(&format!("{key} = [\n"));
        for (path, reason) in list {
            out.push_str(&format!("  {{ path = {path:?}, reason = {reason:?} }},\n"));
        }
        out.push_str("]\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pure_room_has_the_list() {
        for room in PURE_ROOMS {
            let path = super::super::root().join(room).join("clippy.toml");
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(text, clippy_toml(), "{room}/clippy.toml is not current: run `cargo xtask gen`");
        }
    }
}
