//! The time line in words.

use super::manifests::Manifests;
use super::stage::{BAD_LATENCY, BAD_PERCENT, USERS_PER_SECOND};
use super::{End, Line, Release, Story};
use crate::terminal::Terminal;

/// Width of the column of times, and of the one of kinds.
const TIME_WIDTH: usize = 9;
const WHAT_WIDTH: usize = 9;

/// What is about to be played.
pub(super) fn beginning(manifests: &Manifests, terminal: &Terminal) -> std::io::Result<()> {
    terminal
        .say("A cluster in memory with the real controller, in virtual time: nothing is sent anywhere.")?;
    if !manifests.left_out.is_empty() {
        terminal.say(format_args!("No part in it have: {}.", manifests.left_out.join(", ")))?;
    }
    Ok(())
}

/// One play.
pub(super) fn story(story: &Story, terminal: &Terminal) -> std::io::Result<()> {
    terminal.say("")?;
    let users = format!("{USERS_PER_SECOND} requests a second to {}", story.services.join(", "));
    let how = match story.release {
        Release::Good => format!("the new version is as good as the old one; {users}"),
        Release::Bad => {
            format!(
                "{BAD_PERCENT}% of the new version's answers are errors, each takes {BAD_LATENCY}; {users}"
            )
        }
    };
    terminal.say(format_args!(
        "{} release of Rollout {}: {how}",
        capital(story.release.name()),
        story.rollout
    ))?;
    for line in &story.lines {
        self::line(line, terminal)?;
    }
    terminal.say(format_args!("  => {}", verdict(story)))
}

fn line(line: &Line, terminal: &Terminal) -> std::io::Result<()> {
    let at = clock(line.at);
    terminal.say(format_args!("{at:>TIME_WIDTH$}  {:<WHAT_WIDTH$}  {}", line.what, line.text))?;
    for more in &line.more {
        terminal.say(format_args!("{:>TIME_WIDTH$}  {:<WHAT_WIDTH$}    {more}", "", ""))?;
    }
    Ok(())
}

/// The end of everything, with what the exit code says.
pub(super) fn end(stories: &[Story], code: u8, terminal: &Terminal) -> std::io::Result<()> {
    terminal.say("")?;
    let played = |release| stories.iter().any(|story| story.release == release);
    let said = match code {
        0 => match (played(Release::Good), played(Release::Bad)) {
            (true, true) => "the good release completed and the bad one was stopped",
            (true, false) => "the good release completed",
            _ => "the bad release was stopped",
        },
        1 => "a good release did not complete",
        2 => "a bad release was not stopped",
        _ => "the manifests are not valid",
    };
    terminal.say(format_args!("Exit code {code}: {said}."))
}

fn verdict(story: &Story) -> String {
    let after = clock(story.seconds);
    match (story.release, &story.end) {
        (_, End::Invalid(why)) => format!("not valid: {why}"),
        (Release::Good, End::Completed) => format!("completed after {after}"),
        (Release::Good, End::Stopped(why)) => format!("NOT COMPLETED: stopped after {after}: {why}"),
        // Why stands in the time line.
        (Release::Bad, End::Stopped(_)) => format!("stopped after {after}"),
        (Release::Bad, End::Held(why)) => format!("held after {after}, for a person to decide: {why}"),
        (Release::Bad, End::Completed) => {
            format!("NOT STOPPED: it has all users after {after}. {}", gap(story))
        }
        (_, End::Held(why) | End::Stuck(why)) => format!("NOT COMPLETED after {after}: {why}"),
    }
}

/// Why nothing stopped a bad release.
fn gap(story: &Story) -> String {
    let people = match story.promotions {
        0 => "no person was asked",
        _ => "only a person, at a pause, could have",
    };
    if story.gates.is_empty() {
        return format!(
            "No analysis ran, so nothing would stop it by itself; {people}. Add an analysis to its strategy."
        );
    }
    format!("Its analyses did not fail ({}); {people}.", story.gates.join(", "))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `1:02:03`, `2:03` or `0:03`.
fn clock(seconds: f64) -> String {
    let all = std::time::Duration::try_from_secs_f64(seconds.round()).unwrap_or_default().as_secs();
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
