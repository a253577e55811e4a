//! AWS Application Load Balancers, by annotations of an Ingress. Its controller reads them where a path's port is named
//! `use-annotation`: an action annotation says how traffic is divided, and a conditions annotation to which requests an
//! action applies. Nothing here speaks with AWS: what the load balancer does is verified elsewhere. `[traffic.alb]`

mod action;
mod balancer;
mod condition;
mod ingress;
mod json;
mod ledger;
mod release;
mod route;

#[cfg(test)]
mod tests;

pub(crate) use release::{release, writers};

use crate::{Balancer, Edit, Objects, Problem, Reference, Router, Services};
use action::{Action, Group, MOST_WEIGHT, Sticky};
use crds::Rollout;
use crds::rollout::traffic::{AlbTrafficRouting, StickinessConfig};
use ledger::{LEDGER, Ledger, OLD_LEDGER};
use planner::traffic::{Abilities, Intent, ObservedTraffic, Route, Split};
use serde_json::Value;

/// Prefix of the annotations, unless a Rollout says otherwise.
const PREFIX: &str = "alb.ingress.kubernetes.io";
/// Between the prefix and an action's name.
const ACTIONS: &str = "/actions.";
/// Between the prefix and the name of the action to which conditions belong.
const CONDITIONS: &str = "/conditions.";
/// The longest time for which AWS lets a session stick: seven days.
const LONGEST_STICKY_SECONDS: i64 = 604_800;
/// The weight of one who gets everything.
const ALL: i64 = 100;

/// `trafficRouting.alb` of one Rollout.
#[derive(Debug)]
struct Alb {
    /// The Rollout's name, under which the bookkeeping lists what is written.
    rollout: String,
    /// The Ingresses that it names.
    ingresses: Vec<Reference>,
    /// Prefix of the annotations.
    prefix: String,
    /// The Service by which the Ingress names the action; none where it would change with every promotion.
    root: Option<String>,
    /// The Services that are written into actions.
    services: Services,
    /// Their port.
    port: i32,
    /// How sessions stick.
    sticky: Option<StickinessConfig>,
    /// The header routes that steps ask for.
    declared: Vec<Route>,
    /// Why it is not known which Ingresses are meant.
    choice: Option<&'static str>,
    /// Names of routes that may be made, by precedence.
    managed: Vec<String>,
}

/// The router, if the Rollout uses it.
pub(crate) fn of(rollout: &Rollout, services: &Services) -> Option<Box<dyn Router>> {
    let canary = rollout.spec.strategy.as_ref()?.canary.as_ref()?;
    let routing = canary.traffic_routing.as_ref()?;
    let alb = routing.alb.as_ref()?;
    let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    // The Ingress names one Service for ever, and with ping-pong both of them change their roles.
    let stable = canary.ping_pong.is_none().then(|| services.stable.clone());
    let steps = canary.steps.iter().flatten().filter_map(|step| step.set_header_route.as_ref());
    let declared = steps.map(|step| Route::Header {
        name: step.name.clone().unwrap_or_default(),
        matches: step.matches.clone().unwrap_or_default(),
    });
    let declared: Vec<Route> = declared.collect();
    let listed = routing.managed_routes.iter().flatten().map(|route| route.name.clone());
    let several = !alb.ingresses.as_deref().unwrap_or_default().is_empty();
    let choice = match (set(&alb.ingress).is_some(), several) {
        (true, true) => Some("Either Ingress or Ingresses must be configured. Both are configured."),
        (false, false) => Some("Either Ingress or Ingresses must be configured. Neither are configured."),
        _ => None,
    };
    Some(Box::new(Alb {
        choice,
        rollout: rollout.metadata.name.clone().unwrap_or_default(),
        ingresses: references(alb, rollout.metadata.namespace.as_deref().unwrap_or_default()),
        prefix: set(&alb.annotation_prefix).unwrap_or_else(|| PREFIX.to_owned()),
        root: set(&alb.root_service).or(stable),
        services: services.clone(),
        port: alb.service_port,
        sticky: alb.stickiness_config.clone().filter(|sticky| sticky.enabled),
        managed: listed.chain(declared.iter().map(|route| route.name().to_owned())).collect(),
        declared,
    }))
}

