//! `DescribeLoadBalancers`.

use super::{Page, VERSION, items, paged};
use crate::query::Request;
use crate::xml::Malformed;

const ACTION: &str = "DescribeLoadBalancers";

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its Amazon Resource Name.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The name by which clients find it.
    pub dns_name: String,
}

impl LoadBalancer {
    /// Whether this is its DNS name; such names know no case, and may end with a dot.
    #[must_use]
    pub fn has_dns_name(&self, dns_name: &str) -> bool {
        let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        !dns_name.is_empty() && bare(&self.dns_name) == bare(dns_name)
    }
}

/// Asks for a page of all load balancers of the account in the region.
#[must_use]
pub fn request(marker: Option<&str>) -> Request {
    paged(Request::new(ACTION, VERSION), marker)
}

/// Reads a page.
///
/// # Errors
/// When it is not the answer to this action.
pub fn parse(text: &str) -> Result<Page<LoadBalancer>, Malformed> {
    items(ACTION, "LoadBalancers", text, |member| {
        Ok(LoadBalancer {
            arn: member.required("LoadBalancerArn")?,
            name: member.required("LoadBalancerName")?,
            // One of the kind `gateway` has none.
            dns_name: member.text("DNSName").unwrap_or_default(),
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_page_is_read() {
        let text = "<DescribeLoadBalancersResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
            <DescribeLoadBalancersResult><LoadBalancers><member><LoadBalancerArn>arn:1</LoadBalancerArn>\
            <Scheme>internet-facing</Scheme><LoadBalancerName>My</LoadBalancerName><DNSName>My-4.us-west-2.elb.amazonaws.com\
            </DNSName></member><member><LoadBalancerArn>arn:2</LoadBalancerArn><LoadBalancerName>g</LoadBalancerName>\
            </member></LoadBalancers><NextMarker>abc</NextMarker></DescribeLoadBalancersResult><ResponseMetadata>\
            <RequestId>6581c0ac</RequestId></ResponseMetadata></DescribeLoadBalancersResponse>";
        let page = parse(text).unwrap();
        assert_eq!(page.next_marker.as_deref(), Some("abc"));
        assert!(page.items[0].has_dns_name("my-4.us-west-2.elb.amazonaws.com."));
        assert!(!page.items[1].has_dns_name(""), "one without a DNS name is not found by none");
        assert_eq!(page.items.len(), 2);
        assert_eq!(request(Some("abc")).body(), {
            "Action=DescribeLoadBalancers&Version=2015-12-01&PageSize=400&Marker=abc"
        });
    }
}
