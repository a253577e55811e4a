//! Blue-green: the new version is made beside the old one, and the active Service is switched to it. `[blue-green]`

use super::pass::Pass;
use super::scale_down::{self, Delay, DelayLine};
use super::{
    analysis, canary, gate, history, metadata, pause, promotion, restart, services, status, targets,
};
use crate::ReplicaSet;
use crate::defect;
use crds::Time;
use crds::defaults;
use crds::rollout::RolloutStatus;
use crds::rollout::blue_green::BlueGreenStrategy;

/// One pass of a blue-green update.
pub(super) fn run(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy) -> RolloutStatus {
    if canary::is_scaling_event(pass) {
        scale(pass, strategy, false);
        return conclude(pass, strategy, None);
    }
    if let (Some(name), Some(new), false) =
        (strategy.preview_service.as_deref(), pass.new, pass.is_halted() || defect!(PreviewStays))
    {
        services::switch(pass, name, new.hash());
    }
    if status::has_changed(pass) {
        return conclude(pass, strategy, None);
    }
    let restarted = restart::run(pass);
    // Decided before the active Service moves: a rollback is fast because of what is recorded now.
    pause_before_switch(pass, strategy);
    // What is evicted in this pass still counts as available in it.
    let switched = !restarted.evicted && switch_active(pass, strategy);
    // Before sizes: pods that are made have what the template says by then.
    metadata::run(pass);
    scale(pass, strategy, switched);
    history::replica_sets(pass);
    analysis::blue_green(pass, strategy);
    if let Some(invalid) = pass.unmade.take() {
        return gate::invalid(pass, &invalid);
    }
    conclude(pass, strategy, restarted.done_at)
}

/// The version that production gets, or is to get back: that of the active Service, or else the stable one.
fn serving_hash<'w>(pass: &Pass<'w>, strategy: &BlueGreenStrategy) -> &'w str {
    let active = active_hash(pass, strategy);
    if active.is_empty() { pass.stable.map_or("", ReplicaSet::hash) } else { active }
}

fn active_hash<'w>(pass: &Pass<'w>, strategy: &BlueGreenStrategy) -> &'w str {
    pass.world.services.get(&strategy.active_service).map_or("", |service| service.hash())
}

/// Size of the preview before the switch; `None` without a size of its own.
fn preview_count(pass: &Pass<'_>, strategy: &BlueGreenStrategy) -> Option<i32> {
    let count = strategy.preview_replica_count?;
    let serving = serving_hash(pass, strategy);
    let new = pass.new?;
    let other =
        pass.all.iter().any(|set| !serving.is_empty() && set.hash() == serving && set.name != new.name);
    // A version that goes live at once is no preview: it would be shrunk just as the Service comes back to it.
    (other && !pass.old.promote_full && !services::is_fast_rollback(pass)).then_some(count)
}

fn checkpoint(pass: &Pass<'_>) -> bool {
    pass.old.blue_green.as_ref().is_some_and(|blue_green| blue_green.scale_up_preview_check_point)
}

/// How many pods the new version is to have now. One that the active Service has just come to keeps its whole size.
fn new_size(pass: &Pass<'_>, strategy: &BlueGreenStrategy, switched: bool) -> i32 {
    if switched {
        return pass.replicas;
    }
    let Some(count) = preview_count(pass, strategy) else { return pass.replicas };
    let waiting = pass.is_frozen() || pause::any(&pass.old);
    if checkpoint(pass) && !waiting && !defect!(PreviewKeepsSize) { pass.replicas } else { count }
}

fn scale(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy, switched: bool) {
    if pass.is_halted() {
        pass.plan.trail.push("halted: nothing is scaled".to_owned());
        // What is analysed depends on it all the same.
        if let Some(new) = pass.new {
            wait_for_fast_rollback(pass, new);
        }
        return;
    }
    let replicas = pass.replicas;
    if let Some(stable) = pass.stable.filter(|stable| !pass.is_new(stable) && !defect!(StableIsAnOldOne)) {
        scale_down::clear_deadline(pass, stable);
        let replicas = if defect!(StableShrinks) { replicas.min(1) } else { replicas };
        pass.scale(stable, replicas, "the stable version keeps its size until the switch");
    }
    if let Some(new) = pass.new {
        scale_new(pass, strategy, new, switched);
    }
    scale_others(pass, strategy);
}

