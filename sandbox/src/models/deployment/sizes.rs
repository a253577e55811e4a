//! How many pods each ReplicaSet of a Deployment is to have.

use super::{DeploymentView, OwnedSet, Scale, Strategy};
use crds::IntOrString;
use std::cmp::Reverse;

/// Pods above and below the number that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// `maxSurge` as a number; 0 when pods are recreated.
    pub(super) surge: i32,
    /// `maxUnavailable` as a number, at most `spec.replicas`; 0 when pods are recreated.
    pub(super) unavailable: i32,
}

impl Bounds {
    /// Surge is rounded up, unavailable down; where both would be 0, one pod may be unavailable.
    ///
    /// Example: 25% and 25% of 5 are 2 and 1.
    pub(super) fn of(deployment: &DeploymentView) -> Self {
        let Strategy::RollingUpdate { max_surge, max_unavailable } = &deployment.strategy else {
            return Self { surge: 0, unavailable: 0 };
        };
        let replicas = deployment.replicas;
        let surge = resolve(max_surge, replicas, true);
        let unavailable = resolve(max_unavailable, replicas, false);
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        Self { surge, unavailable: unavailable.min(replicas).max(0) }
    }
}

fn resolve(value: &IntOrString, of: i32, round_up: bool) -> i32 {
    let percent: i64 = match value {
        IntOrString::Int(number) => return i32::try_from(*number).unwrap_or(i32::MAX),
        IntOrString::String(text) => text.trim_end_matches('%').parse().unwrap_or(0),
    };
    let product = percent.saturating_mul(i64::from(of));
    let rounded = if round_up { product.saturating_add(99) / 100 } else { product / 100 };
    i32::try_from(rounded).unwrap_or(i32::MAX)
}

/// The ReplicaSets with the sizes that they are to have.
pub(super) struct Work<'a> {
    deployment: &'a DeploymentView,
    sets: &'a [OwnedSet],
    /// Sizes to have, in the order of `sets`; one more at the end for a ReplicaSet that is to be created.
    sizes: Vec<i32>,
    /// The ReplicaSet of the current template: the oldest one, should there be several.
    pub(super) current: Option<usize>,
    pub(super) bounds: Bounds,
}

impl<'a> Work<'a> {
    pub(super) fn new(deployment: &'a DeploymentView, sets: &'a [OwnedSet]) -> Self {
        let current = sets.iter().enumerate().filter(|(_, set)| set.is_current);
        let current = current.min_by_key(|(_, set)| (set.created, &set.name)).map(|(index, _)| index);
        let sizes = sets.iter().map(|set| set.replicas).collect();
        Self { deployment, sets, sizes, current, bounds: Bounds::of(deployment) }
    }

