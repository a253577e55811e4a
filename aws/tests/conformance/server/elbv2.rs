//! Elastic Load Balancing: six actions of an account, and nothing that is not documented.

use super::{Answer, Heard, State, signature, xml};
use crate::setting::REGION;
use std::collections::BTreeMap;

const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) load_balancers: Vec<LoadBalancer>,
}

#[derive(Clone, Debug)]
pub(crate) struct LoadBalancer {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) dns_name: String,
    pub(crate) groups: Vec<Group>,
    pub(crate) listeners: Vec<Listener>,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) port: u16,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) arn: String,
    pub(crate) port: u16,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) arn: String,
    /// Target groups by ARN, with weights.
    pub(crate) forward: Vec<(String, u32)>,
}

/// Parameters of each action, as documented; `N` stands for a number.
const ACTIONS: [(&str, &[&str]); 6] = [
    ("DescribeLoadBalancers", &["LoadBalancerArns.member.N", "Marker", "Names.member.N", "PageSize"]),
    (
        "DescribeTargetGroups",
        &["LoadBalancerArn", "Marker", "Names.member.N", "PageSize", "TargetGroupArns.member.N"],
    ),
    ("DescribeTags", &["ResourceArns.member.N"]),
    ("DescribeListeners", &["ListenerArns.member.N", "LoadBalancerArn", "Marker", "PageSize"]),
    ("DescribeRules", &["ListenerArn", "Marker", "PageSize", "RuleArns.member.N"]),
    ("DescribeTargetHealth", &["Include.member.N", "TargetGroupArn", "Targets.member.N"]),
];

type Form = BTreeMap<String, String>;

fn invalid(message: &str) -> Answer {
    Answer::error(400, "ValidationError", message)
}

pub(super) fn answer(state: &mut State, heard: &Heard) -> Answer {
    let checked = signature::check(heard, &state.keys, ("elasticloadbalancing", REGION), state.now());
    if let Err(refused) = checked {
        return refused;
    }
    if let Some((status, code)) = state.faults.pop_front() {
        return Answer::error(status, code, "as the test wants it");
    }
    match read(heard).and_then(|(action, form)| dispatch(state, &action, &form)) {
        Ok(answer) | Err(answer) => answer,
    }
}

/// The action and its parameters, if all are documented.
fn read(heard: &Heard) -> Result<(String, Form), Answer> {
    if heard.method != "POST" || heard.path != "/" || !heard.query.is_empty() {
        return Err(invalid("only a form that is posted to / is taken here"));
    }
    if heard.header("content-type") != Some(CONTENT_TYPE) {
        return Err(Answer::error(400, "MalformedInput", "wrong Content-Type"));
    }
    let mut form = Form::new();
    for (name, value) in heard.form() {
        if form.insert(name.clone(), value).is_some() {
            return Err(invalid(&format!("{name} is there twice")));
        }
    }
    let action = form.remove("Action").ok_or_else(|| Answer::error(400, "MissingAction", "no Action"))?;
    if form.remove("Version").as_deref() != Some("2015-12-01") {
        return Err(Answer::error(400, "NoSuchVersion", "no such Version"));
    }
    let (_, known) = ACTIONS
        .iter()
        .find(|(name, _)| *name == action)
        .ok_or_else(|| Answer::error(400, "InvalidAction", &format!("Could not find operation {action}")))?;
    for name in form.keys() {
        let pattern: Vec<&str> = name
            .split('.')
            .map(|part| if part.parse::<u32>().is_ok_and(|number| number > 0) { "N" } else { part })
            .collect();
        if !known.contains(&pattern.join(".").as_str()) {
            return Err(invalid(&format!("{name} is not a parameter of {action}")));
        }
    }
    Ok((action, form))
}

fn dispatch(state: &State, action: &str, form: &Form) -> Result<Answer, Answer> {
    let balancers = &state.account.load_balancers;
    let groups = || balancers.iter().flat_map(|balancer| &balancer.groups);
    let result = match action {
        "DescribeLoadBalancers" => {
            let all: Vec<String> = balancers.iter().map(load_balancer).collect();
            page(state, form, "LoadBalancers", &all)?
        }
        "DescribeTargetGroups" => {
            let all: Vec<String> = balancer(state, form)?.groups.iter().map(target_group).collect();
            page(state, form, "TargetGroups", &all)?
        }
        "DescribeListeners" => {
            let all: Vec<String> = balancer(state, form)?.listeners.iter().map(listener).collect();
            page(state, form, "Listeners", &all)?
        }
        "DescribeRules" => {
            let wanted = required(form, "ListenerArn")?;
            let mut listeners = balancers.iter().flat_map(|balancer| &balancer.listeners);
            let found = listeners.find(|listener| listener.arn == *wanted);
            let found = found.ok_or_else(|| Answer::error(400, "ListenerNotFound", "no such listener"))?;
            let all: Vec<String> = found.rules.iter().map(rule).collect();
            page(state, form, "Rules", &all)?
        }
        "DescribeTargetHealth" => {
            let wanted = required(form, "TargetGroupArn")?;
            let found = groups().find(|group| group.arn == *wanted).ok_or_else(no_group)?;
            xml::list("TargetHealthDescriptions", found.targets.iter().map(target))
        }
        _ => {
            if form.is_empty() || form.len() > 20 {
                return Err(invalid("ResourceArns has from 1 to 20 members"));
            }
            let tags = (1..=form.len()).map(|number| {
                let arn = required(form, &format!("ResourceArns.member.{number}"))?;
                groups().find(|group| group.arn == *arn).map(tags).ok_or_else(no_group)
            });
            xml::list("TagDescriptions", tags.collect::<Result<Vec<String>, Answer>>()?)
        }
    };
    Ok(Answer::ok(xml::answer(NAMESPACE, action, &result)))
}

