//! Steps that make managed routes.

use super::Invalid;
use crate::rollout::canary::{CanaryStep, SetHeaderRoute, SetMirrorRoute, StringMatch};
use crate::rollout::traffic::RolloutTrafficRouting;

/// `setHeaderRoute` and `setMirrorRoute` of one step.
pub(super) fn check(
    path: &str,
    step: &CanaryStep,
    routing: Option<&RolloutTrafficRouting>,
) -> Result<(), Invalid> {
    if let Some(route) = &step.set_header_route {
        let path = format!("{path}.setHeaderRoute");
        header_route(&path, route, routing)?;
        managed(&path, route.name.as_deref().unwrap_or_default(), routing)?;
    }
    if let Some(route) = &step.set_mirror_route {
        let path = format!("{path}.setMirrorRoute");
        mirror_route(&path, route, routing)?;
        managed(&path, &route.name, routing)?;
    }
    Ok(())
}

fn header_route(
    path: &str,
    route: &SetHeaderRoute,
    routing: Option<&RolloutTrafficRouting>,
) -> Result<(), Invalid> {
    let able = |r: &RolloutTrafficRouting| {
        r.istio.is_some()
            || r.alb.is_some()
            || r.apisix.is_some()
            || r.plugins.is_some()
            || r.gateway_api.is_some()
    };
    let Some(routing) = routing.filter(|routing| able(routing)) else {
        let why = "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix";
        return Err(Invalid::value(path, route, why));
    };
    for (index, header) in route.matches.iter().flatten().enumerate() {
        let (path, value) = (format!("{path}.match[{index}]"), &header.header_value);
        if routing.alb.is_none() {
            one_way(&path, value)?;
        } else if value.exact.is_none() || value.prefix.is_some() || value.regex.is_some() {
            let why = "SetHeaderRoute match value invalid. ALB supports 'exact' value only";
            return Err(Invalid::value(path, value, why));
        }
    }
    Ok(())
}

fn mirror_route(
    path: &str,
    route: &SetMirrorRoute,
    routing: Option<&RolloutTrafficRouting>,
) -> Result<(), Invalid> {
    let able =
        |r: &RolloutTrafficRouting| r.istio.is_some() || r.plugins.is_some() || r.gateway_api.is_some();
    if !routing.is_some_and(able) {
        let why = "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins";
        return Err(Invalid::value(path, route, why));
    }
    for (index, request) in route.matches.iter().flatten().enumerate() {
        // PARITY: the headers of a mirrored request are not checked.
        for value in [&request.method, &request.path].into_iter().flatten() {
            one_way(&format!("{path}.match[{index}]"), value)?;
        }
    }
    Ok(())
}

/// Exactly one of the three ways to match text.
fn one_way(path: &str, value: &StringMatch) -> Result<(), Invalid> {
    let ways = [&value.exact, &value.regex, &value.prefix].into_iter().flatten().count();
    match ways {
        1 => Ok(()),
        0 => {
            let why =
                "StringMatch value missed, match value must have one of the following: exact, regex, prefix";
            Err(Invalid::value(path, value, why))
        }
        _ => {
            let why = "StringMatch match value must have exactly one of the following: exact, regex, prefix";
            Err(Invalid::value(path, value, why))
        }
    }
}

/// The route has to be listed, because the list gives its precedence.
fn managed(path: &str, name: &str, routing: Option<&RolloutTrafficRouting>) -> Result<(), Invalid> {
    let listed = routing.and_then(|routing| routing.managed_routes.as_deref()).unwrap_or_default();
    if listed.is_empty() {
        let why = "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'";
        return Err(Invalid::required("spec.strategy.trafficRouting.managedRoutes", why));
    }
    if listed.iter().any(|route| route.name == name) {
        return Ok(());
    }
    let why = "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes";
    Err(Invalid::value(path, &name, why))
}
