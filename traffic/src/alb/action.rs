//! What an action annotation says: to which Services requests are forwarded, in which proportion.

use super::json::{self, field};
use planner::traffic::Split;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The largest weight of a target group that AWS takes.
pub(super) const MOST_WEIGHT: i64 = 999;
/// The weight of a target group that states none, as AWS has it.
const UNSTATED_WEIGHT: i64 = 1;
/// The one type of action that divides traffic.
const FORWARD: &str = "forward";

/// An action that forwards. The fields stand in the order in which Argo Rollouts writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Action {
    #[serde(rename = "Type")]
    kind: &'static str,
    forward_config: ForwardConfig,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ForwardConfig {
    target_groups: Vec<Group>,
    #[serde(rename = "TargetGroupStickinessConfig", skip_serializing_if = "Option::is_none")]
    sticky: Option<Sticky>,
}

/// Who gets a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Group {
    /// The Service.
    pub(super) service_name: String,
    /// Its port, by number or name.
    pub(super) service_port: String,
    /// Its part.
    pub(super) weight: i64,
}

/// Sessions that stick to a target group. There is none where they do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sticky {
    /// Always true.
    pub(super) enabled: bool,
    /// For how long.
    pub(super) duration_seconds: i64,
}

impl Action {
    /// An action that forwards to these.
    pub(super) fn new(target_groups: Vec<Group>, sticky: Option<Sticky>) -> Self {
        Self { kind: FORWARD, forward_config: ForwardConfig { target_groups, sticky } }
    }

    /// What an annotation says, if it forwards to target groups that AWS would take.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let action: Value = serde_json::from_str(text).ok()?;
        let config = field(&action, "ForwardConfig")?;
        let groups = field(config, "TargetGroups")?.as_array()?;
        let groups = groups.iter().map(group).collect::<Option<Vec<_>>>()?;
        let forwards = field(&action, "Type")?.as_str() == Some(FORWARD);
        let sticky = field(config, "TargetGroupStickinessConfig").and_then(sticky);
        forwards.then(|| Self::new(groups, sticky))
    }

    /// The annotation.
    pub(super) fn text(&self) -> String {
        json::text(self)
    }

    /// Those who get a part.
    pub(super) fn groups(&self) -> &[Group] {
        &self.forward_config.target_groups
    }

    /// How sessions stick.
    pub(super) fn sticky(&self) -> Option<&Sticky> {
        self.forward_config.sticky.as_ref()
    }

    /// How traffic is divided between two Services and all others.
    pub(super) fn split(&self, canary: &str, stable: &str) -> Split {
        let mut split = Split::default();
        for Group { service_name, weight, .. } in self.groups() {
            let sum = match service_name.as_str() {
                name if name == canary => &mut split.canary,
                name if name == stable => &mut split.stable,
                name => split.additional.entry(name.to_owned()).or_default(),
            };
            *sum = sum.saturating_add(*weight);
        }
        split
    }

    /// Whether both say the same: the same target groups in the same proportion, and sessions that stick alike. A group
    /// with weight 0 counts: the load balancer's controller prepares a target group only for a Service that is named.
    pub(super) fn means(&self, other: &Self) -> bool {
        let (own, others) = (self.by_port(), other.by_port());
        let sum = |parts: &BTreeMap<_, i64>| parts.values().map(|part| i128::from(*part)).sum::<i128>();
        let (own_sum, others_sum) = (sum(&own), sum(&others));
        let like = |(a, b): (&i64, &i64)| i128::from(*a) * others_sum == i128::from(*b) * own_sum;
        self.sticky() == other.sticky()
            && own.keys().eq(others.keys())
            && (own_sum > 0) == (others_sum > 0)
            && own.values().zip(others.values()).all(like)
    }

    fn by_port(&self) -> BTreeMap<(&str, &str), i64> {
        let mut parts = BTreeMap::new();
        for Group { service_name, service_port, weight } in self.groups() {
            let sum: &mut i64 = parts.entry((service_name.as_str(), service_port.as_str())).or_default();
            *sum = sum.saturating_add(*weight);
        }
        parts
    }
}

fn group(group: &Value) -> Option<Group> {
    let text = |name| match field(group, name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let weight = field(group, "Weight").map_or(Some(UNSTATED_WEIGHT), Value::as_i64);
    let weight = weight.filter(|weight| (0..=MOST_WEIGHT).contains(weight))?;
    // A target group that is no Service goes by its ARN: it is somebody else's.
    let service_name =
        Some(text("ServiceName")).filter(|name| !name.is_empty()).unwrap_or_else(|| text("TargetGroupARN"));
    Some(Group { service_name, service_port: text("ServicePort"), weight })
}

fn sticky(config: &Value) -> Option<Sticky> {
    let enabled = field(config, "Enabled")?.as_bool()?;
    let duration_seconds = field(config, "DurationSeconds").and_then(Value::as_i64).unwrap_or(0);
    enabled.then_some(Sticky { enabled, duration_seconds })
}
