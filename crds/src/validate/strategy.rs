//! `spec.strategy`.
//!
//! PARITY: the paths leave out `canary` and `blueGreen`, as Argo Rollouts writes them; only what is wrong with a
//! reference has them.

use super::{Invalid, budget, steps};
use crate::rollout::blue_green::BlueGreenStrategy;
use crate::rollout::canary::{CanaryStrategy, PingPong};
use crate::rollout::spec::AntiAffinity;
use crate::rollout::traffic::RolloutTrafficRouting;
use crate::{Rollout, defaults};

const SERVICES_NEEDED: &str = "Canary service and Stable service must to be set to use Traffic Routing";
const PING_PONG_NEEDED: &str = "Ping service and Pong service must to be set to use Ping-Pong feature";

/// Exactly one strategy, and that one in itself.
pub(super) fn check(rollout: &Rollout) -> Result<(), Invalid> {
    let strategy = rollout.spec.strategy.as_ref();
    let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
    let blue_green = strategy.and_then(|strategy| strategy.blue_green.as_ref());
    let path = "spec.strategy.strategy";
    match (blue_green, canary) {
        (Some(_), Some(_)) => Err(Invalid::value(
            path,
            &"blueGreen: true canary: true",
            "Multiple Strategies can not be listed",
        )),
        (Some(blue_green), None) => self::blue_green(rollout, blue_green),
        (None, Some(canary)) => self::canary(canary),
        (None, None) => {
            let why = "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'";
            Err(Invalid::required(path, why))
        }
    }
}

fn blue_green(rollout: &Rollout, strategy: &BlueGreenStrategy) -> Result<(), Invalid> {
    let active = strategy.active_service.as_str();
    // Two empty names are equal too: an empty active Service is refused by this.
    if active == strategy.preview_service.as_deref().unwrap_or_default() {
        return Err(Invalid::value(
            "spec.strategy.activeService",
            &active,
            &same_services("active", "preview"),
        ));
    }
    if let Some(limit) = strategy.scale_down_delay_revision_limit
        && limit > defaults::revision_history_limit(rollout)
    {
        let why =
            "This rollout's revision history limit can not be smaller than the rollout's scale down limit";
        return Err(Invalid::value("spec.strategy.scaleDownDelayRevisionLimit", &limit, why));
    }
    anti_affinity(strategy.anti_affinity.as_ref())
}

fn same_services(one: &str, other: &str) -> String {
    format!(
        "This rollout uses the same service for the {one} and {other} services, but two different services are required."
    )
}

fn canary(canary: &CanaryStrategy) -> Result<(), Invalid> {
    budget::check(canary)?;
    let stable = canary.stable_service.as_deref().unwrap_or_default();
    let canary_service = canary.canary_service.as_deref().unwrap_or_default();
    if !canary_service.is_empty() && stable == canary_service {
        return Err(Invalid::value(
            "spec.strategy.stableService",
            &stable,
            &same_services("stable", "canary"),
        ));
    }
    if let Some(pair) = &canary.ping_pong {
        ping_pong(pair, canary.traffic_routing.as_ref())?;
    }
    if needs_services(canary) {
        for (field, service) in [("stableService", stable), ("canaryService", canary_service)] {
            if service.is_empty() {
                return Err(Invalid::value(format!("spec.strategy.{field}"), &"", SERVICES_NEEDED));
            }
        }
    }
    delays(canary)?;
    max_weight(canary.traffic_routing.as_ref())?;
    for (index, step) in canary.steps.iter().flatten().enumerate() {
        steps::check(&format!("spec.strategy.steps[{index}]"), step, canary.traffic_routing.as_ref())?;
    }
    anti_affinity(canary.anti_affinity.as_ref())
}

