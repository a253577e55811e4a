//! What `kubectl` needs beyond the objects: discovery, OpenAPI and tables. Pure: the server calls it, and the
//! time is passed in.
//!
//! What plain kubectl 1.35 sends, watched on a real server, so that a server knows what it will be asked:
//!
//! | command | requests |
//! | --- | --- |
//! | any | `/api` and `/apis` in the aggregated form ([`discovery::answer`]), kept on disk for six hours for each host and port, read again when a name is not known |
//! | `get` | the object or the list (`limit=500`, `labelSelector`, `fieldSelector`), `Accept` a `Table` of `v1`, then of `v1beta1`, then JSON ([`tables::Form`]); `-o yaml` plain JSON; `--sort-by` adds `includeObject=Object` and has no limit; `all` is each resource of that category |
//! | `get -w` | as above, then `watch=true` from the list's `resourceVersion` with the same `Accept` ([`tables::event`]); for one name `fieldSelector=metadata.name=X&resourceVersion=0`, whose first event repeats the object |
//! | `describe` | the object twice (once as JSON, once by a typed client), then `events` with `fieldSelector` of `involvedObject.name`, `.namespace`, `.uid`, and `.kind` but for pods, in any order; Deployments: `replicasets` by selector; ReplicaSets: `pods` by selector; Services and Ingresses: `endpointslices` with `labelSelector=kubernetes.io/service-name=X`, without a limit; Namespaces: `resourcequotas`, `limitranges`; Nodes: `pods` with `spec.nodeName=X,status.phase!=Succeeded,status.phase!=Failed`, events twice (by uid, and with the name as uid), the node's Lease in `kube-node-lease`; HorizontalPodAutoscalers in `autoscaling/v2` |
//! | `apply` | `/openapi/v3` and the group's document, in which `fieldValidation` on the kind's `patch` makes it leave validation to the server; GET; when missing GET of the namespace and POST, else PATCH: strategic merge for built-in kinds, JSON merge for custom ones; `fieldManager=kubectl-client-side-apply&fieldValidation=Strict`, `dryRun=All` when asked |
//! | `apply --server-side` | PATCH `application/apply-patch+yaml` (`force=true` when asked); where the object was applied by a client before, then also one by the manager `kubectl-last-applied` and a JSON patch of `managedFields` |
//! | `diff` | as `apply` with `dryRun=All`, only when something differs |
//! | `create -f`, `replace`, `edit` | the documents as above; POST; GET and PUT with the `resourceVersion` read; GET and PATCH (strategic merge, JSON merge for custom kinds) |
//! | `create KIND`, `create token`, `autoscale`, `auth` | typed clients: bodies in protobuf, which they do not send again as JSON after 415 ([`protobuf`]) |
//! | `run`, `expose` | POST of JSON without `fieldValidation` |
//! | `drain`, `cordon` | strategic merge patch of the node, `pods` with `spec.nodeName=X`, POST of an Eviction in JSON, then GET of each pod until 404 |
//! | `label`, `annotate`, `scale` | GET, then a JSON merge patch of the object, or of `/scale` |
//! | `patch` | GET, then the patch as `--type` says; `--subresource=status` GET and PATCH there |
//! | `set image`, `rollout restart`, `pause`, `resume` | GET, then a strategic merge patch with `$setElementOrder/containers` |
//! | `rollout undo`, `history` | GET, `replicasets` by selector, undo a JSON patch of `/spec/template` and `/metadata/annotations` |
//! | `rollout status`, `wait --for=condition`, `--for=jsonpath` | GET, then a watch with `fieldSelector=metadata.name=X`, `allowWatchBookmarks`, `sendInitialEvents=true&resourceVersionMatch=NotOlderThan`: the initial events must end with the annotated bookmark; kubectl 1.32 lists with `resourceVersion=0` and then watches |
//! | `delete`, `wait --for=delete` | DELETE with the body `{"propagationPolicy": "Background"}` (`Foreground`, `Orphan` by `--cascade`; `gracePeriodSeconds` by `--grace-period`), whose answer names the uid; then GET until 404, and the same watch when it is still there |
//! | `wait --for=create` | GET of the object and of the namespace, again and again |
//! | `explain` | the group's document |
//! | `api-resources`, `api-versions` | aggregated discovery |
//! | `events` | the list of core events, newest first is kubectl's work |
//! | `auth can-i` | POST of a SelfSubjectAccessReview (answer it with `status.allowed`), `--list` a SelfSubjectRulesReview, `whoami` a SelfSubjectReview |
//! | `logs`, `exec`, `attach`, `port-forward` | GET of the pod, then `pods/X/log?container=C`, or an upgrade of `pods/X/exec` and others: 501 |
//! | `top` | ends by itself where discovery has no `metrics.k8s.io` |
//! | `version`, `cluster-info`, `get --raw /healthz` | `/version`; Services with `labelSelector=kubernetes.io/cluster-service=true` in `kube-system`; the text `ok` |
//!
//! Typed clients name protobuf before JSON in `Accept`: an answer in JSON satisfies them. `/openapi/v2` is asked for
//! by `apply` and `diff` of built-in kinds; 404 is enough, since kubectl has their merge keys built in.

pub mod discovery;
pub mod openapi;
pub mod protobuf;
pub mod resources;
pub mod tables;

#[cfg(test)]
mod tests;
