//! Which lists merge, and by which key: a table made from the API server's own OpenAPI documents.
//!
//! The table is a text of three kinds of line, read once:
//!
//! ```text
//! kind apps/v1/Deployment apps.v1.Deployment       a kind and the type of its objects
//! type core.v1.PodSpec                             the fields that follow belong to this type
//! containers merge name core.v1.Container          field, strategy, merge key, type of the value or of each element
//! ```
//!
//! `-` stands for "none" and `*core.v1.X` for a map whose values are `core.v1.X`. A type is listed only when it, or
//! something below it, has a strategy: everywhere else objects merge and lists are replaced.

use std::collections::BTreeMap;
use std::sync::LazyLock;

mod openapi;

pub use openapi::from_openapi;

/// The committed table.
const TABLE: &str = include_str!("../../../data/patch-keys.txt");

/// The committed table as text, for those who make other files from it.
#[must_use]
pub fn table() -> &'static str {
    TABLE
}

static KEYS: LazyLock<Table> = LazyLock::new(|| Table::parse(TABLE));

/// What the patch of one field does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// `merge`: a list merges with the current one.
    pub(super) merges: bool,
    /// `replace`: an object takes the place of the current one.
    pub(super) replaces: bool,
    /// The member that identifies an element of a merging list; `None` for lists of scalars.
    pub(super) merge_key: Option<&'static str>,
    /// The type of the value, or of each element of a list.
    pub(super) value: Kind,
}

impl Field {
    /// A field without a strategy.
    pub(super) const PLAIN: Field =
        Field { merges: false, replaces: false, merge_key: None, value: Kind::Plain };
}

/// The type of a value, as far as patches care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing below has a strategy.
    Plain,
    /// An object of the type with this number.
    Object(usize),
    /// A map whose values are of the type with this number.
    MapOf(usize),
}

impl Kind {
    /// What a patch of the field `name` does.
    pub(super) fn field(self, name: &str) -> Field {
        match self {
            Kind::Plain => Field::PLAIN,
            Kind::Object(number) => {
                KEYS.types.get(number).and_then(|fields| fields.get(name)).copied().unwrap_or(Field::PLAIN)
            }
            Kind::MapOf(number) => Field { value: Kind::Object(number), ..Field::PLAIN },
        }
    }
}

/// The type of a kind's objects, e.g. of `apps/v1/Deployment` or `v1/Pod`; `None` when the kind has no merge keys.
pub(super) fn kind(name: &str) -> Option<Kind> {
    KEYS.kinds.get(name).map(|number| Kind::Object(*number))
}

/// Whether objects of this kind (`apps/v1/Deployment`, `v1/Pod`) take strategic merge patches.
#[must_use]
pub fn has_kind(name: &str) -> bool {
    KEYS.kinds.contains_key(name)
}

#[derive(Debug, Default)]
struct Table {
    kinds: BTreeMap<&'static str, usize>,
    types: Vec<BTreeMap<&'static str, Field>>,
}

impl Table {
    /// Reads the table; lines that it does not understand are skipped (a test holds that there are none).
    fn parse(text: &'static str) -> Table {
        let mut table = Table::default();
        let mut numbers: BTreeMap<&'static str, usize> = BTreeMap::new();
        let lines = || text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        for line in lines() {
            if let ["type", name] = line.as_slice() {
                numbers.insert(name, table.types.len());
                table.types.push(BTreeMap::new());
            }
        }
        let mut current = None;
        for line in lines() {
            match line.as_slice() {
                ["type", name] => current = numbers.get(name).copied(),
                ["kind", kind, name] => {
                    if let Some(number) = numbers.get(name) {
                        table.kinds.insert(kind, *number);
                    }
                }
                [name, strategy, key, value] => {
                    let field = Field {
                        merges: strategy.split(',').any(|word| word == "merge"),
                        replaces: strategy.split(',').any(|word| word == "replace"),
                        merge_key: (*key != "-").then_some(*key),
                        value: match (value.strip_prefix('*'), numbers.get(value.trim_start_matches('*'))) {
                            (_, None) => Kind::Plain,
                            (Some(_), Some(number)) => Kind::MapOf(*number),
                            (None, Some(number)) => Kind::Object(*number),
                        },
                    };
                    if let Some(fields) = current.and_then(|number: usize| table.types.get_mut(number)) {
                        fields.insert(name, field);
                    }
                }
                _ => {}
            }
        }
        table
    }
}