fn references(alb: &AlbTrafficRouting, namespace: &str) -> Vec<Reference> {
    let mut references: Vec<Reference> = Vec::new();
    for name in alb.ingress.iter().chain(alb.ingresses.iter().flatten()).filter(|name| !name.is_empty()) {
        let reference =
            Reference { kind: ingress::INGRESS, namespace: namespace.to_owned(), name: name.clone() };
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    references
}

impl Router for Alb {
    fn name(&self) -> &'static str {
        "alb"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            headers: true,
            mirrors: false,
            additional: true,
            subsets: false,
            registers: true,
            turns: true,
        }
    }

    fn references(&self) -> Vec<Reference> {
        self.ingresses.clone()
    }

    fn marks(&self) -> bool {
        true
    }

    fn observe(&self, objects: &Objects) -> Result<ObservedTraffic, Problem> {
        let root = self.root()?;
        let (mut splits, mut routes) = (Vec::new(), Vec::new());
        for reference in &self.ingresses {
            let ingress = Self::ingress(objects, reference, root)?;
            let names = self.route_names(ingress, &Ledger::of(ingress)?, root, &[]);
            splits.push(self.split(ingress, root));
            routes.push(self.routes(ingress, &names, &self.declared));
        }
        Ok(ObservedTraffic { splits, routes: route::agreed(routes), ..ObservedTraffic::default() })
    }

    /// DIFFERS: every Ingress is edited that needs it. Argo Rollouts stops at the first that does not, so that the
    /// following ones may stay behind.
    fn edit(&self, objects: &Objects, intent: &Intent) -> Result<Vec<Edit>, Problem> {
        let root = self.root()?;
        let action = self.action(intent)?;
        let mut edits = Vec::new();
        for reference in &self.ingresses {
            let ingress = Self::ingress(objects, reference, root)?;
            let to = self.edited(ingress, root, &action, intent)?;
            if to != *ingress {
                edits.push(Edit { object: reference.clone(), to });
            }
        }
        Ok(edits)
    }

    fn balancers(&self, objects: &Objects) -> Vec<Balancer> {
        self.of_ingresses(objects)
    }

    fn notice(&self, _: &Objects, edit: &Edit, intent: &Intent) -> Option<(&'static str, String)> {
        let (name, weight) = (&edit.object.name, intent.canary.weight);
        Some(("PatchingALBIngress", format!("Updating Ingress `{name}` to desiredWeight '{weight}'")))
    }
}

impl Alb {
    /// The Service that names the action, if the Rollout says all that it must.
    fn root(&self) -> Result<&str, Problem> {
        self.choice.map_or(Ok(()), |what| Err(Problem::Choice(what)))?;
        let unset = |what: &str| Problem::Rollout(format!("trafficRouting.alb {what}"));
        let root = self.root.as_deref().ok_or_else(|| {
            unset("has no rootService, which pingPong needs: name the Service that the Ingress has in its rules")
        })?;
        if [root, self.services.canary.as_str(), self.services.stable.as_str()].contains(&"") {
            return Err(unset("needs canaryService and stableService, or pingPong: set them"));
        }
        Ok(root)
    }

