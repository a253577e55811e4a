//! Which samples of two vectors meet, by their labels.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser::{BinModifier, VectorMatchCardinality};

use super::binary::{Operator, Set};
use super::error::Error;
use super::labels::{self, Key, Labels, NAME};
use super::query::Sample;

/// The value of a set operator.
pub(super) fn set(
    operator: Set,
    mut left: Vec<Sample>,
    right: &[Sample],
    modifier: &BinModifier,
) -> Vec<Sample> {
    let matching = modifier.matching.as_ref();
    if let Set::Or = operator {
        let keys: BTreeSet<Key<'_>> = left.iter().map(|one| labels::key(&one.labels, matching)).collect();
        let unmatched = |one: &&Sample| !keys.contains(&labels::key(&one.labels, matching));
        let mut more: Vec<Sample> = right.iter().filter(unmatched).cloned().collect();
        left.append(&mut more);
        return left;
    }
    let keys: BTreeSet<Key<'_>> = right.iter().map(|one| labels::key(&one.labels, matching)).collect();
    let wanted = matches!(operator, Set::And);
    left.retain(|one| keys.contains(&labels::key(&one.labels, matching)) == wanted);
    left
}

/// The value of an arithmetic or comparison operator: each sample of the "many" side with the one that it meets.
pub(super) fn join(
    operator: Operator,
    left: &[Sample],
    right: &[Sample],
    modifier: &BinModifier,
) -> Result<Vec<Sample>, Error> {
    if left.is_empty() || right.is_empty() {
        return Ok(Vec::new());
    }
    let matching = modifier.matching.as_ref();
    let swapped = matches!(modifier.card, VectorMatchCardinality::OneToMany(_));
    let one_to_one = matches!(modifier.card, VectorMatchCardinality::OneToOne);
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let ones = unique(one, modifier, if swapped { "left" } else { "right" })?;
    let mut results: Vec<Sample> = Vec::new();
    let mut met: BTreeMap<Key<'_>, BTreeSet<Labels>> = BTreeMap::new();
    for sample in many {
        let key = labels::key(&sample.labels, matching);
        let Some(other) = ones.get(&key) else { continue };
        let (first, second) = if swapped { (other.value, sample.value) } else { (sample.value, other.value) };
        let Some(value) = operator.apply(first, second, first, modifier.return_bool) else { continue };
        let labels = result_labels(operator, sample, other, modifier);
        let earlier = met.entry(key).or_default();
        if one_to_one && !earlier.is_empty() {
            return Err(Error::ManyToOne);
        }
        if !earlier.insert(labels.clone()) {
            return Err(Error::Grouping);
        }
        results.push(Sample { labels, value });
    }
    Ok(results)
}

/// The samples of the "one" side by what they match with.
fn unique<'a>(
    samples: &'a [Sample],
    modifier: &BinModifier,
    side: &'static str,
) -> Result<BTreeMap<Key<'a>, &'a Sample>, Error> {
    let mut ones: BTreeMap<Key<'a>, &'a Sample> = BTreeMap::new();
    for sample in samples {
        let key = labels::key(&sample.labels, modifier.matching.as_ref());
        if let Some(earlier) = ones.get(&key) {
            return Err(Error::ManyToMany {
                group: labels::show(&labels::owned(&key)),
                side,
                one: labels::show(&sample.labels),
                other: labels::show(&earlier.labels),
            });
        }
        ones.insert(key, sample);
    }
    Ok(ones)
}

/// The labels of a result: those that match, or with `group_left` and `group_right` those of the "many" side and the
/// ones that are asked of the other.
fn result_labels(operator: Operator, many: &Sample, one: &Sample, modifier: &BinModifier) -> Labels {
    let mut result = many.labels.clone();
    if operator.drops_name(modifier.return_bool) {
        result.remove(NAME);
    }
    if let (VectorMatchCardinality::OneToOne, Some(matching)) = (&modifier.card, &modifier.matching) {
        let (named, include) = (&matching.labels().labels, matching.is_include());
        result.retain(|name, _| named.contains(name) == include);
    }
    for name in modifier.card.labels().map_or(&[][..], |labels| &labels.labels) {
        labels::set(&mut result, name, labels::value(&one.labels, name));
    }
    result
}
