//! The text format of Prometheus, and series that are kept in memory.
//!
//! Written by hand, because names must be exactly those of Argo Rollouts: a library for OpenMetrics adds `_total` to
//! `rollout_reconcile_error`.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What kind of numbers a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Series of one name.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

/// A page of series. Those of one family must follow each other.
#[derive(Default)]
pub(crate) struct Page {
    text: String,
    begun: &'static str,
}

impl Page {
    /// Adds one number; `values` are those of the family's labels, in their order.
    pub(crate) fn add(&mut self, family: &'static Family, values: &[&str], number: impl Display) {
        self.begin(family);
        self.line(family, "", values, None, &number);
    }

    /// Adds one histogram.
    pub(crate) fn add_histogram(&mut self, family: &'static Family, values: &[&str], all: &Histogram) {
        self.begin(family);
        let mut count = 0_u64;
        for (bound, within) in all.bounds.iter().zip(&all.within) {
            count = count.saturating_add(*within);
            self.line(family, "_bucket", values, Some(&short(*bound)), &count);
        }
        self.line(family, "_bucket", values, Some("+Inf"), &all.count);
        self.line(family, "_sum", values, None, &all.sum);
        self.line(family, "_count", values, None, &all.count);
    }

    /// The page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    // Writing to a String cannot fail.
    fn begin(&mut self, family: &'static Family) {
        if std::mem::replace(&mut self.begun, family.name) != family.name {
            let (name, kind) = (family.name, family.kind.as_str());
            let _ = write!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}\n", family.help);
        }
    }

    fn line(
        &mut self,
        family: &Family,
        suffix: &str,
        values: &[&str],
        le: Option<&str>,
        number: &impl Display,
    ) {
        self.text.push_str(family.name);
        self.text.push_str(suffix);
        let pairs = family.labels.iter().copied().zip(values.iter().copied());
        let mut separator = '{';
        for (label, value) in pairs.chain(le.map(|le| ("le", le))) {
            let _ = write!(self.text, "{separator}{label}=\"{}\"", escaped(value));
            separator = ',';
        }
        let end = if separator == '{' { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {number}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// A bound as Go writes it: dashboards name buckets by this text.
fn short(bound: f64) -> String {
    if bound > 0.0 && bound < 1e-4 {
        let text = format!("{bound:e}");
        text.split_once("e-").map_or(text.clone(), |(digits, power)| format!("{digits}e-{power:0>2}"))
    } else {
        bound.to_string()
    }
}

/// Numbers by size.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    within: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, within: vec![0; bounds.len()], sum: 0.0, count: 0 }
    }

    pub(crate) fn observe(&mut self, number: f64) {
        let mut buckets = self.bounds.iter().zip(&mut self.within);
        if let Some((_, within)) = buckets.find(|(bound, _)| number <= **bound) {
            *within = within.saturating_add(1);
        }
        self.sum += number;
        self.count = self.count.saturating_add(1);
    }
}

/// Series in memory, by the values of their labels.
pub(crate) struct Series<T> {
    family: &'static Family,
    all: Mutex<BTreeMap<Vec<String>, T>>,
}

impl<T> Series<T> {
    pub(crate) fn new(family: &'static Family) -> Self {
        Self { family, all: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<String>, T>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out series.
    pub(crate) fn retain(&self, keep: impl Fn(&[String]) -> bool) {
        self.lock().retain(|values, _| keep(values));
    }

    /// Takes out all series whose first labels have these values.
    pub(crate) fn forget(&self, first: &[&str]) {
        let start: Vec<String> = first.iter().map(|&value| value.to_owned()).collect();
        let mut all = self.lock();
        let of_it = all.range(start.clone()..).map(|(values, _)| values.clone());
        let gone: Vec<_> = of_it.take_while(|values| values.starts_with(&start)).collect();
        gone.iter().for_each(|values| {
            all.remove(values);
        });
    }

    fn change(&self, values: &[&str], new: impl FnOnce() -> T, change: impl FnOnce(&mut T)) {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        change(self.lock().entry(values).or_insert_with(new));
    }

    fn each(&self, mut show: impl FnMut(&[&str], &T)) {
        for (values, number) in self.lock().iter() {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            show(&values, number);
        }
    }
}

impl Series<u64> {
    /// Counts one more.
    pub(crate) fn count(&self, values: &[&str]) {
        self.change(values, || 0, |number| *number = number.saturating_add(1));
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn show(&self, page: &mut Page) {
        // A counter without labels is there from the beginning.
        if self.family.labels.is_empty() {
            self.change(&[], || 0, |_| {});
        }
        self.each(|values, number| page.add(self.family, values, number));
    }
}

impl Series<Histogram> {
    /// Counts one number in.
    pub(crate) fn observe(&self, values: &[&str], bounds: &'static [f64], number: f64) {
        self.change(values, || Histogram::new(bounds), |all| all.observe(number));
    }

    pub(crate) fn show(&self, page: &mut Page) {
        self.each(|values, all| page.add_histogram(self.family, values, all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TOOK: Family = Family { name: "took", kind: Kind::Histogram, labels: &["of"], help: "How long" };
    static SEEN: Family = Family { name: "seen", kind: Kind::Counter, labels: &["a", "b"], help: "How many" };

    #[test]
    fn a_page_reads_as_prometheus_wants_it() {
        let (took, seen) = (Series::<Histogram>::new(&TOOK), Series::<u64>::new(&SEEN));
        for number in [0.000_000_01, 0.5, 2.0] {
            took.observe(&["x"], &[1e-8, 1.0], number);
        }
        seen.count(&["1", "say \"hi\"\\\n"]);
        let mut page = Page::default();
        took.show(&mut page);
        seen.show(&mut page);
        let want = "# HELP took How long\n# TYPE took histogram\n\
            took_bucket{of=\"x\",le=\"1e-08\"} 1\ntook_bucket{of=\"x\",le=\"1\"} 2\n\
            took_bucket{of=\"x\",le=\"+Inf\"} 3\ntook_sum{of=\"x\"} 2.50000001\ntook_count{of=\"x\"} 3\n\
            # HELP seen How many\n# TYPE seen counter\nseen{a=\"1\",b=\"say \\\"hi\\\"\\\\\\n\"} 1\n";
        assert_eq!(page.into_text(), want);
    }

    #[test]
    fn what_is_forgotten_takes_only_its_own_series_along() {
        let seen = Series::<u64>::new(&SEEN);
        for values in [["1", "x"], ["1", "y"], ["10", "x"], ["2", "x"]] {
            seen.count(&values);
        }
        seen.forget(&["1"]);
        let mut page = Page::default();
        seen.show(&mut page);
        let text = page.into_text();
        assert!(text.contains("seen{a=\"10\",b=\"x\"} 1\nseen{a=\"2\",b=\"x\"} 1\n"), "{text}");
        assert_eq!(seen.len(), 2);
    }
}
