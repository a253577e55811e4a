//! `docs/reference/contract.md`: each line has a test that is there, and each rule that is written down has a line.

#![cfg(test)]

use super::ids::{files, written_in};
use super::root;
use std::collections::{BTreeMap, BTreeSet};

/// What can be said of a rule.
const STATES: [&str; 4] = ["same", "DIFFERS", "not built", "later"];

/// A line of the table.
#[derive(Debug, Default)]
struct Row {
    id: String,
    state: String,
    tests: Vec<String>,
}

/// What the table is held against.
#[derive(Default)]
struct House {
    /// Ids of the behaviour.
    behaviour: BTreeSet<String>,
    /// Those of the command line and other pages: they may have a line.
    besides: BTreeSet<String>,
    /// Ids in the list of deliberate differences.
    differences: BTreeSet<String>,
    /// Sources, by path.
    sources: BTreeMap<String, String>,
    /// Names of recorded scenarios that are played.
    recorded: BTreeSet<String>,
    /// Names of stories.
    stories: BTreeSet<String>,
}

/// Cells of a line of a table; none of another line, or of the line below the head.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<&str> = inner.split(" | ").map(str::trim).collect();
    (!inner.starts_with(" ---")).then_some(cells)
}

/// The words between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// An id in a cell such as `` `[area.rule]` ``.
fn id_of(cell: &str) -> Option<String> {
    let id = quoted(cell).into_iter().next()?;
    Some(id.strip_prefix('[')?.strip_suffix(']')?.to_owned())
}

/// The lines of the tables whose first cell is an id.
fn rows(document: &str) -> Vec<Row> {
    let row = |line: &str| {
        let cells = cells(line)?;
        let id = id_of(cells.first()?)?;
        let state = cells.get(2).copied().unwrap_or_default().to_owned();
        Some(Row { id, state, tests: quoted(cells.get(3).copied().unwrap_or_default()) })
    };
    document.lines().filter_map(row).collect()
}

/// Ids at the end of the lines of a table.
fn last_ids(document: &str) -> BTreeSet<String> {
    document.lines().filter_map(|line| id_of(cells(line)?.last()?)).collect()
}

/// Whether a source has a test of that name: a function below an attribute that makes it one, or inside of `proptest!`.
fn has_test(source: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    source.match_indices(&head).any(|(at, _)| {
        let above = source.get(..at).unwrap_or_default();
        // The attributes and comments right above: nothing that ends a block or a statement lies between.
        let start = above.rfind(['}', ';']).map_or(0, |end| end + 1);
        let above = above.get(start..).unwrap_or_default();
        above.contains("#[test]") || above.contains("#[tokio::test")
    })
}

impl House {
    /// What is wrong with the tests of a row.
    fn missing(&self, named: &str) -> Option<String> {
        let is_there = match named.split_once("::") {
            None if named.starts_with("recorded:") => {
                self.recorded.contains(named.trim_start_matches("recorded:"))
            }
            None if named.starts_with("story:") => self.stories.contains(named.trim_start_matches("story:")),
            None => return Some(format!("{named} names no file")),
            Some((file, test)) => {
                let end = format!("/{file}.rs");
                let mut found = self.sources.iter().filter(|(path, _)| format!("/{path}").ends_with(&end));
                let (first, second) = (found.next(), found.next());
                if second.is_some() {
                    return Some(format!("{file} is more than one file: say more of its path"));
                }
                first.is_some_and(|(_, source)| has_test(source, test))
            }
        };
        (!is_there).then(|| format!("there is no test {named}"))
    }

