//! What the API has and this version does not carry out yet. Nothing is ignored in silence: who asks for it is told.
//! `[validation.not-built]`

use super::{Invalid, InvalidKind};
use crate::analysis::Metric;
use crate::analysis::provider::MetricProvider;
use crate::rollout::RolloutSpec;
use crate::rollout::canary::{CanaryStep, CanaryStrategy};
use crate::rollout::traffic::RolloutTrafficRouting;

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
    Canary(fn(&CanaryStrategy) -> bool),
    Router(fn(&RolloutTrafficRouting) -> bool),
    Step(fn(&CanaryStep) -> bool),
}

const ROUTER: &str = "without trafficRouting, setWeight is reached by numbers of pods";
const STEP: &str = "take the step out; setWeight, pause and analysis work";

/// The first field of the Rollout that is not built yet.
#[must_use]
pub fn not_built(rollout: &crate::Rollout) -> Option<Invalid> {
    TABLE.iter().find_map(|entry| {
        let path = entry.find(&rollout.spec)?;
        let why = format!("not supported by this version of Stepgate yet: {}", entry.reason);
        Some(Invalid::forbidden(path, &why).of_kind(InvalidKind::NotBuilt))
    })
}

impl NotBuilt {
    /// Path of the first place where the field is used.
    fn find(&self, spec: &RolloutSpec) -> Option<String> {
        let strategy = spec.strategy.as_ref();
        let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
        let used = match self.is_used {
            IsUsed::Canary(is_used) => canary.is_some_and(is_used),
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
    Router "spec.strategy.canary.trafficRouting.istio", |r| r.istio.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.nginx", |r| r.nginx.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.alb", |r| r.alb.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.smi", |r| r.smi.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.ambassador", |r| r.ambassador.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.appMesh", |r| r.app_mesh.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.traefik", |r| r.traefik.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.apisix", |r| r.apisix.is_some(), ROUTER;
    Router "spec.strategy.canary.trafficRouting.plugins", |r| r.plugins.is_some(), ROUTER;
    Canary "spec.strategy.canary.trafficRouting", |c| c.traffic_routing.is_some(), ROUTER;
    Canary "spec.strategy.canary.pingPong", |c| c.ping_pong.is_some(), "use canaryService and stableService";
    Canary "spec.strategy.canary.dynamicStableScale", |c| c.dynamic_stable_scale == Some(true), "it needs a router";
    Step "spec.strategy.canary.steps[].experiment", |s| s.experiment.is_some(), STEP;
    Step "spec.strategy.canary.steps[].setCanaryScale", |s| s.set_canary_scale.is_some(), STEP;
    Step "spec.strategy.canary.steps[].setHeaderRoute", |s| s.set_header_route.is_some(), STEP;
    Step "spec.strategy.canary.steps[].setMirrorRoute", |s| s.set_mirror_route.is_some(), STEP;
    Step "spec.strategy.canary.steps[].plugin", |s| s.plugin.is_some(), STEP;
};

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
