//! From steps and a document to results.

use super::{JsonPathError, MAX_RESULTS, Piece, Slice, Step};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value on the way: of the document, or made by the path.
#[derive(Clone, Debug)]
enum Item<'a> {
    /// A value; numbers of a document are floats.
    Value(Cow<'a, Value>),
    /// A whole number that the path holds. It is not comparable with a float, as in Go.
    Int(i64),
    /// What a range without results hands to its body.
    Nothing,
}

type Items<'a> = Vec<Item<'a>>;
type Evaluated<T> = Result<T, JsonPathError>;

fn error<T>(text: impl Into<String>) -> Evaluated<T> {
    Err(JsonPathError::new(text))
}

pub(super) fn find(pieces: &[Piece], document: &Value) -> Evaluated<Vec<Vec<Value>>> {
    let mut run = Run { ranges: 0, results: 0 };
    let root = Item::Value(Cow::Borrowed(document));
    let (groups, _) = run.block(pieces, &root)?;
    Ok(groups.into_iter().map(|group| group.into_iter().map(Item::into_value).collect()).collect())
}

impl Item<'_> {
    fn into_value(self) -> Value {
        match self {
            Self::Value(value) => value.into_owned(),
            Self::Int(number) => Value::from(number),
            Self::Nothing => Value::Null,
        }
    }

    /// The name of its type in Go.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Nothing => "<nil>",
            Self::Int(_) => "int",
            Self::Value(value) => match value.as_ref() {
                Value::Null => "<nil>",
                Value::Bool(_) => "bool",
                Value::Number(_) => "float64",
                Value::String(_) => "string",
                Value::Array(_) => "[]interface {}",
                Value::Object(_) => "map[string]interface {}",
            },
        }
    }
}

/// An evaluation under way.
struct Run {
    /// How many ranges it is inside of.
    ranges: usize,
    /// Results so far, to bound the work.
    results: usize,
}

/// What an action asks for beside its values.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Plain,
    Range,
    End,
}

