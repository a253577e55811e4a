//! Each run is a path of the automaton in `docs/reference/phases.md`. `[status.phase]`

use crate::play::played;
use crate::{all, is_left_out};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const DOCUMENT: &str = include_str!("../../../docs/reference/phases.md");

/// Whose runs are seen to go a way.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Both,
    ArgoRollouts,
    Here,
}

/// The tables of the document.
struct Automaton {
    states: BTreeSet<String>,
    ways: BTreeMap<(String, String), By>,
}

fn automaton(document: &str) -> Automaton {
    let (mut states, mut ways) = (BTreeSet::new(), BTreeMap::new());
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let name = |cell: &str| cell.trim_matches('`').to_owned();
        match cells[..] {
            [state, _] => assert!(states.insert(name(state)), "{state} stands there twice"),
            [from, to, _, by] => {
                let by = match by {
                    "both" => By::Both,
                    "Argo Rollouts" => By::ArgoRollouts,
                    "here" => By::Here,
                    other => panic!("{other:?} is nobody"),
                };
                let before = ways.insert((name(from), name(to)), by);
                assert!(before.is_none(), "{from} to {to} stands there twice");
            }
            _ => panic!("a line of neither table: {line}"),
        }
    }
    let named = ways.keys().flat_map(|(from, to)| [from, to]);
    named.for_each(|state| assert!(states.contains(state), "{state} is not among the states"));
    Automaton { states, ways }
}

impl Automaton {
    /// What is wrong with a path, if anything is.
    fn fault(&self, path: &[String], ours: bool) -> Option<String> {
        let other = if ours { By::ArgoRollouts } else { By::Here };
        path.windows(2).find_map(|pair| {
            let by = self.ways.get(&(pair[0].clone(), pair[1].clone()));
            by.is_none_or(|by| *by == other).then(|| format!("{} -> {}", pair[0], pair[1]))
        })
    }
}

/// What a recording shows: a change of either part is a state.
fn recorded(lines: &[Value]) -> Vec<String> {
    let (mut phase, mut reason) = ("-".to_owned(), "-".to_owned());
    let mut path = vec!["-/-".to_owned()];
    for line in lines.iter().filter(|line| line["kind"] == "Rollout") {
        if let Some(seen) = line.get("phase") {
            phase = seen.as_str().unwrap_or("-").to_owned();
        }
        if let Some(seen) = line.get("cond.Progressing") {
            reason = seen[1].as_str().unwrap_or("-").to_owned();
        }
        let state = format!("{phase}/{reason}");
        if path.last() != Some(&state) {
            path.push(state);
        }
    }
    path
}

/// To and fro, though nothing else has changed in between.
fn flaps(states: &[(String, String)]) -> Option<String> {
    states.windows(3).find_map(|three| {
        let [(first, before), (second, between), (third, after)] = three else { return None };
        let same = first == third && before == between && between == after;
        same.then(|| format!("{first} -> {second} -> {third}"))
    })
}

#[test]
fn recordings_are_paths() {
    let Ok(directory) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("STEPGATE_PEER_DIR is not set: no recording was read");
        return;
    };
    let automaton = automaton(DOCUMENT);
    let mut gone = BTreeSet::new();
    let mut faults = Vec::new();
    for (name, _, lines) in all(Path::new(&directory)) {
        let path = recorded(&lines);
        gone.extend(path.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())));
        faults.extend(automaton.fault(&path, false).map(|what| format!("{name}: {what}")));
    }
    assert!(faults.is_empty(), "not in docs/reference/phases.md:\n{}", faults.join("\n"));
    let unseen: Vec<_> =
        automaton.ways.iter().filter(|(way, by)| **by != By::Here && !gone.contains(*way)).collect();
    assert!(
        unseen.is_empty(),
        "no recording goes these ways: {:?}",
        unseen.iter().map(|(way, _)| way).collect::<Vec<_>>()
    );
}

#[test]
fn our_own_runs_are_paths() {
    let Ok(directory) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("STEPGATE_PEER_DIR is not set: no scenario was played");
        return;
    };
    let automaton = automaton(DOCUMENT);
    let (mut gone, mut faults) = (BTreeSet::new(), Vec::new());
    for (name, scenario, lines) in all(Path::new(&directory)) {
        if is_left_out(&name) {
            continue;
        }
        let model = played(&scenario, &lines).unwrap();
        let mut path = vec!["-/-".to_owned()];
        path.extend(model.states.iter().map(|(state, _)| state.clone()));
        gone.extend(path.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())));
        let all_ways = path.windows(2).filter_map(|pair| automaton.fault(pair, true));
        faults.extend(
            all_ways
                .chain(flaps(&model.states).map(|what| format!("flaps: {what}")))
                .map(|what| format!("{name}: {what}")),
        );
    }
    assert!(faults.is_empty(), "not in docs/reference/phases.md:\n{}", faults.join("\n"));
    let unseen: Vec<_> = automaton
        .ways
        .iter()
        .filter(|(way, by)| **by != By::ArgoRollouts && !gone.contains(*way))
        .map(|(way, _)| way)
        .collect();
    assert!(unseen.is_empty(), "none of our runs goes these ways: {unseen:?}");
    let reached: BTreeSet<&String> = automaton.ways.keys().flat_map(|(from, to)| [from, to]).collect();
    let alone: Vec<&String> = automaton.states.iter().filter(|state| !reached.contains(state)).collect();
    assert!(alone.is_empty(), "no way leads to {alone:?}");
}

#[test]
fn a_way_that_is_not_written_down_and_a_flicker_are_found() {
    let automaton = automaton(
        "| `a/x` | a |\n| `b/y` | b |\n| `a/x` | `b/y` | why | both |\n| `b/y` | `a/x` | why | Argo Rollouts |\n",
    );
    let path = |states: &[&str]| states.iter().map(|state| (*state).to_owned()).collect::<Vec<_>>();
    assert_eq!(automaton.fault(&path(&["a/x", "b/y"]), true), None);
    assert_eq!(automaton.fault(&path(&["a/x", "b/y", "a/x"]), false), None);
    assert_eq!(automaton.fault(&path(&["a/x", "b/y", "a/x"]), true).as_deref(), Some("b/y -> a/x"));
    assert_eq!(automaton.fault(&path(&["b/y", "c/z"]), false).as_deref(), Some("b/y -> c/z"));
    let seen = |states: [(&str, &str); 3]| states.map(|(state, rest)| (state.to_owned(), rest.to_owned()));
    assert_eq!(flaps(&seen([("a", "1"), ("b", "1"), ("a", "1")])).as_deref(), Some("a -> b -> a"));
    assert_eq!(flaps(&seen([("a", "1"), ("b", "2"), ("a", "1")])), None, "something else has changed, too");
}
