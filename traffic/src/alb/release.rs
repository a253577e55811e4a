//! What is left on an Ingress by Rollouts that do not use it any more.

use super::action::{Action, Group};
use super::ledger::{LEDGER, Ledger, OLD_LEDGER};
use super::{ACTIONS, ALL, CONDITIONS, ingress};
use crate::Problem;
use serde_json::Value;
use std::collections::BTreeSet;

/// The Ingress as it is to be once every Rollout that is not in `referring` has let it go; none where there is nothing
/// to do. Such a Rollout's action leads to the action's own Service alone, its header routes are taken out, and so is
/// its bookkeeping.
///
/// # Errors
/// When the bookkeeping cannot be read.
pub(crate) fn release(before: &Value, referring: &BTreeSet<String>) -> Result<Option<Value>, Problem> {
    let mut ledger = Ledger::of(before)?;
    let leaving = |rollout: &&str| !referring.contains(*rollout);
    let leavers: Vec<String> = ledger.rollouts().filter(leaving).map(str::to_owned).collect();
    if leavers.is_empty() {
        return Ok(None);
    }
    // DIFFERS: what a Rollout that stays has written too is left to it. In Argo Rollouts, it is reset behind its back,
    // such as when a Rollout is renamed.
    let stays = |key: &str| referring.iter().any(|rollout| ledger.keys(rollout).any(|its| its == key));
    let keys = leavers.iter().flat_map(|rollout| ledger.keys(rollout)).filter(|key| !stays(key));
    let keys: BTreeSet<String> = keys.map(str::to_owned).collect();
    let mut ingress = before.clone();
    let routes = keys.iter().filter_map(|key| key.split_once(CONDITIONS));
    let routes: BTreeSet<(&str, &str)> =
        routes.filter(|(prefix, name)| keys.contains(&format!("{prefix}{ACTIONS}{name}"))).collect();
    let actions = keys.iter().filter_map(|key| key.split_once(ACTIONS));
    for (prefix, service) in actions.filter(|action| !routes.contains(action)) {
        reset(&mut ingress, &format!("{prefix}{ACTIONS}{service}"), service);
    }
    for (prefix, name) in routes {
        remove(&mut ingress, prefix, name);
    }
    for rollout in leavers {
        ledger.forget(&rollout);
    }
    if let Some(annotations) = ingress::annotations_mut(&mut ingress) {
        // What is taken out leaves the order of the rest as it is.
        annotations.retain(|key, _| key != OLD_LEDGER && (key != LEDGER || !ledger.is_empty()));
        if !ledger.is_empty() {
            annotations.insert(LEDGER.to_owned(), Value::String(ledger.text()));
        }
    }
    Ok(Some(ingress))
}

/// The Rollouts that have written to the Ingress.
///
/// # Errors
/// When the bookkeeping cannot be read.
pub(crate) fn writers(ingress: &Value) -> Result<BTreeSet<String>, Problem> {
    Ok(Ledger::of(ingress)?.rollouts().map(str::to_owned).collect())
}

/// Leads an action to its own Service alone, on the port and with the stickiness that it has. One that does not forward
/// any more is somebody else's by now.
///
/// DIFFERS: an action with a root Service, which is not among those that it forwards to, takes their port. Argo
/// Rollouts finds no port there and leaves the weights as they are.
fn reset(ingress: &mut Value, key: &str, service: &str) {
    let Some(action) = ingress::annotation(ingress, key).and_then(Action::parse) else { return };
    let own = action.groups().iter().find(|group| group.service_name == service);
    let Some(group) = own.or_else(|| action.groups().first()) else { return };
    let only = Group { service_name: service.to_owned(), weight: ALL, ..group.clone() };
    let alone = Action::new(vec![only], action.sticky().cloned());
    if alone.means(&action) {
        return;
    }
    if let Some(annotations) = ingress::annotations_mut(ingress) {
        annotations.insert(key.to_owned(), Value::String(alone.text()));
    }
}

/// Takes a header route out.
///
/// DIFFERS: Argo Rollouts takes its name for a Service's, cannot reset it, and leaves the whole Ingress as it is.
fn remove(ingress: &mut Value, prefix: &str, name: &str) {
    if let Some(annotations) = ingress::annotations_mut(ingress) {
        let keys = [format!("{prefix}{ACTIONS}{name}"), format!("{prefix}{CONDITIONS}{name}")];
        annotations.retain(|key, _| !keys.contains(key));
    }
    for paths in ingress::rules_mut(ingress) {
        paths.retain(|path| ingress::action(path) != Some(name));
    }
}