fn no_group() -> Answer {
    Answer::error(400, "TargetGroupNotFound", "One or more target groups not found")
}

fn required<'a>(form: &'a Form, name: &str) -> Result<&'a String, Answer> {
    form.get(name).ok_or_else(|| invalid(&format!("{name} is missing")))
}

fn balancer<'a>(state: &'a State, form: &Form) -> Result<&'a LoadBalancer, Answer> {
    let wanted = required(form, "LoadBalancerArn")?;
    let mut all = state.account.load_balancers.iter();
    all.find(|balancer| balancer.arn == *wanted)
        .ok_or_else(|| Answer::error(400, "LoadBalancerNotFound", "One or more load balancers not found"))
}

/// One page of a list, and the marker of the next. A marker is good for the list that gave it.
fn page(state: &State, form: &Form, name: &str, all: &[String]) -> Result<String, Answer> {
    let size = match form.get("PageSize").map(|size| size.parse::<usize>()) {
        None => 400,
        Some(Ok(size)) if (1..=400).contains(&size) => size,
        Some(_) => return Err(invalid("PageSize must be between 1 and 400")),
    };
    let start = match form.get("Marker").map(|marker| marker.strip_prefix(&format!("{name}+/="))) {
        None => 0,
        Some(Some(start)) => start.parse().map_err(|_| invalid("Marker is not valid"))?,
        Some(None) => return Err(invalid("Marker is not valid")),
    };
    let end = all.len().min(start + size.min(state.page_limit));
    let marker = match end < all.len() {
        true => xml::leaf("NextMarker", &format!("{name}+/={end}")),
        false => String::new(),
    };
    Ok(xml::list(name, all[start..end].iter().cloned()) + &marker)
}

fn load_balancer(balancer: &LoadBalancer) -> String {
    xml::leaf("LoadBalancerArn", &balancer.arn)
        + &xml::leaf("Scheme", "internet-facing")
        + &xml::leaf("LoadBalancerName", &balancer.name)
        + &xml::leaf("DNSName", &balancer.dns_name)
        + &xml::leaf("Type", "application")
        + &xml::node("State", &xml::leaf("Code", "active"))
}

fn target_group(group: &Group) -> String {
    xml::leaf("TargetGroupArn", &group.arn)
        + &xml::leaf("TargetGroupName", &group.name)
        + &xml::leaf("TargetType", "ip")
        + &xml::node("Matcher", &xml::leaf("HttpCode", "200"))
}

fn tags(group: &Group) -> String {
    let tags = group.tags.iter().map(|(key, value)| xml::leaf("Value", value) + &xml::leaf("Key", key));
    xml::leaf("ResourceArn", &group.arn) + &xml::list("Tags", tags)
}

fn listener(listener: &Listener) -> String {
    xml::leaf("LoadBalancerArn", "arn")
        + &xml::leaf("Protocol", "HTTP")
        + &xml::leaf("Port", &listener.port.to_string())
        + &xml::leaf("ListenerArn", &listener.arn)
}

fn rule(rule: &Rule) -> String {
    let tuple = |(arn, weight): &(String, u32)| {
        xml::leaf("TargetGroupArn", arn) + &xml::leaf("Weight", &weight.to_string())
    };
    let mut action = xml::leaf("Type", "forward") + &xml::leaf("Order", "1");
    // AWS repeats the target group here where there is but one.
    if let [(arn, _)] = &rule.forward[..] {
        action += &xml::leaf("TargetGroupArn", arn);
    }
    action += &xml::node("ForwardConfig", &xml::list("TargetGroups", rule.forward.iter().map(tuple)));
    xml::leaf("IsDefault", "false")
        + &xml::list("Conditions", [xml::leaf("Field", "path-pattern")])
        + &xml::list("Actions", [action])
        + &xml::leaf("Priority", "1")
        + &xml::leaf("RuleArn", &rule.arn)
}

fn target(target: &Target) -> String {
    let reason = target.reason.as_deref().map(|reason| xml::leaf("Reason", reason)).unwrap_or_default();
    xml::leaf("HealthCheckPort", "80")
        + &xml::node("TargetHealth", &(xml::leaf("State", &target.state) + &reason))
        + &xml::node("Target", &(xml::leaf("Port", &target.port.to_string()) + &xml::leaf("Id", &target.id)))
}
