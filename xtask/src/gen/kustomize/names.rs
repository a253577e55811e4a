//! Which fields name other objects. A field is told by the end of its path, so that each place of the same type is
//! found, also one that comes later.

use crds::rollout::traffic::GATEWAY_API_PLUGIN;

/// A kind that can be named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The kind.
    pub(super) kind: &'static str,
    /// Its group; empty for whatever group.
    pub(super) group: &'static str,
    /// Its version; empty for whatever version.
    pub(super) version: &'static str,
    /// Ends of the paths that name it.
    pub(super) ends: &'static [&'static str],
}

const fn target(
    kind: &'static str,
    (group, version): (&'static str, &'static str),
    ends: &'static [&'static str],
) -> Target {
    Target { kind, group, version, ends }
}

const OURS: &str = "argoproj.io";
const ISTIO: &str = "networking.istio.io";
const APP_MESH: &str = "appmesh.k8s.aws";

/// What fields of our kinds name. Groups and versions are those by which kustomize itself looks for the built-in kinds:
/// its own list and this one become one.
pub(super) const TARGETS: [Target; 21] = [
    target("ConfigMap", ("", "v1"), &["configMap/name", "configMapKeyRef/name", "configMapRef/name"]),
    target(
        "Secret",
        ("", "v1"),
        &[
            "secretKeyRef/name",
            "secretRef/name",
            "secret/name",
            "secret/secretName",
            "imagePullSecrets/name",
            "nodePublishSecretRef/name",
            "azureFile/secretName",
            "newRelic/profile",
            "influxdb/profile",
        ],
    ),
    target(
        "ServiceAccount",
        ("", "v1"),
        &["template/spec/serviceAccountName", "template/spec/serviceAccount"],
    ),
    target("PersistentVolumeClaim", ("", "v1"), &["persistentVolumeClaim/claimName"]),
    target("PriorityClass", ("scheduling.k8s.io", "v1"), &["template/spec/priorityClassName"]),
    target(
        "Service",
        ("", "v1"),
        &[
            "canary/canaryService",
            "canary/stableService",
            "blueGreen/activeService",
            "blueGreen/previewService",
            "pingPong/pingService",
            "pingPong/pongService",
            "alb/rootService",
            "smi/rootService",
            "templates/service/name",
        ],
    ),
    target("AnalysisTemplate", (OURS, ""), &["templateName"]),
    target("ClusterAnalysisTemplate", (OURS, ""), &["templateName"]),
    target("Deployment", ("apps", "v1"), &["workloadRef/name"]),
    target("ReplicaSet", ("apps", "v1"), &["workloadRef/name"]),
    target("PodTemplate", ("", "v1"), &["workloadRef/name"]),
    target("VirtualService", (ISTIO, ""), &["istio/virtualService/name", "istio/virtualServices/name"]),
    target("DestinationRule", (ISTIO, ""), &["istio/destinationRule/name"]),
    target(
        "Ingress",
        ("", ""),
        &["alb/ingress", "alb/ingresses", "nginx/stableIngress", "nginx/stableIngresses"],
    ),
    target("TraefikService", ("", ""), &["traefik/weightedTraefikServiceName"]),
    target("Mapping", ("getambassador.io", ""), &["ambassador/mappings"]),
    target("TrafficSplit", ("split.smi-spec.io", ""), &["smi/trafficSplitName"]),
    target("VirtualService", (APP_MESH, ""), &["appMesh/virtualService/name"]),
    target("VirtualNode", (APP_MESH, ""), &["canaryVirtualNodeRef/name", "stableVirtualNodeRef/name"]),
    target("ApisixRoute", ("apisix.apache.org", ""), &["apisix/route/name"]),
    // Named by objects of others alone: see `ELSEWHERE`.
    target("Rollout", ("", ""), &[]),
];

/// A kind of others, the kind that it names, and the path.
pub(super) const ELSEWHERE: [(&str, &str, &str); 18] = [
    ("HorizontalPodAutoscaler", "Rollout", "spec/scaleTargetRef/name"),
    ("ScaledObject", "Rollout", "spec/scaleTargetRef/name"),
    ("VerticalPodAutoscaler", "Rollout", "spec/targetRef/name"),
    // Backends are looked for by the names that the Rollout has for its Services: both must be renamed.
    ("HTTPRoute", "Service", "spec/rules/backendRefs/name"),
    ("HTTPRoute", "Service", "spec/rules/filters/requestMirror/backendRef/name"),
    ("GRPCRoute", "Service", "spec/rules/backendRefs/name"),
    ("GRPCRoute", "Service", "spec/rules/filters/requestMirror/backendRef/name"),
    ("TCPRoute", "Service", "spec/rules/backendRefs/name"),
    ("TLSRoute", "Service", "spec/rules/backendRefs/name"),
    ("VirtualService", "Service", "spec/http/route/destination/host"),
    ("VirtualService", "Service", "spec/http/mirror/host"),
    ("VirtualService", "Service", "spec/http/mirrors/destination/host"),
    ("VirtualService", "Service", "spec/tls/route/destination/host"),
    ("VirtualService", "Service", "spec/tcp/route/destination/host"),
    ("DestinationRule", "Service", "spec/host"),
    ("TraefikService", "Service", "spec/weighted/services/name"),
    ("TraefikService", "Service", "spec/mirroring/name"),
    ("TraefikService", "Service", "spec/mirroring/mirrors/name"),
];

/// Where the Gateway API is configured. The schema leaves it open: the router says which keys it reads.
pub(super) fn gateways() -> [String; 2] {
    let routing = "spec/strategy/canary/trafficRouting";
    // A `/` in the name of a field, not between two.
    let plugin = GATEWAY_API_PLUGIN.replace('/', "\\/");
    [format!("{routing}/gatewayAPI"), format!("{routing}/plugins/{plugin}")]
}

/// Places in pod templates where `$(NAME)` is replaced by the value of a kustomize variable.
pub(super) const VARIABLES: [&str; 10] = [
    "containers/args",
    "containers/command",
    "containers/env/value",
    "containers/volumeMounts/mountPath",
    "initContainers/args",
    "initContainers/command",
    "initContainers/env/value",
    "initContainers/volumeMounts/mountPath",
    "volumes/nfs/server",
    "template/metadata/annotations",
];

/// Selectors in pod templates that mean the template's own pods, and get its labels where they are there.
pub(super) const SELECTORS: [&str; 3] = [
    "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];
