//! Quantiles of a histogram that counts observations in buckets.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::super::error::Error;
use super::super::labels::{self, Labels, NAME};
use super::super::query::{Sample, Value};
use super::Arguments;

/// The label that holds a bucket's upper bound.
const BOUND: &str = "le";

/// A bucket: how many observations are at most `bound`.
#[derive(Clone, Copy)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// The quantile of each histogram; series without a bound are left out.
pub(super) fn histogram_quantile(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let q = arguments.scalar(0)?;
    let mut places = BTreeMap::new();
    let mut histograms: Vec<(Labels, Vec<Bucket>)> = Vec::new();
    for mut sample in arguments.vector(1)? {
        let bound = sample.labels.remove(BOUND).and_then(|bound| bound.parse::<f64>().ok());
        let Some(bound) = bound else { continue };
        let bucket = Bucket { bound, count: sample.value };
        let place = *places.entry(sample.labels.clone()).or_insert(histograms.len());
        match histograms.get_mut(place) {
            Some((_, buckets)) => buckets.push(bucket),
            None => histograms.push((sample.labels, vec![bucket])),
        }
    }
    let sample = |(mut labels, buckets): (Labels, Vec<Bucket>)| {
        labels.remove(NAME);
        Sample { labels, value: of_buckets(q, buckets) }
    };
    Ok(Value::Vector(labels::distinct(histograms.into_iter().map(sample).collect())?))
}

/// The quantile, as if the observations were spread evenly over their bucket.
///
/// With 10 observations up to 0.1 and 20 up to 0.2, the 0.75-quantile has the rank 15: the fifth of the ten in the
/// second bucket, 0.1 + 0.1 * 5 / 10 = 0.15.
fn of_buckets(q: f64, buckets: Vec<Bucket>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let buckets = in_order(buckets);
    let [finite @ .., last] = buckets.as_slice() else { return f64::NAN };
    let [.., greatest] = finite else { return f64::NAN };
    if last.bound != f64::INFINITY || last.count == 0.0 {
        return f64::NAN;
    }
    let rank = q * last.count;
    // Counts that are no numbers never reach the rank.
    let below = finite.partition_point(|bucket| bucket.count.partial_cmp(&rank).is_none_or(Ordering::is_lt));
    // Beyond the last finite bound nothing is known: that bound is the answer.
    let Some(bucket) = finite.get(below) else { return greatest.bound };
    match below.checked_sub(1).and_then(|before| finite.get(before)) {
        None if bucket.bound <= 0.0 => bucket.bound,
        None => bucket.bound * (rank / bucket.count),
        Some(before) => {
            let share = (rank - before.count) / (bucket.count - before.count);
            before.bound + (bucket.bound - before.bound) * share
        }
    }
}

/// The buckets by bound, those of the same bound as one, and none with fewer observations than the one before it:
/// rates of the buckets of one histogram may have been taken at different moments.
fn in_order(mut buckets: Vec<Bucket>) -> Vec<Bucket> {
    buckets.sort_by(|left, right| left.bound.total_cmp(&right.bound));
    let mut merged: Vec<Bucket> = Vec::new();
    for bucket in buckets {
        match merged.last_mut() {
            Some(last) if last.bound == bucket.bound => last.count += bucket.count,
            _ => merged.push(bucket),
        }
    }
    let mut most = f64::NEG_INFINITY;
    for bucket in &mut merged {
        // A count of NaN stays, as in Prometheus.
        if bucket.count > most {
            most = bucket.count;
        } else if bucket.count < most {
            bucket.count = most;
        }
    }
    merged
}
