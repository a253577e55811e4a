//! Gauges about objects, made from the caches when asked for: nothing of a deleted object stays behind.

use super::families::{
    ROLLOUT_AVAILABLE, ROLLOUT_DESIRED, ROLLOUT_INFO, ROLLOUT_PHASE, ROLLOUT_UNAVAILABLE, ROLLOUT_UPDATED,
    RUN_INFO, RUN_METRIC_PHASE, RUN_METRIC_TYPE, RUN_PHASE, TEMPLATE_INFO, TEMPLATE_METRIC_INFO,
};
use super::text::{Family, Page};
use crate::cache::Caches;
use crds::analysis::{AnalysisPhase, AnalysisTemplateSpec, Metric};
use crds::{AnalysisRun, Rollout};
use kube::ResourceExt;
use std::sync::Arc;

/// Phases of a Rollout as these metrics name them.
const PHASES: [&str; 7] = ["InvalidSpec", "Completed", "Progressing", "Paused", "Timeout", "Error", "Abort"];

/// Phases of AnalysisRuns and their metrics.
const RUN_PHASES: [AnalysisPhase; 6] = [
    AnalysisPhase::Pending,
    AnalysisPhase::Error,
    AnalysisPhase::Failed,
    AnalysisPhase::Successful,
    AnalysisPhase::Running,
    AnalysisPhase::Inconclusive,
];

pub(crate) fn show(page: &mut Page, caches: &Caches) {
    rollouts(page, &caches.rollouts.all());
    runs(page, &caches.runs.all());
    let near = caches.templates.all();
    let near = near.iter().map(|one| (one.namespace().unwrap_or_default(), one.name_any(), &one.spec));
    let everywhere = caches.cluster_templates.all();
    let everywhere = everywhere.iter().map(|one| (String::new(), one.name_any(), &one.spec));
    templates(page, &near.chain(everywhere).collect::<Vec<_>>());
}

fn id<K: kube::Resource>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn rollouts(page: &mut Page, all: &[Arc<Rollout>]) {
    for rollout in all {
        let (namespace, name) = id(rollout.as_ref());
        let (strategy, router) = strategy(rollout);
        page.add(&ROLLOUT_INFO, &[&namespace, &name, strategy, router, phase(rollout)], 1);
    }
    type Gauge = (&'static Family, fn(&Rollout) -> i32);
    let gauges: [Gauge; 4] = [
        (&ROLLOUT_AVAILABLE, |r| r.status.as_ref().map_or(0, |s| s.available_replicas)),
        (&ROLLOUT_UNAVAILABLE, |r| {
            r.status.as_ref().map_or(0, |s| s.replicas.saturating_sub(s.available_replicas))
        }),
        (&ROLLOUT_DESIRED, crds::defaults::replicas),
        (&ROLLOUT_UPDATED, |r| r.status.as_ref().map_or(0, |s| s.updated_replicas)),
    ];
    for (family, value) in gauges {
        for rollout in all {
            let (namespace, name) = id(rollout.as_ref());
            page.add(family, &[&namespace, &name], value(rollout));
        }
    }
    for rollout in all {
        let ((namespace, name), (strategy, _)) = (id(rollout.as_ref()), strategy(rollout));
        let now = phase(rollout);
        for phase in PHASES {
            page.add(&ROLLOUT_PHASE, &[&namespace, &name, strategy, phase], u8::from(phase == now));
        }
    }
}

/// The strategy, and the router of a canary by the names that these metrics have for some of them.
fn strategy(rollout: &Rollout) -> (&'static str, &'static str) {
    let Some(strategy) = &rollout.spec.strategy else { return ("none", "") };
    if strategy.blue_green.is_some() {
        return ("blueGreen", "");
    }
    let Some(canary) = &strategy.canary else { return ("none", "") };
    let Some(routing) = &canary.traffic_routing else { return ("canary", "") };
    let routers = [
        (routing.alb.is_some(), "ALB"),
        (routing.ambassador.is_some(), "Ambassador"),
        (routing.istio.is_some(), "Istio"),
        (routing.nginx.is_some(), "Nginx"),
        (routing.smi.is_some(), "SMI"),
        (routing.app_mesh.is_some(), "AppMesh"),
    ];
    ("canary", routers.into_iter().find_map(|(set, name)| set.then_some(name)).unwrap_or(""))
}

/// The phase as these metrics name it: by the conditions, not by `status.phase`.
fn phase(rollout: &Rollout) -> &'static str {
    let conditions = rollout.status.as_ref().and_then(|status| status.conditions.as_deref());
    let conditions = conditions.unwrap_or_default();
    if conditions.iter().any(|condition| condition.kind == "InvalidSpec") {
        return "InvalidSpec";
    }
    let progressing = conditions.iter().find(|condition| condition.kind == "Progressing");
    match progressing.map_or("", |condition| condition.reason.as_str()) {
        "NewReplicaSetAvailable" => "Completed",
        "RolloutPaused" => "Paused",
        "ReplicaSetCreateError" => "Error",
        "ProgressDeadlineExceeded" => "Timeout",
        "RolloutAborted" => "Abort",
        _ => "Progressing",
    }
}

