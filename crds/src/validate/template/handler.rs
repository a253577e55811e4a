//! Probes and lifecycle hooks: both need exactly one handler.

use super::container::port_number;
use super::{Invalid, node::Node};

const PROBE_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const HOOK_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "sleep"];

/// `postStart` and `preStop`.
pub(super) fn lifecycle(lifecycle: &Node<'_>) -> Result<(), Invalid> {
    for hook in ["postStart", "preStop"] {
        let hook = lifecycle.get(hook);
        if hook.is_set() {
            one_handler(&hook, &HOOK_HANDLERS)?;
        }
    }
    Ok(())
}

/// One probe, when there is one.
pub(super) fn probe(probe: &Node<'_>) -> Result<(), Invalid> {
    if !probe.is_set() {
        return Ok(());
    }
    one_handler(probe, &PROBE_HANDLERS)?;
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        probe.at_least_zero(field)?;
    }
    let threshold = probe.number("successThreshold").unwrap_or(1);
    if !probe.path.ends_with(".readinessProbe") && threshold > 1 {
        return Err(Invalid::value(probe.at("successThreshold"), &threshold, "must be 1"));
    }
    Ok(())
}

fn one_handler(parent: &Node<'_>, handlers: &[&str]) -> Result<(), Invalid> {
    let mut found = false;
    for name in handlers {
        let handler = parent.get(name);
        if !handler.is_set() {
            continue;
        }
        if found {
            return Err(Invalid::forbidden(handler.path, "may not specify more than 1 handler type"));
        }
        found = true;
        match *name {
            "exec" if handler.items("command").is_empty() => {
                return Err(Invalid::required(handler.at("command"), ""));
            }
            "httpGet" | "tcpSocket" | "grpc" => {
                if let Some(number) = handler.number("port") {
                    port_number(handler.at("port"), number)?;
                }
            }
            _ => {}
        }
    }
    if found { Ok(()) } else { Err(Invalid::required(&parent.path, "must specify a handler type")) }
}
