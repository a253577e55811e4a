//! A repository in memory, and the syncer that applies its last commit.

use scenarios::Stage;
use scenarios::show::Team;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two rounds of the syncer.
const EVERY: Duration = Duration::from_secs(3);

type Files = BTreeMap<String, Vec<Value>>;

/// What was committed, oldest first.
#[derive(Debug, Default)]
pub(super) struct Commits(RefCell<Vec<Files>>);

/// There is no commit that could be reverted.
#[derive(Debug, thiserror::Error)]
#[error("there is no commit to revert")]
pub(super) struct NoCommit;

impl Commits {
    /// Applies the last commit again and again; ends only when the stage refuses.
    pub(super) async fn sync<S: Stage>(&self, stage: &S) -> S::Error {
        loop {
            let head = self.0.borrow().last().cloned().unwrap_or_default();
            for object in head.values().flatten() {
                if let Err(error) = stage.apply(object).await {
                    return error;
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

impl Team for Commits {
    type Error = NoCommit;

    fn commit(&self, _message: &str, files: &[(&str, Vec<Value>)]) -> Result<(), NoCommit> {
        let mut commits = self.0.borrow_mut();
        let mut head = commits.last().cloned().unwrap_or_default();
        head.extend(files.iter().map(|(name, objects)| ((*name).to_owned(), objects.clone())));
        commits.push(head);
        Ok(())
    }

    fn revert(&self) -> Result<(), NoCommit> {
        let mut commits = self.0.borrow_mut();
        // What stood before the first one is nothing.
        let before = commits.len().checked_sub(2).and_then(|index| commits.get(index)).cloned();
        if commits.is_empty() {
            return Err(NoCommit);
        }
        commits.push(before.unwrap_or_default());
        Ok(())
    }
}
