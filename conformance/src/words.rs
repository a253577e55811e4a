//! Words of answers that differ from run to run: uids, times, addresses, generated names.

use regex::{Captures, Regex};
use std::collections::{BTreeMap, BTreeSet};

/// The letters of generated names: no vowels, and no digits that look like letters.
const GENERATED: &str = "bcdfghjklmnpqrstvwxz2456789";

/// Puts placeholders in the place of such words; the same uid gets the same one.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    namespace: String,
    image: String,
    /// Texts of the case itself: they are not made by the server.
    literals: BTreeSet<String>,
    uids: BTreeMap<String, usize>,
    uid: Regex,
    rules: Vec<(Regex, &'static str)>,
}

impl Words {
    pub(crate) fn new(
        namespace: &str,
        image: &str,
        literals: BTreeSet<String>,
    ) -> Result<Self, regex::Error> {
        let generated = format!(r"-(?:[{GENERATED}]{{8,10}}|[{GENERATED}]{{5}})\b");
        let rules = [
            (r"\b[0-9a-f]{64}\b", "<digest>"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "<microtime>"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
            (r"\b(?:\d{1,3}\.){3}\d{1,3}\b", "<ip>"),
            // Names of events: the time in nanoseconds.
            (r"\.[0-9a-f]{16}\b", ".<nanos>"),
            (generated.as_str(), "-<gen>"),
            (r"too old resource version: \d+ \(\d+\)", "too old resource version: <v> (<v>)"),
            (
                r"Too large resource version: (\d+), current: \d+",
                "Too large resource version: $1, current: <v>",
            ),
            (
                r"(ResourceVersion in the precondition \()\d+(\) does not match the ResourceVersion in record \()\d+",
                "$1<v>$2<v>",
            ),
        ];
        let rules = rules.into_iter().map(|(pattern, to)| Ok((Regex::new(pattern)?, to)));
        Ok(Self {
            namespace: namespace.to_owned(),
            image: image.to_owned(),
            literals,
            uids: BTreeMap::new(),
            uid: Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")?,
            rules: rules.collect::<Result<_, regex::Error>>()?,
        })
    }

    /// The word with placeholders.
    pub(crate) fn mask(&mut self, word: &str) -> String {
        let uids = &mut self.uids;
        let named = |found: &Captures<'_>| {
            let next = uids.len() + 1;
            let uid = found.get(0).map_or_else(String::new, |uid| uid.as_str().to_owned());
            format!("<uid{}>", uids.entry(uid).or_insert(next))
        };
        if self.literals.contains(word) {
            return self.place(word);
        }
        let text = self.uid.replace_all(word, named).into_owned();
        self.rest(&text)
    }

    /// The word with placeholders, all uids alike: to bring objects in an order before their uids are named.
    pub(crate) fn mask_blindly(&self, word: &str) -> String {
        if self.literals.contains(word) {
            return self.place(word);
        }
        self.rest(&self.uid.replace_all(word, "<uid>"))
    }

    /// Whether a name ends in a generated part.
    pub(crate) fn is_generated(&self, name: &str) -> bool {
        !self.literals.contains(name) && self.rest(name).contains("-<gen>")
    }

    /// Namespace and image, which the one who plays the case chose.
    pub(crate) fn place(&self, word: &str) -> String {
        word.replace(&self.namespace, "{ns}").replace(&self.image, "{image}")
    }

    fn rest(&self, word: &str) -> String {
        let rules = self.rules.iter();
        rules.fold(self.place(word), |text, (pattern, to)| pattern.replace_all(&text, *to).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let literals = BTreeSet::from(["10.0.0.9".to_owned(), "2020-01-01T00:00:00Z".to_owned()]);
        Words::new("c-one", "shop/web:dev", literals).unwrap()
    }

    #[test]
    fn the_same_uid_gets_the_same_name() {
        let mut words = words();
        let [one, two] = ["0b1c2d3e-1111-2222-3333-444455556666", "ffffffff-1111-2222-3333-444455556666"];
        assert_eq!(words.mask(&format!("not {one}")), "not <uid1>");
        assert_eq!((words.mask(two), words.mask(one)), ("<uid2>".to_owned(), "<uid1>".to_owned()));
    }

    #[test]
    fn what_the_server_makes_is_masked_and_what_the_case_says_is_not() {
        let mut words = words();
        for (word, masked) in [
            ("2026-11-21T07:51:08Z", "<time>"),
            ("2026-11-21T07:51:08.123456Z", "<microtime>"),
            ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
            ("http://10.96.3.4:80", "http://<ip>:80"),
            ("10.0.0.9", "10.0.0.9"),
            ("Created pod: web-bc2f4 in c-one", "Created pod: web-<gen> in {ns}"),
            ("web-5d4f8c7b9d-x2x2x", "web-<gen>-<gen>"),
            ("web-first", "web-first"),
            ("web.17f3c0a1b2c3d4e5", "web.<nanos>"),
            ("docker.io/shop/web:dev", "docker.io/{image}"),
            (
                "the ResourceVersion in the precondition (7) does not match the ResourceVersion in record (9).",
                "the ResourceVersion in the precondition (<v>) does not match the ResourceVersion in record (<v>).",
            ),
            ("too old resource version: 1 (345)", "too old resource version: <v> (<v>)"),
        ] {
            assert_eq!(words.mask(word), masked);
        }
    }
}
