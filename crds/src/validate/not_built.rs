//! What the API has and this version does not carry out yet. Nothing is ignored in silence: who asks for it is told.
//! `[validation.not-built]`

use super::{Invalid, InvalidKind};
use crate::analysis::Metric;
use crate::analysis::provider::MetricProvider;
use crate::rollout::RolloutSpec;
use crate::rollout::canary::CanaryStep;
use crate::rollout::traffic::{GATEWAY_API_PLUGIN, RolloutTrafficRouting};

/// A field whose behaviour is missing.
pub(super) struct NotBuilt {
    /// Its path; `[]` stands for any element of a list.
    pub(super) path: &'static str,
    /// Whether the Rollout uses it.
    is_used: IsUsed,
    /// What people should know or do.
    reason: &'static str,
}

/// How a field is found.
enum IsUsed {
    Router(fn(&RolloutTrafficRouting) -> bool),
    Step(fn(&CanaryStep) -> bool),
}

const ROUTING: &str = "spec.strategy.canary.trafficRouting";
const ROUTER: &str = "istio, nginx, alb, traefik and gatewayAPI are";
const STEP: &str = "take the step out; setWeight, pause and analysis work";

/// The first field of the Rollout that is not built yet.
#[must_use]
pub fn not_built(rollout: &crate::Rollout) -> Option<Invalid> {
    let listed = || {
        TABLE.iter().find_map(|entry| {
            let path = entry.find(&rollout.spec)?;
            let why = format!("not supported by this version of Stepgate yet: {}", entry.reason);
            Some(Invalid::forbidden(path, &why).of_kind(InvalidKind::NotBuilt))
        })
    };
    unknown_router(&rollout.spec).or_else(listed)
}

/// A key of `trafficRouting` that no version of Stepgate up to this one has heard of.
fn unknown_router(spec: &RolloutSpec) -> Option<Invalid> {
    let routing = spec.strategy.as_ref()?.canary.as_ref()?.traffic_routing.as_ref()?;
    let key = routing.unknown.keys().next()?;
    let why = format!("no router of this name is known to this version of Stepgate: {ROUTER}");
    let path = [ROUTING, key].join(".");
    Some(Invalid::forbidden(path, &why).of_kind(InvalidKind::NotBuilt))
}

impl NotBuilt {
    /// Path of the first place where the field is used.
    fn find(&self, spec: &RolloutSpec) -> Option<String> {
        let strategy = spec.strategy.as_ref();
        let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
        let used = match self.is_used {
            IsUsed::Router(is_used) => canary.and_then(|c| c.traffic_routing.as_ref()).is_some_and(is_used),
            IsUsed::Step(is_used) => {
                let index = canary?.steps.as_ref()?.iter().position(is_used)?;
                return Some(self.path.replace("[]", &format!("[{index}]")));
            }
        };
        used.then(|| self.path.to_owned())
    }
}

macro_rules! not_built {
    ($($place:ident $path:literal, $is_used:expr, $reason:expr;)*) => {
        &[$(NotBuilt { path: $path, is_used: IsUsed::$place($is_used), reason: $reason }),*]
    };
}

/// The one table. Whoever builds a field takes its line out.
#[rustfmt::skip]
pub(super) const TABLE: &[NotBuilt] = not_built! {
    Router "spec.strategy.canary.trafficRouting.smi", |r| r.smi.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.ambassador", |r| r.ambassador.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.appMesh", |r| r.app_mesh.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.apisix", |r| r.apisix.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.plugins", has_other_plugins, "argoproj-labs/gatewayAPI is the one that is built in";
    Router "spec.strategy.canary.trafficRouting", has_no_router, "it names no router that is known here";
    Step "spec.strategy.canary.steps[].experiment", |s| s.experiment.is_some(), STEP;
    Step "spec.strategy.canary.steps[].plugin", |s| s.plugin.is_some(), STEP;
};

fn has_other_plugins(routing: &RolloutTrafficRouting) -> bool {
    routing.plugins.iter().flatten().any(|(name, _)| name != GATEWAY_API_PLUGIN)
}

/// An empty `trafficRouting`, too: under CRDs that do not know a key, that is what is left of it, and traffic would be
/// split by nobody (argoproj/argo-rollouts#4569).
fn has_no_router(routing: &RolloutTrafficRouting) -> bool {
    let known = routing.istio.is_some()
        || routing.nginx.is_some()
        || routing.alb.is_some()
        || routing.traefik.is_some()
        || routing.gateway_api.is_some()
        || routing.plugins.as_ref().is_some_and(|plugins| !plugins.is_empty());
    !known
}

/// A provider, or a part of one, that is missing.
struct ProviderNotBuilt {
    /// Its path in the metric.
    path: &'static str,
    is_used: fn(&MetricProvider) -> bool,
}

macro_rules! providers_not_built {
    ($($path:literal, $is_used:expr;)*) => {
        &[$(ProviderNotBuilt { path: $path, is_used: $is_used }),*]
    };
}

const PROVIDERS: &[ProviderNotBuilt] = providers_not_built! {
    "provider.kayenta", |p| p.kayenta.is_some();
    "provider.datadog", |p| p.datadog.is_some();
    "provider.wavefront", |p| p.wavefront.is_some();
    "provider.newRelic", |p| p.new_relic.is_some();
    "provider.cloudWatch", |p| p.cloud_watch.is_some();
    "provider.graphite", |p| p.graphite.is_some();
    "provider.influxdb", |p| p.influxdb.is_some();
    "provider.skywalking", |p| p.skywalking.is_some();
    "provider.plugin", |p| p.plugin.is_some();
};

/// The first part of a metric that is not built yet; its path starts at the metric.
#[must_use]
pub fn not_built_metric(metric: &Metric) -> Option<Invalid> {
    let entry = PROVIDERS.iter().find(|entry| (entry.is_used)(&metric.provider))?;
    let why = "not supported by this version of Stepgate yet: prometheus, web and job are";
    Some(Invalid::forbidden(entry.path, why).of_kind(InvalidKind::NotBuilt))
}
