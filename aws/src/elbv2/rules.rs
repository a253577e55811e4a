//! `DescribeRules`.

use super::{Page, VERSION, items, paged};
use crate::query::Request;
use crate::xml::{Element, Malformed};

const ACTION: &str = "DescribeRules";

/// A rule of a listener, as far as it forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its Amazon Resource Name.
    pub arn: String,
    /// When it is asked: a number, or `default`.
    pub priority: String,
    /// The target groups of its actions of the type `forward`, each action for itself.
    pub forwards: Vec<Vec<Forward>>,
}

/// One of the target groups of an action that forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Amazon Resource Name of the target group.
    pub target_group_arn: String,
    /// Its weight, from 0 to 999: a share of the sum of all weights of the action. None where none is told.
    pub weight: Option<u32>,
}

/// Asks for a page of the rules of a listener; the default rule is among them.
#[must_use]
pub fn request(listener_arn: &str, marker: Option<&str>) -> Request {
    paged(Request::new(ACTION, VERSION).with("ListenerArn", listener_arn), marker)
}

/// Reads a page.
///
/// # Errors
/// When it is not the answer to this action.
pub fn parse(text: &str) -> Result<Page<Rule>, Malformed> {
    items(ACTION, "Rules", text, |member| {
        let actions =
            member.members("Actions").filter(|action| action.text("Type").as_deref() == Some("forward"));
        Ok(Rule {
            arn: member.required("RuleArn")?,
            priority: member.text("Priority").unwrap_or_default(),
            forwards: actions.map(forwards).collect::<Result<_, _>>()?,
        })
    })
}

/// The target groups of an action: the weighted list, or the one that stands in the action itself.
fn forwards(action: Element<'_>) -> Result<Vec<Forward>, Malformed> {
    let listed = action.child("ForwardConfig").map(|config| {
        let members = config.members("TargetGroups").map(|member| {
            Ok(Forward {
                target_group_arn: member.required("TargetGroupArn")?,
                weight: member.number("Weight")?,
            })
        });
        members.collect::<Result<Vec<Forward>, Malformed>>()
    });
    match listed.transpose()? {
        Some(listed) if !listed.is_empty() => Ok(listed),
        _ => {
            let only = action.text("TargetGroupArn");
            Ok(only.map(|target_group_arn| Forward { target_group_arn, weight: None }).into_iter().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(actions: &str) -> Result<Page<Rule>, Malformed> {
        parse(&format!(
            "<DescribeRulesResponse><DescribeRulesResult><Rules><member><IsDefault>false</IsDefault><Actions>{actions}\
             </Actions><Priority>10</Priority><RuleArn>arn:r</RuleArn></member></Rules></DescribeRulesResult>\
             </DescribeRulesResponse>"
        ))
    }

    #[test]
    fn weights_and_single_groups_are_read() {
        let page = read(
            "<member><Type>redirect</Type><RedirectConfig/></member>\
             <member><Type>forward</Type><ForwardConfig><TargetGroups><member><TargetGroupArn>arn:a</TargetGroupArn>\
             <Weight>0</Weight></member><member><TargetGroupArn>arn:b</TargetGroupArn><Weight>999</Weight></member>\
             </TargetGroups><TargetGroupStickinessConfig><Enabled>false</Enabled></TargetGroupStickinessConfig>\
             </ForwardConfig></member>\
             <member><Type>forward</Type><TargetGroupArn>arn:c</TargetGroupArn></member>",
        )
        .unwrap();
        let forward = |arn: &str, weight| Forward { target_group_arn: arn.to_owned(), weight };
        let forwards =
            [vec![forward("arn:a", Some(0)), forward("arn:b", Some(999))], vec![forward("arn:c", None)]];
        assert_eq!(page.items[0].forwards, forwards);
        assert_eq!(page.items[0].priority, "10");
    }

    #[test]
    fn a_weight_that_is_none_is_an_error() {
        let bad = "<member><Type>forward</Type><ForwardConfig><TargetGroups><member><TargetGroupArn>a</TargetGroupArn>\
            <Weight>-1</Weight></member></TargetGroups></ForwardConfig></member>";
        assert!(read(bad).unwrap_err().to_string().contains("Weight \"-1\""));
    }
}