fn scale_new(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy, new: &ReplicaSet, switched: bool) {
    // Without a stable version there is nothing to go back to, and nothing else that serves.
    if pass.is_aborted() && pass.stable.is_some() && !pass.is_stable(new) {
        return scale_aborted(pass, strategy, new);
    }
    // A rollback to a version that still waits for its scale-down is fast: the deadline stays until the switch.
    let keeps_deadline = services::is_fast_rollback(pass) && active_hash(pass, strategy) != new.hash();
    if !keeps_deadline && !defect!(KeepsDeadline) {
        scale_down::clear_deadline(pass, new);
    } else {
        wait_for_fast_rollback(pass, new);
    }
    let mut size = new_size(pass, strategy, switched);
    if size < new.replicas && !switched && !targets::may_go(pass, &strategy.active_service, new) {
        size = new.replicas;
    }
    if size < new.replicas {
        // It is a preview only while the active Service is elsewhere: a switch of our own may not be seen yet.
        services::confirm(pass, &strategy.active_service);
    }
    pass.scale(new, size, format!("the new version is to have {size} pods"));
}

/// A rollback is fast until the old version's deadline.
fn wait_for_fast_rollback(pass: &mut Pass<'_>, new: &ReplicaSet) {
    let deadline = new.scale_down_deadline().filter(|end| *end > pass.now);
    if let Some(deadline) = deadline.filter(|_| services::is_fast_rollback(pass)) {
        pass.plan.wake_at(deadline, format!("{} is no fast rollback any more", new.name));
    }
}

/// An aborted preview is kept for a while, so that a retry is quick, and goes when no Service selects it any more.
fn scale_aborted(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy, new: &ReplicaSet) {
    if new.replicas == 0 {
        return;
    }
    let selected = active_hash(pass, strategy) == new.hash();
    let delay = defaults::abort_scale_down_delay_seconds(&pass.world.rollout).filter(|_| !selected);
    let over = new.scale_down_deadline().is_some_and(|deadline| pass.now >= deadline);
    if (delay.is_none() || !over) && !defect!(AbortedScalesForEver) {
        // The recorded number of pods follows, or the Rollout would be taken to be scaling for ever.
        pass.scale(new, new.replicas, "the aborted version keeps its size");
    }
    let Some(seconds) = delay else {
        // It goes when it is active no more, or never: a deadline from before says something else.
        scale_down::clear_deadline(pass, new);
        return;
    };
    match new.scale_down_deadline() {
        None => scale_down::set_deadline(pass, new, i64::from(seconds)),
        Some(deadline) if pass.now < deadline && !defect!(AbortedGoesAtOnce) => {
            pass.plan.wake_at(deadline, format!("{} may be scaled down", new.name));
        }
        Some(_) if defect!(AbortedStays) => {}
        // It may have been active until now.
        Some(_) if !targets::may_go(pass, &strategy.active_service, new) => {}
        Some(_) => {
            services::confirm(pass, &strategy.active_service);
            pass.scale(new, 0, "the update was aborted and its delay is over");
        }
    }
}

fn scale_others(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy) {
    let active = active_hash(pass, strategy);
    let mut others = pass.others();
    for set in others.iter().filter(|set| set.hash() == active && !defect!(ActiveKeepsDeadline)) {
        // One that was taken for idle, by an older view of the Service: left one day, it is to have its whole delay.
        scale_down::clear_deadline(pass, set);
    }
    others.retain(|set| set.hash() != active || defect!(StableIsAnOldOne));
    others.retain(|set| set.replicas > 0 || defect!(EmptyOnesWait));
    others.sort_by_key(|set| std::cmp::Reverse(set.revision()));
    let mut line = DelayLine::new(pass);
    for set in others {
        match line.decide(pass, set) {
            Delay::Wait => {
                if set.scale_down_deadline().is_some() {
                    pass.scale(set, pass.replicas, "a version that may be needed again keeps the whole size");
                }
            }
            Delay::Over if !targets::may_go(pass, &strategy.active_service, set) => {}
            Delay::Over => {
                // It is idle only while the active Service is elsewhere: somebody may have put it back.
                services::confirm(pass, &strategy.active_service);
                pass.scale(set, 0, format!("version {} is neither active nor new", set.hash()));
            }
        }
    }
}

/// The new version has the size that is wanted before the switch, and all of it is available.
fn is_ready(pass: &Pass<'_>, strategy: &BlueGreenStrategy) -> bool {
    let Some(new) = pass.new else { return false };
    let size = preview_count(pass, strategy).filter(|_| !checkpoint(pass)).unwrap_or(pass.replicas);
    new.replicas == size
        && pass.world.available(new) == size
        && new.desired_annotation() == Some(pass.replicas)
}

