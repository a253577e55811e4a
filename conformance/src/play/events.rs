//! Collects events of a watch.

use super::PlayError;
use super::exchange::parsed;
use super::told;
use crate::case::Until;
use crate::transport::{Line, Lines};
use serde_json::Value;
use std::time::Duration;

/// No case needs more lines of a watch; one that goes on for ever ends here.
const LINES_MAX: usize = 200;

pub(super) async fn next<L: Lines>(
    lines: &mut L,
    limit: Duration,
    step: &str,
) -> Result<Line, PlayError<L::Error>> {
    lines.next(limit).await.map_err(|source| PlayError::Transport { step: step.to_owned(), source })
}

/// Bookmarks come when the server likes: they are left out, but for one that the conditions ask for.
pub(super) async fn collect_events<L: Lines>(
    lines: &mut L,
    until: &Until,
    limit: Duration,
    step: &str,
) -> Result<Vec<Value>, PlayError<L::Error>> {
    let asked_for = |event: &Value| match until {
        Until::Event(conditions) => conditions.iter().all(|condition| condition.holds(200, event)),
        Until::Events(_) | Until::End => false,
    };
    let mut events: Vec<Value> = Vec::new();
    for _ in 0..LINES_MAX {
        let enough = match until {
            Until::Events(count) => events.len() >= *count,
            Until::Event(_) => events.last().is_some_and(asked_for),
            Until::End => false,
        };
        if enough {
            return Ok(events);
        }
        let line = next(lines, limit, step).await?;
        match line {
            Line::Text(line) => {
                let bookmark = |event: &Value| event.get("type").is_some_and(|kind| kind == "BOOKMARK");
                events.extend(parsed(&line).filter(|event| asked_for(event) || !bookmark(event)));
            }
            Line::End if matches!(until, Until::End) => return Ok(events),
            Line::End => return Err(waited(step, limit, "the server ended the watch", until, &events)),
            Line::Late => return Err(waited(step, limit, "nothing came", until, &events)),
        }
    }
    Err(waited(step, limit, "too many lines came", until, &events))
}

fn waited<E>(step: &str, limit: Duration, why: &str, until: &Until, events: &[Value]) -> PlayError<E> {
    PlayError::Waited {
        step: step.to_owned(),
        seconds: limit.as_secs(),
        condition: format!("{until:?} ({why} after {} events)", events.len()),
        last: told(&events.last().map(Value::to_string).unwrap_or_default()),
    }
}