    /// An Ingress that leads to the action.
    fn ingress<'a>(objects: &'a Objects, reference: &Reference, root: &str) -> Result<&'a Value, Problem> {
        let ingress = objects.require(reference)?;
        let leads = ingress::rules(ingress).flatten().any(|path| ingress::backend(path) == Some(root));
        let lost = || Problem::NoBackend { name: reference.name.clone(), service: root.to_owned() };
        if leads { Ok(ingress) } else { Err(lost()) }
    }

    fn action_key(&self, name: &str) -> String {
        format!("{}{ACTIONS}{name}", self.prefix)
    }

    fn conditions_key(&self, name: &str) -> String {
        format!("{}{CONDITIONS}{name}", self.prefix)
    }

    /// How an Ingress divides traffic. One without a readable action divides nothing, which no intent asks for: so it
    /// is written in any case.
    fn split(&self, ingress: &Value, root: &str) -> Split {
        let action = ingress::annotation(ingress, &self.action_key(root)).and_then(Action::parse);
        action.map(|action| action.split(&self.services.canary, &self.services.stable)).unwrap_or_default()
    }

    /// The action for an intent: the canary, experiments, and the stable version.
    fn action(&self, intent: &Intent) -> Result<Action, Problem> {
        let canary = (self.services.canary.as_str(), intent.canary.weight);
        let stable = (self.services.stable.as_str(), intent.stable.weight);
        let additional = intent.additional.iter().map(|share| (share.service.as_str(), share.weight));
        let groups = [canary].into_iter().chain(additional).chain([stable]).map(|(service, weight)| {
            let weight = i64::from(weight);
            let fits = (0..=MOST_WEIGHT).contains(&weight);
            fits.then(|| self.group(service, weight)).ok_or_else(|| {
                Problem::Rollout(format!(
                    "Service {service:?} would get the weight {weight}, and AWS takes 0 to {MOST_WEIGHT}: lower the \
                     weights of steps and experiments until they add up to at most 100"
                ))
            })
        });
        Ok(Action::new(groups.collect::<Result<_, _>>()?, self.sticky()?))
    }

    fn group(&self, service: &str, weight: i64) -> Group {
        Group { service_name: service.to_owned(), service_port: self.port.to_string(), weight }
    }

    fn sticky(&self) -> Result<Option<Sticky>, Problem> {
        let Some(StickinessConfig { duration_seconds, .. }) = self.sticky else { return Ok(None) };
        let fits = (1..=LONGEST_STICKY_SECONDS).contains(&duration_seconds);
        fits.then_some(Some(Sticky { enabled: true, duration_seconds })).ok_or_else(|| {
            Problem::Rollout(format!(
                "trafficRouting.alb.stickinessConfig.durationSeconds is {duration_seconds}, and AWS takes 1 to \
                 {LONGEST_STICKY_SECONDS}: set it in this range, or enabled to false"
            ))
        })
    }

    /// The Ingress as it is to be.
    fn edited(&self, before: &Value, root: &str, action: &Action, intent: &Intent) -> Result<Value, Problem> {
        let mut ledger = Ledger::of(before)?;
        let wanted = self.wanted(&ledger, root, intent)?;
        let names = self.route_names(before, &ledger, root, &intent.managed);
        let mut ingress = before.clone();
        let routed = self.route(&mut ingress, &names, &wanted);
        let key = self.action_key(root);
        let added: Vec<String> = [key.clone()].into_iter().chain(routed.written).collect();
        ledger.note(&self.rollout, &added, &routed.removed);
        let annotations = ingress::annotations_mut(&mut ingress).ok_or_else(|| {
            ingress::unfit(before, "metadata.annotations is not a map of text: mend it".to_owned())
        })?;
        put(annotations, &key, Action::parse, |shown| shown.means(action), || action.text());
        if Ledger::of(before)? != ledger {
            annotations.insert(LEDGER.to_owned(), Value::String(ledger.text()));
        }
        annotations.retain(|key, _| key != OLD_LEDGER);
        Ok(ingress)
    }
}

/// Writes an annotation, unless it says the same already: another formatting is the user's choice.
fn put<T>(
    annotations: &mut serde_json::Map<String, Value>,
    key: &str,
    read: impl Fn(&str) -> Option<T>,
    is_right: impl Fn(&T) -> bool,
    text: impl Fn() -> String,
) {
    let shown = annotations.get(key).and_then(Value::as_str).and_then(read);
    if !shown.is_some_and(|shown| is_right(&shown)) {
        annotations.insert(key.to_owned(), Value::String(text()));
    }
}
