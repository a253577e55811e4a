//! Leader election by a Lease: one controller writes, the others stay warm.

use crate::FIELD_MANAGER;
use crate::clock::Clock;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, PostParams};
use planner::defect;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Settings of the election.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) identity: String,
    pub(crate) duration: Duration,
    pub(crate) renew_deadline: Duration,
    pub(crate) retry_period: Duration,
}

/// Until when this process may write without renewing. (Not a `tokio::sync::watch`: that wakes who waits in an order
/// by chance, and a simulation replays.)
#[derive(Debug, Default)]
struct Held {
    until: Mutex<Option<Instant>>,
    /// When this process began to lead after one that had not given the lease back.
    inherited: Mutex<Option<Instant>>,
    /// Writes that are under way.
    writing: AtomicUsize,
    /// How often this process has come to lead.
    reign: AtomicU64,
    /// The reign for which has been read what the leaders before have recorded.
    read: AtomicU64,
    changed: Notify,
}

/// A write that is under way, until it is dropped.
pub(crate) struct Writing(Arc<Held>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writing.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

impl Held {
    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether has been read what the leaders before this reign have recorded.
    fn is_known(&self) -> bool {
        self.read.load(Ordering::SeqCst) == self.reign.load(Ordering::SeqCst)
    }

    /// Waits until no write is under way.
    async fn idle(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.writing.load(Ordering::SeqCst) == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Sets it, and gives what it was.
    fn set(&self, until: Option<Instant>) -> Option<Instant> {
        let before =
            std::mem::replace(&mut *self.until.lock().unwrap_or_else(PoisonError::into_inner), until);
        self.changed.notify_waiters();
        before
    }
}

/// Whether this process leads.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    held: Arc<Held>,
}

impl Claim {
    /// A claim that always holds, for a controller that does not take part in an election.
    pub(crate) fn always() -> Self {
        let held = Held::default();
        held.set(Some(Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 30)));
        Self { held: Arc::new(held) }
    }

    /// Says that a write is sent, as far as it may be: the lease is not given back before its end.
    pub(crate) fn write(&self) -> Option<Writing> {
        // Counted first: whoever gives the lease back ends the claim, and then counts.
        self.held.writing.fetch_add(1, Ordering::SeqCst);
        let writing = Writing(self.held.clone());
        (self.is_held() || defect!(GuardIsOpen)).then_some(writing)
    }

    /// Whether a write may be sent now.
    pub(crate) fn is_held(&self) -> bool {
        self.held.until().is_some_and(|until| Instant::now() < until)
    }

    /// When this process began to lead after one that had not given the lease back: requests of that one may still be
    /// under way.
    pub(crate) fn inherited(&self) -> Option<Instant> {
        *self.held.inherited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this process leads, and knows what the leaders before it have recorded.
    pub(crate) async fn held(&self) {
        self.until(|held| held.is_known()).await;
    }

    /// Waits until this process leads, and does not know yet what the leaders before it have recorded. Gives its reign.
    pub(crate) async fn unread(&self) -> u64 {
        self.until(|held| !held.is_known()).await;
        self.held.reign.load(Ordering::SeqCst)
    }

    /// For this reign has been read what the leaders before have recorded.
    pub(crate) fn has_read(&self, reign: u64) {
        self.held.read.store(reign, Ordering::SeqCst);
        self.held.changed.notify_waiters();
    }

    /// Waits until this process leads, and more is true.
    async fn until(&self, also: impl Fn(&Held) -> bool) {
        loop {
            let mut changed = pin!(self.held.changed.notified());
            changed.as_mut().enable();
            if self.is_held() && also(&self.held) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until this process leads no more.
    pub(crate) async fn lost(&self) {
        loop {
            let mut changed = pin!(self.held.changed.notified());
            changed.as_mut().enable();
            let Some(until) = self.held.until() else { return };
            tokio::select! {
                biased;
                () = changed => {}
                () = tokio::time::sleep_until(until) => return,
            }
        }
    }
}

/// What to do about the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody holds it, or its holder has not renewed it in time.
    Acquire,
    /// We hold it.
    Renew,
    /// Another process holds it.
    Follow,
}

/// `seen` is when the lease was last seen to change, by our own clock: another machine's clock may be wrong.
fn evaluate(spec: Option<&LeaseSpec>, me: &str, seen: Instant, now: Instant) -> Verdict {
    let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or("");
    let seconds =
        spec.and_then(|spec| spec.lease_duration_seconds).and_then(|s| u64::try_from(s).ok()).unwrap_or(0);
    if holder == me {
        Verdict::Renew
    } else if holder.is_empty() || now >= seen + Duration::from_secs(seconds) || defect!(LeaseTakenEarly) {
        Verdict::Acquire
    } else {
        Verdict::Follow
    }
}

/// The claim of this process, and the election that it hangs on.
pub(crate) fn start(api: Api<Lease>, clock: Clock, settings: Settings) -> (Claim, Election) {
    let held = Arc::new(Held::default());
    let election = Election {
        api,
        clock,
        settings,
        held: held.clone(),
        seen: None,
        leads: Arc::new(AtomicBool::new(false)),
    };
    (Claim { held }, election)
}

/// One process in the election.
pub(crate) struct Election {
    api: Api<Lease>,
    clock: Clock,
    settings: Settings,
    held: Arc<Held>,
    /// Resource version and when it was first seen.
    seen: Option<(String, Instant)>,
    leads: Arc<AtomicBool>,
}

impl Election {
    /// Takes part from `ready` on, until `stop`; then the lease is given back, so that the next leader need not wait.
    pub(crate) async fn run(mut self, mut ready: watch::Receiver<bool>, mut stop: watch::Receiver<bool>) {
        // One that lacks a right, or a CRD, is not to keep the Lease from one that can work.
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            is_ready = ready.wait_for(|ready| *ready) => if is_ready.is_err() { return },
        }
        loop {
            let started = Instant::now();
            let round = tokio::time::timeout(self.settings.renew_deadline, self.round());
            match round.await {
                Ok(Ok(true)) => {
                    if !self.leads.load(Ordering::Relaxed) {
                        self.held.reign.fetch_add(1, Ordering::SeqCst);
                    }
                    // Counted from before the request: the server may have stored it at once.
                    self.held.set(Some(started + self.settings.renew_deadline));
                    if !self.leads.swap(true, Ordering::Relaxed) {
                        tracing::info!(identity = self.settings.identity, "this process leads now");
                    }
                }
                Ok(Ok(false)) => self.follow(),
                Ok(Err(error)) => {
                    tracing::warn!(%error, lease = self.settings.name, "the lease cannot be read or written")
                }
                Err(_) => tracing::warn!(
                    lease = self.settings.name,
                    "the API server did not answer about the lease in time"
                ),
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                () = tokio::time::sleep(self.settings.retry_period) => {}
            }
        }
        self.release().await;
    }

    fn follow(&self) {
        self.held.set(None);
        if self.leads.swap(false, Ordering::Relaxed) {
            tracing::warn!("this process leads no more");
        }
    }

    /// One look at the lease; true when we hold it afterwards.
    async fn round(&mut self) -> kube::Result<bool> {
        let now = Instant::now();
        let Some(mut lease) = self.api.get_opt(&self.settings.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.settings.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.spec(None)),
            };
            return taken(self.api.create(&post(), &lease).await);
        };
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let seen = match &self.seen {
            Some((known, at)) if *known == version => *at,
            _ => now,
        };
        self.seen = Some((version, seen));
        match evaluate(lease.spec.as_ref(), &self.settings.identity, seen, now) {
            Verdict::Follow => Ok(false),
            Verdict::Acquire | Verdict::Renew => {
                let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
                if !self.leads.load(Ordering::Relaxed) && holder.is_some_and(|holder| !holder.is_empty()) {
                    // Before the claim holds. A process of our own name that has ended counts as another one.
                    *self.held.inherited.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                }
                lease.spec = Some(self.spec(lease.spec.as_ref()));
                taken(self.api.replace(&self.settings.name, &post(), &lease).await)
            }
        }
    }

    fn spec(&self, old: Option<&LeaseSpec>) -> LeaseSpec {
        let now = self.micro_time();
        let me = Some(self.settings.identity.clone());
        let ours = old.is_some_and(|old| old.holder_identity == me);
        let transitions = old.and_then(|old| old.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: me,
            lease_duration_seconds: Some(i32::try_from(self.settings.duration.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: if ours { old.and_then(|old| old.acquire_time.clone()) } else { now.clone() },
            renew_time: now,
            lease_transitions: Some(if ours { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }

    fn micro_time(&self) -> Option<MicroTime> {
        let now = self.clock.now().0;
        Timestamp::new(now.timestamp(), i32::try_from(now.timestamp_subsec_nanos()).unwrap_or(0))
            .ok()
            .map(MicroTime)
    }

    async fn release(&self) {
        let held = self.held.set(None).is_some();
        if !held {
            return;
        }
        let give_back = async {
            // What is under way could be carried out beside the writes of the next leader.
            self.held.idle().await;
            let mut lease = self.api.get(&self.settings.name).await?;
            if let Some(spec) =
                lease.spec.as_mut().filter(|s| s.holder_identity.as_ref() == Some(&self.settings.identity))
            {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
                self.api.replace(&self.settings.name, &post(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        match tokio::time::timeout(self.settings.retry_period, give_back).await {
            Ok(Ok(())) => tracing::info!("the lease is given back"),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease could not be given back; it runs out by itself")
            }
            Err(_) => tracing::warn!("the lease could not be given back in time; it runs out by itself"),
        }
    }
}

/// Someone else was quicker: no error, we follow.
fn taken(result: kube::Result<Lease>) -> kube::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(defect!(LostRaceLeads)),
        Err(error) => Err(error),
    }
}

fn post() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_writes_is_waited_for() {
        let claim = Claim::always();
        let (first, second) = (claim.write(), claim.write());
        assert!(first.is_some() && second.is_some());
        claim.held.set(None);
        assert!(claim.write().is_none(), "a claim that has ended allows no write, and none is under way");
        let idle = |millis| tokio::time::timeout(Duration::from_millis(millis), claim.held.idle());
        assert!(idle(10).await.is_err());
        drop(first);
        assert!(idle(10).await.is_err());
        drop(second);
        assert!(idle(10).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_taken_when_free_or_expired_only() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(evaluate(None, "me", start, start), Verdict::Acquire);
        assert_eq!(evaluate(Some(&held_by("")), "me", start, start), Verdict::Acquire);
        assert_eq!(evaluate(Some(&held_by("me")), "me", start, later(60)), Verdict::Renew);
        assert_eq!(evaluate(Some(&held_by("you")), "me", start, later(14)), Verdict::Follow);
        assert_eq!(evaluate(Some(&held_by("you")), "me", start, later(15)), Verdict::Acquire);
    }
}