/// Nothing is waited for: the first deploy, a fast rollback, a full promotion, or a Service that selects the new version
/// already.
///
/// DIFFERS: in Argo Rollouts a Service without a hash opens the gates, too, whoever has taken the hash out.
fn is_fast_tracked(pass: &Pass<'_>, strategy: &BlueGreenStrategy) -> bool {
    let active = active_hash(pass, strategy);
    services::is_fast_rollback(pass)
        || pass.old.promote_full
        || pass.old.stable_rs.is_empty()
        || (active.is_empty() && defect!(EmptySelectorIsFirst))
        || pass.new.is_some_and(|new| new.hash() == active)
}

fn auto_seconds(strategy: &BlueGreenStrategy) -> i64 {
    i64::from(strategy.auto_promotion_seconds.unwrap_or(0))
}

fn promotes_itself(strategy: &BlueGreenStrategy) -> bool {
    strategy.auto_promotion_enabled.unwrap_or(true)
}

fn pause_before_switch(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy) {
    if pass.is_aborted() || pass.is_halted() {
        return;
    }
    if !is_ready(pass, strategy) {
        pause_without_pods(pass, strategy);
        return;
    }
    if is_fast_tracked(pass, strategy) {
        pass.pause.remove(pause::BLUE_GREEN_PAUSE);
        return;
    }
    if checkpoint(pass) {
        return;
    }
    let guarded = !promotes_itself(strategy) || auto_seconds(strategy) > 0;
    let analysed = analysis::pre_promotion_is_done(pass, strategy);
    let deadline = |since: Time| since.plus_seconds(auto_seconds(strategy));
    let timed = promotes_itself(strategy);
    match pause::get(&pass.old, pause::BLUE_GREEN_PAUSE).map(|condition| condition.start_time) {
        None if !guarded || !analysed || pass.old.controller_pause => {}
        None => {
            pass.pause.add(pause::BLUE_GREEN_PAUSE);
            if timed {
                pass.plan.wake_at(deadline(pass.now.whole_seconds()), "the automatic promotion");
            }
        }
        Some(since) if timed && pass.now >= deadline(since) => {
            // Without a preview of its own size the pause stands until the switch is seen, and ends with the
            // promotion; with one, it has to end first, or the preview would not be scaled up. And nothing is analysed
            // while it stands: people may have asked for an analysis, or for no wait, since it began.
            if preview_count(pass, strategy).is_some() || !analysed {
                pass.pause.remove(pause::BLUE_GREEN_PAUSE);
            }
        }
        Some(since) if timed => pass.plan.wake_at(deadline(since), "the automatic promotion"),
        Some(_) => {}
    }
}

/// The time of an automatic promotion goes on while pods are missing. A pause that nobody asks for any more ends, and so
/// does one whose time was over a whole progress deadline ago: what never comes is late, not paused.
///
/// DIFFERS: in Argo Rollouts such a Rollout is Paused for ever.
fn pause_without_pods(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy) {
    let begun = pause::get(&pass.old, pause::BLUE_GREEN_PAUSE).map(|condition| condition.start_time);
    let Some(since) = begun.filter(|_| promotes_itself(strategy)) else { return };
    let seconds = auto_seconds(strategy);
    let due = since.plus_seconds(seconds);
    let patience = i64::from(defaults::progress_deadline_seconds(&pass.world.rollout));
    let end = due.plus_seconds(patience);
    if seconds == 0 || pass.now >= end {
        // Not as if somebody had resumed it: people may ask for a pause again before the pods are there.
        pass.pause.clear();
    } else if due > pass.now {
        pass.plan.wake_at(due, "the automatic promotion");
    } else {
        pass.plan.wake_at(end, "pods that never come are late");
    }
}

/// Whether nobody and nothing has to be waited for any more.
fn pause_is_over(pass: &Pass<'_>, strategy: &BlueGreenStrategy) -> bool {
    if pass.pause.has_added() {
        return false;
    }
    let condition = pause::get(&pass.old, pause::BLUE_GREEN_PAUSE);
    let resumed = pass.old.controller_pause && condition.is_none();
    let timed_out = (promotes_itself(strategy) || defect!(PromotesByItself))
        && (auto_seconds(strategy) == 0
            || defect!(PromotesAtOnce)
            || condition.is_some_and(|condition| {
                pass.now >= condition.start_time.plus_seconds(auto_seconds(strategy))
            }));
    checkpoint(pass) || resumed || timed_out
}