/// Routers that send traffic to two Services need their names. Istio does not with subsets, and neither ALB nor
/// Istio does with a ping-pong pair; plugins decide for themselves.
fn needs_services(canary: &CanaryStrategy) -> bool {
    let Some(routing) = &canary.traffic_routing else { return false };
    let hosts = routing.istio.as_ref().is_some_and(|istio| istio.destination_rule.is_none());
    let paired = canary.ping_pong.is_some();
    (!paired && (hosts || routing.alb.is_some()))
        || routing.smi.is_some()
        || routing.apisix.is_some()
        || routing.ambassador.is_some()
        || routing.nginx.is_some()
        || routing.app_mesh.is_some()
        || routing.traefik.is_some()
}

fn ping_pong(pair: &PingPong, routing: Option<&RolloutTrafficRouting>) -> Result<(), Invalid> {
    if let Some(routing) = routing
        && routing.alb.is_none()
        && routing.istio.is_none()
        && routing.plugins.is_none()
        && routing.gateway_api.is_none()
    {
        let why = "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only";
        return Err(Invalid::value("spec.strategy.trafficRouting.alb", &(), why));
    }
    for (field, service) in [("pingService", &pair.ping_service), ("pongService", &pair.pong_service)] {
        if service.is_empty() {
            return Err(Invalid::value(format!("spec.strategy.pingPong.{field}"), &"", PING_PONG_NEEDED));
        }
    }
    if pair.ping_service == pair.pong_service {
        let why = same_services("ping", "pong");
        return Err(Invalid::value("spec.strategy.pingPong.pingService", &pair.ping_service, &why));
    }
    let alb = routing.and_then(|routing| routing.alb.as_ref());
    if alb.is_some_and(|alb| alb.root_service.as_deref().unwrap_or_default().is_empty()) {
        let why =
            "Root service field is required for the configuration with ALB and ping-pong feature enabled";
        return Err(Invalid::value("spec.strategy.trafficRouting.alb.rootService", &"", why));
    }
    Ok(())
}

fn delays(canary: &CanaryStrategy) -> Result<(), Invalid> {
    let routed = canary.traffic_routing.is_some();
    let dynamic = canary.dynamic_stable_scale == Some(true);
    match canary.scale_down_delay_seconds {
        Some(seconds) if !routed => {
            let why = "Canary scaleDownDelaySeconds can only be used with traffic routing";
            Err(Invalid::value("spec.strategy.scaleDownDelaySeconds", &seconds, why))
        }
        _ if dynamic && !routed => {
            let why = "Canary dynamicStableScale can only be used with traffic routing";
            Err(Invalid::value("spec.strategy.dynamicStableScale", &true, why))
        }
        Some(_) if dynamic => {
            let why = "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds";
            Err(Invalid::value("spec.strategy.dynamicStableScale", &true, why))
        }
        _ => Ok(()),
    }
}

fn max_weight(routing: Option<&RolloutTrafficRouting>) -> Result<(), Invalid> {
    match routing {
        Some(RolloutTrafficRouting {
            max_traffic_weight: Some(weight),
            nginx: None,
            plugins: None,
            gateway_api: None,
            ..
        }) => {
            let why = "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins";
            Err(Invalid::value("spec.strategy.trafficRouting.maxTrafficWeight", weight, why))
        }
        _ => Ok(()),
    }
}

fn anti_affinity(affinity: Option<&AntiAffinity>) -> Result<(), Invalid> {
    let Some(affinity) = affinity else { return Ok(()) };
    let preferred = affinity.preferred_during_scheduling_ignored_during_execution.as_ref();
    let required = affinity.required_during_scheduling_ignored_during_execution.is_some();
    if preferred.is_some() == required {
        let value = format!(
            "antiAffinity.PreferredDuringSchedulingIgnoredDuringExecution: {} antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: {required}",
            preferred.is_some()
        );
        let why = "AntiAffinity must have exactly one strategy listed";
        return Err(Invalid::value("spec.strategy.antiAffinity", &value, why));
    }
    match preferred.map(|preferred| preferred.weight.unwrap_or(0)) {
        Some(weight) if !(1..=100).contains(&weight) => {
            let why = "AntiAffinity weight must be between 1-100";
            Err(Invalid::value("spec.strategy.antiAffinity.weight", &weight, why))
        }
        _ => Ok(()),
    }
}