impl Run {
    /// Evaluates pieces up to the `end` of the innermost range; tells how many pieces that were, with the `end`, or
    /// `None` when there was none.
    fn block<'a>(
        &mut self,
        pieces: &'a [Piece],
        at: &Item<'a>,
    ) -> Evaluated<(Vec<Items<'a>>, Option<usize>)> {
        let mut groups = Vec::new();
        let mut index = 0;
        while let Some(piece) = pieces.get(index) {
            index = index.saturating_add(1);
            let (items, mark) = self.piece(piece, at)?;
            match mark {
                Mark::Plain => groups.push(items),
                Mark::End => return Ok((groups, Some(index))),
                Mark::Range => {
                    let body = pieces.get(index..).unwrap_or_default();
                    self.ranges = self.ranges.saturating_add(1);
                    let mut length = None;
                    if items.is_empty() {
                        // The body is walked once over nothing, to find its end.
                        length = self.block(body, &Item::Nothing)?.1;
                    }
                    for item in &items {
                        let (found, end) = self.block(body, item)?;
                        groups.extend(found);
                        length = end;
                    }
                    self.ranges = self.ranges.saturating_sub(1);
                    index = index.saturating_add(length.unwrap_or(0));
                }
            }
        }
        Ok((groups, None))
    }

    fn piece<'a>(&mut self, piece: &'a Piece, at: &Item<'a>) -> Evaluated<(Items<'a>, Mark)> {
        match piece {
            Piece::Text(text) => Ok((vec![text_item(text)], Mark::Plain)),
            Piece::Action(steps) => {
                let mut mark = Mark::Plain;
                let items = self.steps(steps, vec![at.clone()], &mut mark)?;
                Ok((items, mark))
            }
        }
    }

    fn steps<'a>(&mut self, steps: &'a [Step], items: Items<'a>, mark: &mut Mark) -> Evaluated<Items<'a>> {
        let mut items = items;
        for step in steps {
            items = self.step(step, items, mark)?;
            self.count(items.len())?;
        }
        Ok(items)
    }

    fn count(&mut self, more: usize) -> Evaluated<()> {
        self.results = self.results.saturating_add(more);
        if self.results > MAX_RESULTS {
            return error(format!(
                "the JSONPath has more than {MAX_RESULTS} results on its way; make it narrower"
            ));
        }
        Ok(())
    }

    fn step<'a>(&mut self, step: &'a Step, items: Items<'a>, mark: &mut Mark) -> Evaluated<Items<'a>> {
        let each = |item: Item<'a>| items.iter().map(|_| item.clone()).collect();
        match step {
            Step::Text(text) => Ok(vec![text_item(text)]),
            Step::Int(number) => Ok(each(Item::Int(*number))),
            Step::Float(number) => {
                let number = Number::from_f64(*number).map_or(Value::Null, Value::Number);
                Ok(each(Item::Value(Cow::Owned(number))))
            }
            Step::Bool(flag) => Ok(each(Item::Value(Cow::Owned(Value::Bool(*flag))))),
            Step::Word(word) => match word.as_str() {
                "range" => {
                    *mark = Mark::Range;
                    Ok(items)
                }
                "end" if self.ranges > 0 => {
                    *mark = Mark::End;
                    Ok(Vec::new())
                }
                "end" => error("not in range, nothing to end"),
                other => error(format!("unrecognized identifier {other}")),
            },
            Step::Field(name) => field(&items, name),
            Step::Wildcard => Ok(items.iter().flat_map(children).collect()),
            Step::Descend => {
                let mut found = Vec::new();
                for item in &items {
                    self.descend(item, &mut found)?;
                }
                Ok(found)
            }
            Step::Slice(part) => {
                let mut found = Vec::new();
                for item in &items {
                    slice(item, *part, &mut found)?;
                }
                Ok(found)
            }
            Step::Union(parts) => {
                let mut found = Vec::new();
                for part in parts {
                    found.extend(self.steps(part, items.clone(), mark)?);
                }
                Ok(found)
            }
            Step::Filter { left, operator, right } => self.filter(&items, left, operator, right),
        }
    }

    /// Every value that has children, the outer one first. A document is at most 128 deep: its reader sees to that.
    fn descend<'a>(&mut self, item: &Item<'a>, found: &mut Items<'a>) -> Evaluated<()> {
        let below = children(item);
        if below.is_empty() {
            return Ok(());
        }
        self.count(below.len())?;
        found.push(item.clone());
        for child in &below {
            self.descend(child, found)?;
        }
        Ok(())
    }

    fn filter<'a>(
        &mut self,
        items: &Items<'a>,
        left: &'a [Step],
        operator: &str,
        right: &'a [Step],
    ) -> Evaluated<Items<'a>> {
        let mut kept = Vec::new();
        let mut mark = Mark::Plain;
        for item in items {
            let Item::Value(value) = item else {
                return error(format!("{} is not array or slice and cannot be filtered", item.type_name()));
            };
            if !value.is_array() {
                return error(format!("{} is not array or slice and cannot be filtered", item.type_name()));
            }
            for candidate in children(item) {
                let lefts = self.steps(left, vec![candidate.clone()], &mut mark);
                if operator.is_empty() {
                    if lefts.is_ok_and(|lefts| !lefts.is_empty()) {
                        kept.push(candidate);
                    }
                    continue;
                }
                let Some(left) = only(lefts?)? else { continue };
                let Some(right) = only(self.steps(right, vec![candidate.clone()], &mut mark)?)? else {
                    continue;
                };
                if compare(&left, operator, &right)? {
                    kept.push(candidate);
                }
            }
        }
        Ok(kept)
    }
}

fn text_item<'a>(text: &str) -> Item<'a> {
    Item::Value(Cow::Owned(Value::String(text.to_owned())))
}

/// The one item of a side of a comparison.
fn only<'a>(items: Items<'a>) -> Evaluated<Option<Item<'a>>> {
    if items.len() > 1 {
        return error("can only compare one element at a time");
    }
    Ok(items.into_iter().next())
}

fn field<'a>(items: &Items<'a>, name: &str) -> Evaluated<Items<'a>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let found: Items<'a> = items
        .iter()
        .filter_map(|item| match item {
            Item::Value(Cow::Borrowed(value)) => {
                value.as_object()?.get(name).map(|value| Item::Value(Cow::Borrowed(value)))
            }
            Item::Value(Cow::Owned(value)) => {
                value.as_object()?.get(name).map(|value| Item::Value(Cow::Owned(value.clone())))
            }
            Item::Int(_) | Item::Nothing => None,
        })
        .collect();
    if found.is_empty() { error(format!("{name} is not found")) } else { Ok(found) }
}

