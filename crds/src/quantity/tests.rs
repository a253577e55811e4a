//! Quantities against the canonical texts that Kubernetes' own type gave.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

/// Printed by `crds/data/gotypes`.
const VECTORS: &str = include_str!("../../data/quantity-vectors.txt");

#[test]
fn every_vector_of_kubernetes() {
    let mut wrong = Vec::new();
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let (text, expected) = line.split_once(' ').unwrap();
        let canonical = Quantity::canonical(text);
        let right = if expected == "-" {
            Quantity::parse(text).is_none() && canonical == text
        } else {
            Quantity::parse(text).is_some() && canonical == expected
        };
        if !right {
            wrong.push(format!("{text}: {canonical}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn values_are_compared_not_texts() {
    for (a, b) in
        [("1", "1000m"), ("1Gi", "1024Mi"), ("0.5", "500m"), ("1e3", "1k"), ("0", "0Mi"), ("+2", "2")]
    {
        assert_eq!(Quantity::parse(a), Quantity::parse(b), "{a} {b}");
    }
    assert_ne!(Quantity::parse("1G"), Quantity::parse("1Gi"));
    assert_ne!(Quantity::parse("-1"), Quantity::parse("1"));
}

#[test]
fn resources_are_rounded_up_to_thousandths() {
    let rounded = |text| Quantity::parse(text).unwrap().rounded_to_milli().to_string();
    assert_eq!(rounded("1100u"), "2m");
    assert_eq!(rounded("-1100u"), "-2m");
    assert_eq!(rounded("1n"), "1m");
    assert_eq!(rounded("250m"), "250m");
}

#[test]
fn what_is_no_quantity_stays_as_it_is() {
    for text in
        ["", "abc", "1 Gi", "1GB", "--1", "1e", "1e99999999999", "999999999999999999999999999999999999999999"]
    {
        assert_eq!(Quantity::parse(text), None, "{text}");
        assert_eq!(Quantity::canonical(text), text);
    }
}

proptest::proptest! {
    #[test]
    fn the_canonical_text_means_the_same_and_is_stable(text in "[+-]?[0-9]{0,22}(\\.[0-9]{0,12})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{1,2})?") {
        let canonical = Quantity::canonical(&text);
        // Beyond E Kubernetes has no suffix to write, and the text loses its scale.
        if let Some(quantity) = Quantity::parse(&text).filter(|quantity| quantity.exponent < 21) {
            proptest::prop_assert_eq!(Some(quantity), Quantity::parse(&canonical));
            proptest::prop_assert_eq!(&Quantity::canonical(&canonical), &canonical);
        }
    }
}

#[test]
fn values_are_compared_however_they_are_written() {
    let compare = |a: &str, b: &str| Quantity::parse(a).unwrap().compare(Quantity::parse(b).unwrap());
    for (a, b, order) in [
        ("1", "1000m", std::cmp::Ordering::Equal),
        ("1Gi", "1G", std::cmp::Ordering::Greater),
        ("-1", "0", std::cmp::Ordering::Less),
        ("1n", "1E", std::cmp::Ordering::Less),
        ("-1E", "1n", std::cmp::Ordering::Less),
    ] {
        assert_eq!(compare(a, b), order, "{a} and {b}");
    }
    assert!(Quantity::parse("-1m").unwrap().is_negative());
    assert!(!Quantity::parse("0").unwrap().is_negative());
}
