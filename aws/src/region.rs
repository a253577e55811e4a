//! Regions, and the partitions that they belong to.

use crate::environment::{Environment, setting};
use std::fmt;

/// A region such as `eu-central-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region(String);

/// It is not known which region to speak to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no AWS region: set AWS_REGION ({0})")]
pub struct RegionError(pub String);

/// Regions by their beginning, and the domain of their partition. The first that fits counts.
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eusc-", "amazonaws.eu"),
];

/// The domain of the regions of all other partitions, `aws` and `aws-us-gov`.
const DOMAIN: &str = "amazonaws.com";

/// Most letters of a region's name: it is a label of a host name.
const NAME_MAX: usize = 63;

impl Region {
    /// The region of that name.
    ///
    /// # Errors
    /// When it cannot be a region's name. It becomes part of a host name, so nothing but small letters, digits and `-`
    /// is let in.
    pub fn new(name: &str) -> Result<Self, RegionError> {
        let is_label =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if name.is_empty() || name.len() > NAME_MAX || !is_label {
            return Err(RegionError(format!("{name:?} is not the name of a region")));
        }
        Ok(Self(name.to_owned()))
    }

    /// The region of the environment, if it names one.
    pub(crate) fn of_environment(environment: &dyn Environment) -> Option<Result<Self, RegionError>> {
        let name = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| setting(environment, name))?;
        Some(Self::new(&name))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The domain under which the services of its partition are found.
    #[must_use]
    pub fn domain(&self) -> &'static str {
        DOMAINS.iter().find(|(start, _)| self.0.starts_with(start)).map_or(DOMAIN, |(_, domain)| domain)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn each_partition_has_its_domain() {
        for (region, domain) in [
            ("eu-central-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eusc-de-east-1", "amazonaws.eu"),
        ] {
            assert_eq!(Region::new(region).unwrap().domain(), domain, "{region}");
        }
    }

    #[test]
    fn what_is_no_label_is_no_region() {
        for name in ["", "EU", "eu.evil.com", "eu/x", "eu central", "a@b"] {
            assert!(Region::new(name).is_err(), "{name}");
        }
    }
}
