//! The garbage collector: what becomes of an object when its owners go, and of its dependents when it goes.

/// Finalizer of an object that waits for its dependents to be deleted.
pub const FOREGROUND_FINALIZER: &str = "foregroundDeletion";
/// Finalizer of an object that waits for its dependents to be let go of.
pub const ORPHAN_FINALIZER: &str = "orphan";

/// How an object is deleted with respect to its dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// It goes first.
    Background,
    /// Its dependents go first.
    Foreground,
    /// Its dependents stay, without it as their owner.
    Orphan,
}

impl Propagation {
    /// The finalizer that an object gets when it is deleted so.
    #[must_use]
    pub fn finalizer(self) -> Option<&'static str> {
        match self {
            Self::Background => None,
            Self::Foreground => Some(FOREGROUND_FINALIZER),
            Self::Orphan => Some(ORPHAN_FINALIZER),
        }
    }
}

/// How an owner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerState {
    /// No object of that uid is there.
    Absent,
    /// It is there; deleted in the background, perhaps, but still there.
    Present,
    /// It is being deleted and waits for its dependents.
    WaitsForDependents,
}

/// An object with its place among others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// How the owner of each of its owner references stands, in their order.
    pub owners: Vec<OwnerState>,
    /// It has a deletion timestamp.
    pub deleting: bool,
    /// It has [`FOREGROUND_FINALIZER`].
    pub foreground: bool,
    /// It has [`ORPHAN_FINALIZER`].
    pub orphan: bool,
    /// Objects that have it as an owner.
    pub dependents: usize,
    /// Those of them whose reference to it says `blockOwnerDeletion`.
    pub blocking_dependents: usize,
    /// At least one of them is itself being deleted and waits for its own dependents.
    pub dependent_waits: bool,
}

/// What the garbage collector does about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Keep,
    /// Take these owner references (by index) away: others still hold it.
    DropOwners(Vec<usize>),
    /// Delete it so.
    Delete(Propagation),
    /// Make its references non-blocking, then delete it in the foreground: it is part of a circle.
    UnblockAndDelete,
    /// Take it away as owner from all its dependents, then remove [`ORPHAN_FINALIZER`].
    OrphanDependents,
    /// Remove [`FOREGROUND_FINALIZER`]: nothing blocks it any more.
    FinishForeground,
}

/// What to do about one object now. Called again when it, an owner or a dependent changes.
#[must_use]
pub fn judge(node: &Node) -> Verdict {
    if node.deleting {
        return match (node.orphan, node.foreground && node.blocking_dependents == 0) {
            (true, _) => Verdict::OrphanDependents,
            (false, true) => Verdict::FinishForeground,
            (false, false) => Verdict::Keep,
        };
    }
    let with = |state: OwnerState| {
        let owners = node.owners.iter().enumerate();
        owners.filter(move |(_, owner)| **owner == state).map(|(index, _)| index)
    };
    let mut waiting = with(OwnerState::WaitsForDependents).peekable();
    if node.owners.is_empty() {
        return Verdict::Keep;
    }
    if with(OwnerState::Present).next().is_some() {
        let mut gone: Vec<usize> = with(OwnerState::Absent).chain(waiting).collect();
        gone.sort_unstable();
        return if gone.is_empty() { Verdict::Keep } else { Verdict::DropOwners(gone) };
    }
    if waiting.peek().is_some() && node.dependents > 0 {
        return if node.dependent_waits {
            Verdict::UnblockAndDelete
        } else {
            Verdict::Delete(Propagation::Foreground)
        };
    }
    Verdict::Delete(match (node.orphan, node.foreground) {
        (true, _) => Propagation::Orphan,
        (false, true) => Propagation::Foreground,
        (false, false) => Propagation::Background,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(states: &[OwnerState]) -> Node {
        Node { owners: states.to_vec(), ..Node::default() }
    }

    #[test]
    fn an_object_goes_with_its_last_owner() {
        use OwnerState::{Absent, Present, WaitsForDependents};
        assert_eq!(judge(&owned(&[])), Verdict::Keep);
        assert_eq!(judge(&owned(&[Present])), Verdict::Keep);
        assert_eq!(judge(&owned(&[Absent])), Verdict::Delete(Propagation::Background));
        assert_eq!(judge(&owned(&[WaitsForDependents])), Verdict::Delete(Propagation::Background));
        let shared = owned(&[WaitsForDependents, Present, Absent]);
        assert_eq!(judge(&shared), Verdict::DropOwners(vec![0, 2]));
    }

    #[test]
    fn foreground_goes_down_level_by_level() {
        let parent = Node { dependents: 2, ..owned(&[OwnerState::WaitsForDependents]) };
        assert_eq!(judge(&parent), Verdict::Delete(Propagation::Foreground));
        let circle = Node { dependent_waits: true, ..parent.clone() };
        assert_eq!(judge(&circle), Verdict::UnblockAndDelete);
        let waiting = Node { deleting: true, foreground: true, blocking_dependents: 1, ..parent };
        assert_eq!(judge(&waiting), Verdict::Keep);
        let free = Node { blocking_dependents: 0, ..waiting };
        assert_eq!(judge(&free), Verdict::FinishForeground);
    }

    #[test]
    fn orphans_stay() {
        let going = Node { deleting: true, orphan: true, dependents: 3, ..Node::default() };
        assert_eq!(judge(&going), Verdict::OrphanDependents);
        let honoured = Node { orphan: true, ..owned(&[OwnerState::Absent]) };
        assert_eq!(judge(&honoured), Verdict::Delete(Propagation::Orphan));
        let finalizers = [Propagation::Background, Propagation::Foreground, Propagation::Orphan];
        let expected = [None, Some("foregroundDeletion"), Some("orphan")];
        assert_eq!(finalizers.map(Propagation::finalizer), expected);
    }
}
