//! The objects of the stories.

use crate::Plane;
use serde_json::{Value, json};

/// A version of the web server, and how it behaves.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    /// Its name.
    pub version: &'a str,
    /// Every Nth request fails; 0 for none.
    pub error_every: u32,
    /// Whether its pods ever get ready.
    pub ready: bool,
}

impl<'a> Release<'a> {
    /// One that works.
    #[must_use]
    pub const fn good(version: &'a str) -> Self {
        Self { version, error_every: 0, ready: true }
    }
}

/// A Rollout named `name` of `replicas` pods of a release; what `spec` has is added to its spec.
#[must_use]
pub fn rollout(name: &str, image: &str, release: Release<'_>, replicas: u32, spec: Value) -> Value {
    let ready = if release.ready { "auto" } else { "never" };
    let mut whole = json!({
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}, "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}},
            "spec": {
                "terminationGracePeriodSeconds": 10,
                "containers": [{
                    "name": "web",
                    "image": image,
                    "env": [
                        {"name": "VERSION", "value": release.version},
                        {"name": "ERROR_EVERY", "value": release.error_every.to_string()},
                        {"name": "READY", "value": ready},
                        // Longer than it takes the node to learn that the pod goes.
                        {"name": "SHUTDOWN_GRACE_SECONDS", "value": "5"},
                    ],
                    "ports": [{"containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
                }],
            },
        },
    });
    if let (Some(whole), Value::Object(more)) = (whole.as_object_mut(), spec) {
        whole.extend(more);
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name},
        "spec": whole,
    })
}

/// A Service in front of the pods of an app.
#[must_use]
pub fn service(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
}

/// An AnalysisTemplate of one metric.
#[must_use]
pub(crate) fn template(name: &str, args: &Value, metric: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": name},
        "spec": {"args": args, "metrics": [metric]},
    })
}

/// An AnalysisTemplate `errors` that asks Prometheus three times for the share of failed requests of one revision of
/// an app, and lets less than 2% pass. Its argument is `hash`.
#[must_use]
pub fn analysis_by_errors(prometheus: &str, app: &str) -> Value {
    let requests = |code: &str| {
        format!(r#"sum(rate(http_requests_total{{app="{app}",hash="{{{{args.hash}}}}"{code}}}[5s]))"#)
    };
    // Without a failed request there is no series of failed ones: that is zero, not missing.
    let query = format!("({} or vector(0)) / {}", requests(r#",code=~"5..""#), requests(""));
    template(
        "errors",
        &json!([{"name": "hash"}]),
        &json!({
            "name": "error-rate",
            "initialDelay": "8s",
            "interval": "2s",
            "count": 3,
            "successCondition": "result[0] < 0.02",
            "provider": {"prometheus": {"address": prometheus, "query": query}},
        }),
    )
}

/// An analysis step with a template that takes the hash of the version that is let through.
#[must_use]
pub(crate) fn analysis_of_latest(template: &str) -> Value {
    json!({
        "templates": [{"templateName": template}],
        "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
    })
}

/// What a Rollout behind a route says besides: how long it waits for the data plane, and how long its pods serve on.
#[must_use]
pub(crate) fn behind(plane: &Plane, mut rollout: Value) -> Value {
    let linger = plane.linger.as_secs();
    let settle = format!("{}s", plane.settle.as_secs());
    if let Some(metadata) = rollout.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("annotations".to_owned(), json!({"stepgate.dev/traffic-settle": settle}));
    }
    let pods = rollout.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut);
    let Some(pods) = pods else { return rollout };
    pods.insert("terminationGracePeriodSeconds".to_owned(), json!(linger.saturating_add(20)));
    let variables = pods.get_mut("containers").and_then(|all| all.pointer_mut("/0/env"));
    for variable in variables.and_then(Value::as_array_mut).into_iter().flatten() {
        if variable.get("name") == Some(&json!("SHUTDOWN_GRACE_SECONDS"))
            && let Some(variable) = variable.as_object_mut()
        {
            variable.insert("value".to_owned(), json!(linger.to_string()));
        }
    }
    rollout
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::time::Duration;

    #[test]
    fn pods_behind_a_plane_serve_on() {
        let plane = Plane {
            class: "late".to_owned(),
            port: 1,
            settle: Duration::from_secs(35),
            linger: Duration::from_secs(40),
        };
        let web = behind(&plane, rollout("web", "i", Release::good("v1"), 1, json!({})));
        assert_eq!(web.pointer("/metadata/annotations/stepgate.dev~1traffic-settle"), Some(&json!("35s")));
        let pods = web.pointer("/spec/template/spec").unwrap();
        assert_eq!(pods.pointer("/terminationGracePeriodSeconds"), Some(&json!(60)));
        assert!(pods.to_string().contains(r#"{"name":"SHUTDOWN_GRACE_SECONDS","value":"40"}"#), "{pods}");
    }
}