    pub(super) fn sets(&self) -> &'a [OwnedSet] {
        self.sets
    }

    /// Name of the current ReplicaSet, or of the one that is to be created.
    pub(super) fn current_name(&self) -> Option<&str> {
        let index = self.current?;
        Some(self.sets.get(index).map_or(self.deployment.next_set.as_str(), |set| set.name.as_str()))
    }

    fn size(&self, index: usize) -> i32 {
        self.sizes.get(index).copied().unwrap_or(0)
    }

    fn set_size(&mut self, index: usize, to: i32) -> bool {
        match self.sizes.get_mut(index) {
            Some(size) if *size != to => {
                *size = to;
                true
            }
            _ => false,
        }
    }

    fn total(&self) -> i32 {
        self.sizes.iter().fold(0, |sum: i32, size| sum.saturating_add(*size))
    }

    fn old(&self) -> Vec<usize> {
        (0..self.sets.len()).filter(|index| Some(*index) != self.current).collect()
    }

    /// Old ReplicaSets, oldest first.
    fn old_by_age(&self) -> Vec<usize> {
        let mut old = self.old();
        old.sort_by_key(|index| self.age(*index));
        old
    }

    fn age(&self, index: usize) -> (crds::Time, &'a str) {
        self.sets.get(index).map_or((crds::Time::default(), ""), |set| (set.created, set.name.as_str()))
    }

    fn available(&self, index: usize) -> i32 {
        self.sets.get(index).map_or(0, |set| set.available)
    }

    /// Sizes to write: those that change, and those of active ReplicaSets whose annotations differ.
    pub(super) fn changes(&self, most: i32) -> Vec<Scale> {
        let wanted = Some(self.deployment.replicas);
        let sets = self.sets.iter().zip(&self.sizes).enumerate();
        sets.filter(|(_, (set, size))| {
            let noted = set.desired == wanted && set.most == Some(most);
            set.replicas != **size || (self.marks(set) && !noted)
        })
        .map(|(index, (_, size))| Scale { set: index, to: *size })
        .collect()
    }

    /// Whether the annotations of a ReplicaSet follow although its size stays: those of active ones do when the
    /// Deployment is scaled in proportion.
    fn marks(&self, set: &OwnedSet) -> bool {
        set.replicas > 0 && (self.is_scaling_event() || set.desired.is_none())
    }

    /// `spec.replicas` has changed since an active ReplicaSet was last scaled.
    pub(super) fn is_scaling_event(&self) -> bool {
        let differs = |set: &OwnedSet| set.desired.is_some_and(|desired| desired != self.deployment.replicas);
        self.sets.iter().any(|set| set.replicas > 0 && differs(set))
    }

    /// Adds the ReplicaSet of the current template; its first size.
    pub(super) fn make_current(&mut self) -> i32 {
        self.current = Some(self.sets.len());
        self.sizes.push(0);
        let size = match self.deployment.strategy {
            Strategy::RollingUpdate { .. } => self.room(self.sets.len()),
            Strategy::Recreate => self.deployment.replicas,
        };
        self.set_size(self.sets.len(), size);
        size
    }

    /// How large a ReplicaSet may become: within the surge over all, and not above what is wanted.
    fn room(&self, index: usize) -> i32 {
        let most = self.deployment.replicas.saturating_add(self.bounds.surge);
        let free = most.saturating_sub(self.total());
        let size = self.size(index);
        if free <= 0 {
            size
        } else {
            size.saturating_add(free.min(self.deployment.replicas.saturating_sub(size)))
        }
    }

    /// Grows the current ReplicaSet into the room that there is, or cuts it to what is wanted. True when it changes.
    pub(super) fn scale_current(&mut self) -> bool {
        let Some(index) = self.current.filter(|index| *index < self.sets.len()) else { return false };
        let wanted = self.deployment.replicas;
        let to = if self.size(index) >= wanted { wanted } else { self.room(index) };
        self.set_size(index, to)
    }

    pub(super) fn fill_current(&mut self) {
        if let Some(index) = self.current {
            self.set_size(index, self.deployment.replicas);
        }
    }

    /// Shrinks old ReplicaSets: first by pods that are not available anyway, then, oldest first, as far as enough
    /// pods stay available over all.
    ///
    /// Example: 4 wanted, 1 may be unavailable, 5 pods in all of which the new one is not available yet: 1 may go.
    pub(super) fn scale_old_down(&mut self) {
        let least = self.deployment.replicas.saturating_sub(self.bounds.unavailable);
        let current = self.current.map_or(0, |index| self.size(index).saturating_sub(self.available(index)));
        let old = self.old_by_age();
        if old.iter().all(|index| self.size(*index) == 0) {
            return;
        }
        let mut spare = self.total().saturating_sub(least).saturating_sub(current);
        if spare <= 0 {
            return;
        }
        for index in &old {
            let broken = self.size(*index).saturating_sub(self.available(*index)).max(0);
            let goes = broken.min(spare);
            spare = spare.saturating_sub(goes);
            self.set_size(*index, self.size(*index).saturating_sub(goes));
        }
        let available =
            (0..self.sets.len()).fold(0_i32, |sum, index| sum.saturating_add(self.available(index)));
        let mut budget = available.saturating_sub(least).max(0);
        for index in old {
            let goes = self.size(index).min(budget);
            budget = budget.saturating_sub(goes);
            self.set_size(index, self.size(index).saturating_sub(goes));
        }
    }

    /// Empties all old ReplicaSets; true when one of them changes.
    pub(super) fn empty_old(&mut self) -> bool {
        let mut changed = false;
        for index in self.old() {
            changed |= self.set_size(index, 0);
        }
        changed
    }

    pub(super) fn has_old_pods(&self) -> bool {
        self.old().iter().filter_map(|index| self.sets.get(*index)).any(|set| set.pods > 0 || set.pods_left)
    }

    /// After a change of `spec.replicas`, and while paused: every active ReplicaSet keeps its share.
    pub(super) fn scale_in_proportion(&mut self, most: i32) {
        let active: Vec<usize> = (0..self.sets.len()).filter(|index| self.size(*index) > 0).collect();
        let newest = || self.old().into_iter().max_by_key(|index| self.age(*index));
        let only = match active.as_slice() {
            [] => self.current.or_else(newest),
            [one] => Some(*one),
            [..] => None,
        };
        if active.len() <= 1 {
            if let Some(index) = only {
                self.set_size(index, self.deployment.replicas);
            }
            return;
        }
        if self.is_saturated() {
            self.empty_old();
        } else if matches!(self.deployment.strategy, Strategy::RollingUpdate { .. }) {
            self.share_out(active, if self.deployment.replicas > 0 { most } else { 0 });
        }
    }

    /// The current ReplicaSet has all pods that are wanted, available, and was scaled for just that number.
    fn is_saturated(&self) -> bool {
        let wanted = self.deployment.replicas;
        self.current.and_then(|index| self.sets.get(index)).is_some_and(|set| {
            set.desired == Some(wanted) && set.replicas == wanted && set.available == wanted
        })
    }

    /// Brings the total to `allowed`: larger ReplicaSets first, each by its share, the rest to the first.
    fn share_out(&mut self, mut active: Vec<usize>, allowed: i32) {
        let add = allowed.saturating_sub(self.total());
        if add == 0 {
            return;
        }
        // Among equals the newer one grows first, and the older one shrinks first.
        active.sort_by_key(|index| self.age(*index));
        if add > 0 {
            active.reverse();
        }
        active.sort_by_key(|index| Reverse(self.size(*index)));
        let mut added = 0_i32;
        for index in &active {
            let share = self.share(*index, allowed);
            let left = add.saturating_sub(added);
            let share = if add > 0 { share.min(left) } else { share.max(left) };
            let share = if left == 0 { 0 } else { share };
            added = added.saturating_add(share);
            self.set_size(*index, self.size(*index).saturating_add(share));
        }
        if let Some(first) = active.first() {
            let rest = self.size(*first).saturating_add(add.saturating_sub(added)).max(0);
            self.set_size(*first, rest);
        }
    }

    /// By how much a ReplicaSet is to change so that its share of the whole stays.
    fn share(&self, index: usize, allowed: i32) -> i32 {
        let size = self.size(index);
        if self.deployment.replicas == 0 {
            return size.saturating_neg();
        }
        let before = self.sets.get(index).and_then(|set| set.most).filter(|most| *most != 0);
        let before = before.unwrap_or(self.deployment.status.replicas);
        if before == 0 {
            return 0;
        }
        let to = f64::from(size) * f64::from(allowed) / f64::from(before);
        round(to).saturating_sub(size)
    }
}

/// To the nearest whole number, halves away from zero, held inside 32 bits.
fn round(value: f64) -> i32 {
    // Found by comparison rather than by a cast, which would cut silently.
    let (mut low, mut high) = (i32::MIN, i32::MAX);
    let target = value.round();
    while low < high {
        let middle = low.midpoint(high);
        if f64::from(middle) < target { low = middle.saturating_add(1) } else { high = middle }
    }
    low
}
