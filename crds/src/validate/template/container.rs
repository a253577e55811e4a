//! One container.

use super::node::Node;
use super::{Invalid, environment, handler, labels, resources};
use std::collections::BTreeSet;

const PORT: std::ops::RangeInclusive<i64> = 1..=65535;
const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";

/// A container or an init container; `volumes` are the names that it may mount.
pub(super) fn check(container: &Node<'_>, volumes: &BTreeSet<&str>) -> Result<(), Invalid> {
    let name = container.required_text("name")?;
    labels::dns_label(name).map_err(|why| Invalid::value(container.at("name"), &name, &why))?;
    container.required_text("image")?;
    container.one_of("terminationMessagePolicy", &["FallbackToLogsOnError", "File"])?;
    ports(container)?;
    environment::check(container)?;
    mounts(container, volumes)?;
    container.one_of("imagePullPolicy", &["Always", "IfNotPresent", "Never"])?;
    resources::check(&container.get("resources"))?;
    handler::lifecycle(&container.get("lifecycle"))?;
    handler::probe(&container.get("livenessProbe"))?;
    handler::probe(&container.get("readinessProbe"))?;
    handler::probe(&container.get("startupProbe"))
}

/// A port number: `Err` outside of 1 to 65535.
pub(super) fn port_number(path: String, number: i64) -> Result<(), Invalid> {
    if PORT.contains(&number) { Ok(()) } else { Err(Invalid::value(path, &number, PORT_RANGE)) }
}

fn ports(container: &Node<'_>) -> Result<(), Invalid> {
    let mut names = BTreeSet::new();
    for port in container.items("ports") {
        let name = port.text("name");
        if !name.is_empty() {
            labels::port_name(name).map_err(|why| Invalid::value(port.at("name"), &name, &why))?;
            if !names.insert(name) {
                return Err(Invalid::duplicate(port.at("name"), name));
            }
        }
        match port.number("containerPort") {
            None | Some(0) => return Err(Invalid::required(port.at("containerPort"), "")),
            Some(number) => port_number(port.at("containerPort"), number)?,
        }
        if let Some(number) = port.number("hostPort").filter(|number| *number != 0) {
            port_number(port.at("hostPort"), number)?;
        }
        port.one_of("protocol", &["SCTP", "TCP", "UDP"])?;
    }
    Ok(())
}

fn mounts(container: &Node<'_>, volumes: &BTreeSet<&str>) -> Result<(), Invalid> {
    let mut paths = BTreeSet::new();
    for mount in container.items("volumeMounts") {
        let name = mount.required_text("name")?;
        if !volumes.contains(name) {
            return Err(Invalid::not_found(mount.at("name"), name));
        }
        let path = mount.required_text("mountPath")?;
        if !paths.insert(path) {
            return Err(Invalid::value(mount.at("mountPath"), &path, "must be unique"));
        }
    }
    Ok(())
}