/// The values below a value: of an object by key, of a list in order, of a text its bytes.
fn children<'a>(item: &Item<'a>) -> Items<'a> {
    match item {
        Item::Value(Cow::Borrowed(Value::Object(fields))) => {
            let sorted: std::collections::BTreeMap<_, _> = fields.iter().collect();
            sorted.into_values().map(|value| Item::Value(Cow::Borrowed(value))).collect()
        }
        Item::Value(Cow::Borrowed(Value::Array(values))) => {
            values.iter().map(|value| Item::Value(Cow::Borrowed(value))).collect()
        }
        Item::Value(value) => match value.as_ref() {
            Value::String(text) => text.bytes().map(|byte| Item::Int(i64::from(byte))).collect(),
            _ => Vec::new(),
        },
        Item::Int(_) | Item::Nothing => Vec::new(),
    }
}

fn slice<'a>(item: &Item<'a>, part: Slice, found: &mut Items<'a>) -> Evaluated<()> {
    if matches!(item, Item::Value(value) if value.is_null()) {
        return Ok(());
    }
    if !matches!(item, Item::Value(value) if value.is_array()) {
        return error(format!("{} is not array or slice", item.type_name()));
    }
    let values = children(item);
    let length = i64::try_from(values.len()).unwrap_or(i64::MAX);
    let mut start = part.start.unwrap_or(0);
    if start < 0 {
        start = start.saturating_add(length);
    }
    let mut end = part.end.unwrap_or(length);
    // `[-1]` is the last item: its end is 0 and means the length.
    if end < 0 || (end == 0 && part.single) {
        end = end.saturating_add(length);
    }
    if start == end {
        return Ok(());
    }
    if start >= length || start < 0 {
        return error(format!("array index out of bounds: index {start}, length {length}"));
    }
    if end > length || end < 0 {
        let index = end.saturating_sub(1);
        return error(format!("array index out of bounds: index {index}, length {length}"));
    }
    if start > end {
        return error(format!("starting index {start} is greater than ending index {end}"));
    }
    let step = part.step.unwrap_or(1);
    let step = usize::try_from(step).ok().filter(|step| *step > 0);
    let Some(step) = step else { return error("step must be > 0") };
    let skip = usize::try_from(start).unwrap_or(0);
    let take = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
    found.extend(values.into_iter().skip(skip).take(take).step_by(step));
    Ok(())
}

/// Compares two values of one kind.
fn compare(left: &Item<'_>, operator: &str, right: &Item<'_>) -> Evaluated<bool> {
    let negated = operator == "!=";
    if !matches!(operator, "<" | ">" | "==" | "!=" | "<=" | ">=") {
        return error(format!("unrecognized filter operator {operator}"));
    }
    let ordering = order(left, right)?;
    let equality_only = matches!((left, right), (Item::Value(left), Item::Value(_)) if left.is_boolean());
    if equality_only && !matches!(operator, "==" | "!=") {
        return error("invalid type for comparison");
    }
    Ok(match operator {
        "==" => ordering == Some(Ordering::Equal),
        "!=" => negated && ordering != Some(Ordering::Equal),
        "<" => ordering == Some(Ordering::Less),
        ">" => ordering == Some(Ordering::Greater),
        "<=" => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        _ => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
    })
}

fn order(left: &Item<'_>, right: &Item<'_>) -> Evaluated<Option<Ordering>> {
    const INCOMPATIBLE: &str = "incompatible types for comparison";
    match (left, right) {
        (Item::Int(left), Item::Int(right)) => Ok(Some(left.cmp(right))),
        (Item::Value(left), Item::Value(right)) => match (left.as_ref(), right.as_ref()) {
            (Value::String(left), Value::String(right)) => Ok(Some(left.cmp(right))),
            (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
            (Value::Number(left), Value::Number(right)) => {
                Ok(left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right)))
            }
            (Value::Null | Value::Array(_) | Value::Object(_), _)
            | (_, Value::Null | Value::Array(_) | Value::Object(_)) => error("invalid type for comparison"),
            _ => error(INCOMPATIBLE),
        },
        _ => error(INCOMPATIBLE),
    }
}
