//! What is known of the recordings, for people: `docs/reference/recorded.md`.

use crate::known::{BY_CHANCE, DIFFERS, LEFT_OTHERWISE, NOT_PLAYED};
use std::fmt::Write;

/// The names of the scenarios that are played.
const PLAYED: &str = include_str!("../played.txt");

/// The page.
#[must_use]
pub fn table() -> String {
    let mut page = "\
# Recorded scenarios of Argo Rollouts

Scenarios that were played on Argo Rollouts with all that an outside observer saw: status, sizes, selectors, routes and
events, in order. The whole controller plays each on the cluster in memory (`cargo test`), and on a real one
(`cargo xtask e2e recorded`), where `STEPGATE_PEER_DIR` names the folder of the recordings. What differs and does not stand
here fails the test, and so does what stands here and does not differ any more. This page is made by `cargo xtask gen`.

| scenario | seen alike | what differs, and why |
| --- | --- | --- |
"
    .to_owned();
    let played: Vec<&str> = PLAYED.lines().filter(|line| !line.trim().is_empty()).collect();
    for name in &played {
        let meant = DIFFERS.iter().find(|(differs, ..)| differs == name);
        let (state, what) = match meant {
            Some((_, topics, why)) => {
                let topics: Vec<String> =
                    topics.iter().map(|topic| format!("{topic:?}").to_lowercase()).collect();
                ("but for what is listed", format!("{}: {why}", topics.join(", ")))
            }
            None => ("yes", String::new()),
        };
        let _ = writeln!(page, "| `{name}` | {state} | {what} |");
    }
    for (start, why) in NOT_PLAYED {
        let _ = writeln!(page, "| `{start}*` | not played | {why} |");
    }
    let _ = write!(
        page,
        "
{} scenarios are played, {} of them with differences.

## On a real cluster only

Where pods become available one after the other, and requests come as they come, one look can see what takes two elsewhere.
In memory these do not differ.

| scenario | what | why |
| --- | --- | --- |
",
        played.len(),
        DIFFERS.len()
    );
    for (name, topic, why) in BY_CHANCE {
        let _ = writeln!(page, "| `{name}` | {} | {why} |", format!("{topic:?}").to_lowercase());
    }
    page.push_str(
        "
## What is left to Argo Rollouts

At each moment at which somebody acts, and at the end, Argo Rollouts could take over again. It finds the same as from
itself, but for this:

| scenarios | what is compared contains | why it does without |
| --- | --- | --- |
",
    );
    for (names, what, why) in LEFT_OTHERWISE {
        let names = if names.is_empty() { "all".to_owned() } else { format!("`{names}*`") };
        let _ = writeln!(page, "| {names} | `{what}` | {why} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_played() {
        let is_played = |name: &str| PLAYED.lines().any(|line| line == name);
        let mut named =
            DIFFERS.iter().map(|(name, ..)| *name).chain(BY_CHANCE.iter().map(|(name, ..)| *name));
        assert_eq!(named.find(|name| !is_played(name)), None);
        let some = |start: &&str| PLAYED.lines().any(|line| line.contains(*start));
        assert_eq!(LEFT_OTHERWISE.iter().map(|(start, ..)| *start).find(|start| !some(start)), None);
    }
}
