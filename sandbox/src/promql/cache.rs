//! The queries that have been read lately.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::Error;
use super::query::Query;

/// How many queries are remembered: an analysis asks the same few again and again, and reading one takes twenty times
/// as long as answering it.
const MAX_QUERIES: usize = 64;

/// The queries by their text. It only saves time: the answers are the same without it.
#[derive(Debug, Default)]
pub(super) struct Cache {
    queries: Mutex<BTreeMap<String, Arc<Query>>>,
}

impl Cache {
    /// The query of a text, read only when it is not remembered.
    pub(super) fn query(&self, text: &str) -> Result<Arc<Query>, Error> {
        // Nothing panics while the lock is held; and if it did, every entry would still be whole.
        let mut queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(query) = queries.get(text) {
            return Ok(Arc::clone(query));
        }
        let query = Arc::new(Query::parse(text)?);
        if queries.len() >= MAX_QUERIES {
            queries.clear();
        }
        queries.insert(text.to_owned(), Arc::clone(&query));
        Ok(query)
    }
}

impl Clone for Cache {
    /// A clone of the data reads its queries anew.
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_query_is_read_once_and_the_memory_is_bounded() {
        let cache = Cache::default();
        let first = cache.query("up").unwrap();
        assert!(Arc::ptr_eq(&first, &cache.query("up").unwrap()));
        assert!(cache.query("up(").is_err());
        for number in 0..MAX_QUERIES {
            cache.query(&number.to_string()).unwrap();
            assert!(cache.queries.lock().unwrap().len() <= MAX_QUERIES);
        }
        let again = cache.query("up").unwrap();
        assert!(!Arc::ptr_eq(&first, &again), "forgotten meanwhile");
        assert_eq!(first, again);
    }
}