    /// All that is wrong with the table.
    fn faults(&self, document: &str) -> Vec<String> {
        let rows = rows(document);
        let mut faults = Vec::new();
        let mut seen = BTreeSet::new();
        for row in &rows {
            let id = &row.id;
            let mut fault = |what: String| faults.push(format!("[{id}]: {what}"));
            if !seen.insert(id) {
                fault("has two lines".to_owned());
            }
            if !self.behaviour.contains(id) && !self.besides.contains(id) {
                fault("is not written down in docs/reference".to_owned());
            }
            if !STATES.contains(&row.state.as_str()) {
                fault(format!("has the state {:?}", row.state));
            }
            let is_built = row.state == "same" || row.state == "DIFFERS";
            if is_built && row.tests.is_empty() {
                fault("no test is named".to_owned());
            }
            if (row.state == "DIFFERS") != self.differences.contains(id) {
                fault(format!("is {}, and the list of differences says otherwise", row.state));
            }
            row.tests.iter().filter_map(|named| self.missing(named)).for_each(&mut fault);
        }
        faults.extend(
            self.behaviour
                .difference(&seen.into_iter().cloned().collect())
                .map(|id| format!("[{id}]: has no line")),
        );
        let lines: BTreeSet<String> = rows.into_iter().map(|row| row.id).collect();
        faults.extend(
            self.differences.difference(&lines).map(|id| format!("[{id}]: differs, and has no line")),
        );
        faults
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn ours() -> House {
    let pages = |folder: &str| {
        let mut paths = Vec::new();
        files(&root().join(folder), "md", &mut paths);
        paths.iter().flat_map(|path| written_in(&std::fs::read_to_string(path).unwrap())).collect()
    };
    let mut paths = Vec::new();
    files(&root(), "rs", &mut paths);
    let compatibility = read("docs/compatibility.md");
    let differences =
        compatibility.split("\n## ").find(|part| part.starts_with("Deliberate differences")).unwrap();
    House {
        behaviour: pages("docs/reference/behaviour"),
        besides: pages("docs/reference"),
        differences: last_ids(differences),
        sources: paths
            .iter()
            .map(|path| {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).unwrap())
            })
            .collect(),
        recorded: read("recordings/played.txt").lines().map(str::to_owned).collect(),
        stories: scenarios::STORIES.iter().map(|story| story.name.to_owned()).collect(),
    }
}

#[test]
fn every_line_of_the_contract_has_its_test() {
    let (house, document) = (ours(), read("docs/reference/contract.md"));
    let lines = rows(&document).len();
    assert!(lines > 150, "only {lines} lines were read");
    let faults = house.faults(&document);
    assert!(faults.is_empty(), "docs/reference/contract.md:\n{}", faults.join("\n"));
}

fn small() -> House {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let source =
        "#[test]\nfn good() {}\n\nfn helper() {}\n#[tokio::test(start_paused = true)]\nasync fn slow() {}\n";
    House {
        behaviour: set(&["a.one", "a.two"]),
        besides: set(&["cli.three"]),
        differences: set(&["a.two"]),
        sources: [("x/tests/a.rs", source), ("y/tests/b.rs", ""), ("z/b.rs", "")]
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into(),
        recorded: set(&["canary-basic"]),
        stories: set(&["killed"]),
    }
}

const GOOD: &str = "| id | rule | state | tests |\n| --- | --- | --- | --- |\n\
    | `[a.one]` | r | same | `tests/a::good` `recorded:canary-basic` |\n\
    | `[a.two]` | r | DIFFERS | `a::slow`, `story:killed` |\n";

#[test]
fn a_true_table_has_no_faults() {
    assert_eq!(small().faults(GOOD), Vec::<String>::new());
}

#[test]
fn each_lie_is_found() {
    let lies = [
        ("| `[a.one]` | r | same | `tests/a::good` `recorded:canary-basic` |\n", "", "[a.one]: has no line"),
        ("`[a.one]`", "`[a.four]`", "[a.four]: is not written down in docs/reference"),
        ("`[a.one]`", "`[a.two]`", "[a.two]: has two lines"),
        ("same", "fine", "[a.one]: has the state \"fine\""),
        ("`tests/a::good` `recorded:canary-basic`", "", "[a.one]: no test is named"),
        ("a::good", "a::helper", "[a.one]: there is no test tests/a::helper"),
        ("a::slow", "a::gone", "[a.two]: there is no test a::gone"),
        ("a::slow", "tests/c::slow", "[a.two]: there is no test tests/c::slow"),
        ("a::slow", "b::slow", "[a.two]: b is more than one file: say more of its path"),
        ("canary-basic", "canary-none", "[a.one]: there is no test recorded:canary-none"),
        ("story:killed", "story:none", "[a.two]: there is no test story:none"),
        ("a::slow", "slow", "[a.two]: slow names no file"),
        ("DIFFERS", "same", "[a.two]: is same, and the list of differences says otherwise"),
        ("same", "DIFFERS", "[a.one]: is DIFFERS, and the list of differences says otherwise"),
    ];
    for (truth, lie, fault) in lies {
        let faults = small().faults(&GOOD.replacen(truth, lie, 1));
        assert!(faults.iter().any(|found| found == fault), "{lie}: {faults:?}");
    }
    let mut house = small();
    house.differences.insert("cli.three".to_owned());
    assert_eq!(house.faults(GOOD), ["[cli.three]: differs, and has no line"]);
}
