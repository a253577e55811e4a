//! What somebody else has changed in a router's objects is put back and told, but not in a race. `[traffic.put-back]`

use super::pass::Pass;
use super::routed;
use crate::defect;
use crate::traffic::{Intent, RouterView};
use crds::Time;

/// Shortest time between two of our writes where somebody else writes, too, in seconds. The API server's times are whole
/// seconds, rounded down.
const PAUSE: i64 = 2;

/// Who has changed the router's objects since they were asked for the same as now; `None` where nobody has, or where it is
/// the first time that this is asked for.
pub(super) fn overwritten_by<'p>(
    pass: &Pass<'_>,
    router: &'p RouterView,
    intent: &Intent,
) -> Option<&'p str> {
    let asked = routed::recorded(pass)
        .is_some_and(|weights| routed::ask_the_same(weights, &routed::in_status(pass, intent)));
    router.authors.other.as_deref().filter(|_| asked)
}

/// Until when it is not put back: we have done so a moment ago. The first time it is done at once.
pub(super) fn waits_until(pass: &Pass<'_>, router: &RouterView, intent: &Intent) -> Option<Time> {
    let written = router.authors.own.max(router.authors.written);
    let end = overwritten_by(pass, router, intent).and(written)?.plus_seconds(PAUSE);
    (pass.now < end && !defect!(PutsBackInARace)).then_some(end)
}
