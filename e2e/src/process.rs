//! Starting programs, and saying clearly what went wrong with them.

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TAIL_LINES: usize = 15;
const WAIT_STEP: Duration = Duration::from_millis(200);

/// Runs to the end and gives the output; a failure has what the program said.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Starts in the background, in its own process group, with `NAME.log` and `NAME.pid` in `state`.
pub(crate) fn start(state: &Path, name: &str, command: &mut Command) -> Result<()> {
    start_with_input(state, name, command, Stdio::null())
}

/// As [`start`], with an open file as standard input.
pub(crate) fn start_with_input(state: &Path, name: &str, command: &mut Command, input: Stdio) -> Result<()> {
    let log = File::create(state.join(format!("{name}.log")))?;
    let mut child = command
        .stdin(input)
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .with_context(|| format!("start {name}"))?;
    let pid = child.id().to_string();
    if let Some(group) = group(state) {
        // Whatever it starts is in the group too, and can be found whatever its name or parent. Where that is not
        // allowed, processes are found by their command lines.
        let _ = fs::create_dir_all(&group);
        let _ = fs::write(group.join("cgroup.procs"), &pid);
    }
    fs::write(state.join(format!("{name}.pid")), pid)?;
    // Somebody must ask for its end, else it stays listed as a zombie while we live.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// The control group of a run's own processes (pods have others), named as its folder: in version 1 of control groups
/// below any controller that has no say in how they run.
pub(crate) fn group(state: &Path) -> Option<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let tree = if root.join("cgroup.controllers").exists() {
        root.to_owned()
    } else {
        ["pids", "freezer", "unified"].iter().map(|name| root.join(name)).find(|folder| folder.is_dir())?
    };
    Some(tree.join(state.file_name()?))
}

/// Waits until `ready`, for as long as the process of `name` is alive and `limit` is not over.
pub(crate) fn wait(state: &Path, name: &str, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !ready() {
        let pid = fs::read_to_string(state.join(format!("{name}.pid")))?;
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let log = || tail(&state.join(format!("{name}.log")));
        if status.is_empty() || status.contains(") Z ") {
            bail!("{name} ended before it was ready; its log ends:\n{}", log());
        }
        if start.elapsed() > limit {
            bail!("{name} was not ready after {} s; its log ends:\n{}", limit.as_secs(), log());
        }
        std::thread::sleep(WAIT_STEP);
    }
    Ok(())
}

fn tail(path: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(TAIL_LINES)).copied().collect::<Vec<_>>().join("\n")
}