fn runs(page: &mut Page, all: &[Arc<AnalysisRun>]) {
    let of = |run: &AnalysisRun| run.status.as_ref().map_or(AnalysisPhase::New, |status| status.phase);
    for run in all {
        let (namespace, name) = id(run.as_ref());
        page.add(&RUN_INFO, &[&namespace, &name, of(run).as_str()], 1);
    }
    for run in all {
        let ((namespace, name), now) = (id(run.as_ref()), begun(of(run)));
        for phase in RUN_PHASES {
            page.add(&RUN_PHASE, &[&namespace, &name, phase.as_str()], u8::from(phase == now));
        }
    }
    for run in all {
        let (namespace, name) = id(run.as_ref());
        for metric in &run.spec.metrics {
            page.add(&RUN_METRIC_TYPE, &[&namespace, &name, &metric.name, provider(metric)], 1);
        }
    }
    for run in all {
        let (namespace, name) = id(run.as_ref());
        let results = run.status.as_ref().and_then(|status| status.metric_results.as_deref());
        for metric in &run.spec.metrics {
            let result = results.unwrap_or_default().iter().find(|result| result.name == metric.name);
            let now = begun(result.map_or(AnalysisPhase::New, |result| result.phase));
            let dry = if result.is_some_and(|result| result.dry_run) { "true" } else { "false" };
            for phase in RUN_PHASES {
                let values = [&namespace, &name, &metric.name, provider(metric), dry, phase.as_str()];
                page.add(&RUN_METRIC_PHASE, &values, u8::from(phase == now));
            }
        }
    }
}

/// What nobody has looked at yet counts as waiting.
fn begun(phase: AnalysisPhase) -> AnalysisPhase {
    if phase == AnalysisPhase::New { AnalysisPhase::Pending } else { phase }
}

fn templates(page: &mut Page, all: &[(String, String, &AnalysisTemplateSpec)]) {
    for (namespace, name, _) in all {
        page.add(&TEMPLATE_INFO, &[namespace, name], 1);
    }
    for (namespace, name, spec) in all {
        for metric in spec.metrics.iter().flatten() {
            page.add(&TEMPLATE_METRIC_INFO, &[namespace, name, provider(metric), &metric.name], 1);
        }
    }
}

/// The provider that a metric asks, as these metrics name it.
fn provider(metric: &Metric) -> &str {
    let provider = &metric.provider;
    let known = [
        (provider.prometheus.is_some(), "Prometheus"),
        (provider.job.is_some(), "Job"),
        (provider.kayenta.is_some(), "Kayenta"),
        (provider.web.is_some(), "WebMetric"),
        (provider.datadog.is_some(), "Datadog"),
        (provider.new_relic.is_some(), "NewRelic"),
        (provider.wavefront.is_some(), "Wavefront"),
        (provider.cloud_watch.is_some(), "CloudWatch"),
        (provider.graphite.is_some(), "Graphite"),
        (provider.influxdb.is_some(), "Influxdb"),
        (provider.skywalking.is_some(), "SkyWalking"),
    ];
    let plugin = || provider.plugin.as_ref().and_then(|plugins| plugins.keys().next()).map(String::as_str);
    let known = known.into_iter().find_map(|(set, name)| set.then_some(name));
    known.or_else(plugin).unwrap_or("Unknown Provider")
}
