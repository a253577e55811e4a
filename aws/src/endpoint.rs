//! Where a service is found.

use crate::environment::{Environment, is_true, setting};
use crate::region::Region;

/// A service of AWS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// Its name in host names and in signatures.
    pub(crate) name: &'static str,
    /// The variable that names another endpoint for it.
    variable: &'static str,
}

/// Elastic Load Balancing, version 2.
pub(crate) const ELASTIC_LOAD_BALANCING: Service =
    Service { name: "elasticloadbalancing", variable: "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2" };

/// Security Token Service.
pub(crate) const SECURITY_TOKEN: Service = Service { name: "sts", variable: "AWS_ENDPOINT_URL_STS" };

impl Service {
    /// The URL of the service in a region: the one that the environment names, for this service or for all, else the
    /// regional one.
    pub(crate) fn url(self, environment: &dyn Environment, region: &Region) -> String {
        let named = (!is_true(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
            .then(|| setting(environment, self.variable).or_else(|| setting(environment, "AWS_ENDPOINT_URL")))
            .flatten();
        match named {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => format!("https://{}.{region}.{}/", self.name, region.domain()),
        }
    }
}
