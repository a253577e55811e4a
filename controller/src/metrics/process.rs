//! The process itself, from `/proc`. Where that is not to be read there are no such series.

use super::families::{CPU, MAX_FILES, OPEN_FILES, RESIDENT, STARTED, VIRTUAL};
use super::text::Page;
use std::time::Duration;

/// Ticks of a second in `/proc`: part of what Linux promises to programs on all machines that we build for.
const TICK: Duration = Duration::from_millis(10);
/// Numbers in `/proc/self/stat` behind the name of the program: user and system time, and when it began.
const USER: usize = 11;
const SYSTEM: usize = 12;
const BEGAN: usize = 19;

pub(crate) fn show(page: &mut Page) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (stat, status) = (read("/proc/self/stat"), read("/proc/self/status"));
    let (limits, machine) = (read("/proc/self/limits"), read("/proc/stat"));
    if let Some(cpu) = cpu(&stat) {
        page.add(&CPU, &[], cpu.as_secs_f64());
    }
    if let Some(bytes) = kibibytes(&status, "VmRSS:") {
        page.add(&RESIDENT, &[], bytes);
    }
    if let Some(bytes) = kibibytes(&status, "VmSize:") {
        page.add(&VIRTUAL, &[], bytes);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        page.add(&OPEN_FILES, &[], files.count());
    }
    if let Some(most) = number(&limits, "Max open files") {
        page.add(&MAX_FILES, &[], most);
    }
    if let (Some(boot), Some(after)) = (number(&machine, "btime"), ticks(&stat, BEGAN)) {
        page.add(&STARTED, &[], (Duration::from_secs(boot).saturating_add(after)).as_secs_f64());
    }
}

fn cpu(stat: &str) -> Option<Duration> {
    Some(ticks(stat, USER)?.saturating_add(ticks(stat, SYSTEM)?))
}

fn ticks(stat: &str, field: usize) -> Option<Duration> {
    // The program's name stands in brackets and may have spaces and brackets in it.
    let ticks: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(field)?.parse().ok()?;
    Some(TICK.saturating_mul(ticks))
}

fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    number(status, name)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_files_of_linux_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 900 0 3 0 150 50 0 0 20 0 9 0 12345 1000000 800";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(ticks(stat, BEGAN), Some(Duration::from_millis(123_450)));
        assert_eq!(kibibytes("VmSize:\t 100 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12_288));
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files   1024   4096   files\n";
        assert_eq!(number(limits, "Max open files"), Some(1024));
        assert_eq!(number("cpu 1 2\nbtime 1700000000\n", "btime").unwrap(), 1_700_000_000);
    }
}
