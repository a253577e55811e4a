//! What users saw.

use std::{collections::BTreeMap, fmt};

/// What users saw of one version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version {
    /// Answers below 400.
    pub answered: u64,
    /// Answers of 400 and above.
    pub failed: u64,
}

/// What users saw, by version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// By the version that answered; an answer that names none (a proxy's, say) is under the empty name.
    pub versions: BTreeMap<String, Version>,
    /// No connection.
    pub connect_errors: u64,
    /// No answer in time.
    pub timeouts: u64,
    /// Connections that ended before the answer did.
    pub broken: u64,
    /// Those of the answers that came from a pod which had been told to end.
    pub by_leaving: u64,
}

impl Seen {
    /// What users saw of one version; zeros when it never answered.
    #[must_use]
    pub fn version(&self, version: &str) -> Version {
        self.versions.get(version).copied().unwrap_or_default()
    }

    /// Requests that got no answer at all.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.connect_errors.saturating_add(self.timeouts).saturating_add(self.broken)
    }

    /// Answers of 400 and above, of all versions.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.versions.values().map(|version| version.failed).sum()
    }

    /// All requests.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.versions.values().map(|version| version.answered.saturating_add(version.failed)).sum::<u64>()
            + self.unanswered()
    }

    /// What was seen after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let versions = self.versions.iter().map(|(name, now)| {
            let before = earlier.version(name);
            let answered = now.answered.saturating_sub(before.answered);
            (name.clone(), Version { answered, failed: now.failed.saturating_sub(before.failed) })
        });
        Self {
            versions: versions.collect(),
            connect_errors: self.connect_errors.saturating_sub(earlier.connect_errors),
            timeouts: self.timeouts.saturating_sub(earlier.timeouts),
            broken: self.broken.saturating_sub(earlier.broken),
            by_leaving: self.by_leaving.saturating_sub(earlier.by_leaving),
        }
    }
}

impl fmt::Display for Seen {
    /// One line: `v1 180 answered; v2 19 answered, 1 failed; no answer 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let are_there = |seen: &Version| seen.answered.saturating_add(seen.failed) > 0;
        for (version, seen) in self.versions.iter().filter(|(_, seen)| are_there(seen)) {
            let name = if version.is_empty() { "(no version)" } else { version };
            write!(f, "{name} {} answered", seen.answered)?;
            if seen.failed > 0 {
                write!(f, ", {} failed", seen.failed)?;
            }
            f.write_str("; ")?;
        }
        write!(f, "no answer {}", self.unanswered())?;
        if self.by_leaving > 0 {
            write!(f, "; by pods that were leaving {}", self.by_leaving)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(answered: u64, failed: u64, broken: u64) -> Seen {
        let versions = BTreeMap::from([("v1".to_owned(), Version { answered, failed })]);
        Seen { versions, broken, ..Seen::default() }
    }

    #[test]
    fn what_came_later_is_the_difference() {
        let later = seen(10, 3, 2).since(&seen(4, 1, 2));
        assert_eq!(later, seen(6, 2, 0));
        assert_eq!((later.total(), later.failed(), later.unanswered()), (8, 2, 0));
        assert_eq!(later.to_string(), "v1 6 answered, 2 failed; no answer 0");
    }
}