/// Points the active Service at the new version once its gates are open, and after an abort back at the stable one; true
/// when it comes to the new version.
fn switch_active(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy) -> bool {
    if pass.is_halted() {
        return false;
    }
    let Some(new) = pass.new else { return false };
    let forward = !pass.is_aborted() && is_open(pass, strategy, new);
    if forward {
        leave(pass, strategy);
        if active_hash(pass, strategy) != new.hash() && !defect!(SwitchUnconfirmed) {
            services::confirm_set(pass, new);
        }
        services::switch(pass, &strategy.active_service, new.hash());
    } else if pass.is_aborted() {
        switch_back(pass, strategy, new);
    } else if active_hash(pass, strategy).is_empty() && !defect!(EmptySelectorIsFirst) {
        take_up(pass, strategy);
    }
    forward
}

/// What was active has had no delay of its own yet: a deadline from before does not count.
fn leave(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy) {
    let active = active_hash(pass, strategy);
    let left =
        pass.all.iter().copied().find(|set| !active.is_empty() && set.hash() == active && !pass.is_new(set));
    if let Some(left) = left.filter(|_| pass.new.is_some_and(|new| new.hash() != active)) {
        scale_down::clear_deadline(pass, left);
    }
}

/// The new version is all there, and nothing has to be waited for.
fn is_open(pass: &Pass<'_>, strategy: &BlueGreenStrategy, new: &ReplicaSet) -> bool {
    let analysed = defect!(SwitchIgnoresAnalysis) || analysis::pre_promotion_is_done(pass, strategy);
    let gated = pause_is_over(pass, strategy) && analysed;
    (defect!(SwitchesUnready) || status::is_saturated(pass, new))
        && (gated || is_fast_tracked(pass, strategy))
}

/// DIFFERS: Argo Rollouts goes back only while the new version is saturated; here the stable version decides.
fn switch_back(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy, new: &ReplicaSet) {
    let Some(stable) = pass.stable else { return };
    let available = pass.world.available(stable);
    let carries = available >= stable.replicas.min(pass.replicas) || available >= pass.world.available(new);
    let carries = available > 0 && carries;
    if carries {
        leave(pass, strategy);
    }
    let goes = carries && !defect!(NeverBack);
    if goes || defect!(BackBlindly) {
        services::switch(pass, &strategy.active_service, stable.hash());
    }
}

/// A Service without a hash reaches all versions: the strategy was another one, or somebody has taken the hash out. It
/// is narrowed to the stable version as soon as that is all there.
fn take_up(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy) {
    let stable = pass.stable.filter(|stable| !pass.is_new(stable) && stable.replicas > 0);
    if let Some(stable) = stable.filter(|stable| pass.world.available(stable) >= pass.replicas) {
        services::switch(pass, &strategy.active_service, stable.hash());
    }
}

fn conclude(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy, restarted_at: Option<Time>) -> RolloutStatus {
    let mut base = status::base(pass);
    base.restarted_at = restarted_at.or(base.restarted_at);
    analysis::record_blue_green(pass, &mut base);
    if status::has_changed(pass) {
        status::reset(pass, &mut base);
        return pass.conclude(base);
    }
    if pass.old.promote_full {
        pass.pause.clear();
        pass.pause.remove_abort();
    }
    let reason = promotion::reason(pass, &base);
    let is_update = !base.stable_rs.is_empty() && base.stable_rs != base.current_pod_hash;
    if let Some(reason) =
        reason.filter(|_| !is_update || targets::are_registered(pass, &strategy.active_service))
    {
        if is_update {
            services::confirm(pass, &strategy.active_service);
        }
        promotion::promote(pass, &mut base, &reason);
        return pass.conclude(base);
    }
    canary::abort_at_deadline(pass, &base);
    let scaled_up = strategy.preview_replica_count.is_some()
        && (checkpoint(pass)
            || (!pass.is_halted()
                && analysis::pre_promotion_is_done(pass, strategy)
                && pause_is_over(pass, strategy)
                && is_ready(pass, strategy)));
    if let Some(blue_green) = &mut base.blue_green {
        blue_green.scale_up_preview_check_point = scaled_up && !pass.is_aborted();
    }
    pass.conclude(base)
}
