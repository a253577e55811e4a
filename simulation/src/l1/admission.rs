//! What the API server accepts.

use super::cluster::{Cluster, Versions};
use planner::{Target, Write};

/// Why a write was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Another resource version or uid, or no such object.
    Conflict,
    /// An object of that name is there.
    Exists,
    /// An object of that name is there, and it is somebody else's.
    Foreign,
}

impl Cluster {
    /// Whether the API server would accept a write with what the plan saw, and has written itself since.
    pub(super) fn admits(&self, write: &Write, versions: &Versions) -> Result<(), Refused> {
        let fits = |target: &Target, uid: &str, version: &str| {
            let wanted = versions.get(&target.name).unwrap_or(&target.resource_version);
            let same =
                (target.uid.is_empty() || target.uid == uid) && (wanted.is_empty() || wanted == version);
            if same { Ok(()) } else { Err(Refused::Conflict) }
        };
        match write {
            Write::CreateReplicaSet { name, .. } => {
                if self.strangers.contains(name) {
                    Err(Refused::Foreign)
                } else if self.set(name).is_some() {
                    Err(Refused::Exists)
                } else {
                    Ok(())
                }
            }
            Write::AdoptReplicaSet { target }
            | Write::ReleaseReplicaSet { target }
            | Write::ScaleReplicaSet { target, .. }
            | Write::EditTemplate { target, .. }
            | Write::AnnotateReplicaSet { target, .. } => {
                let set = self.set(&target.name).ok_or(Refused::Conflict)?;
                fits(target, &set.view.uid, &set.view.resource_version)
            }
            // What is gone needs no deletion.
            Write::DeleteReplicaSet { target } => self
                .set(&target.name)
                .map_or(Ok(()), |set| fits(target, &set.view.uid, &set.view.resource_version)),
            Write::SelectService { target, .. } => {
                let service = self.services.get(&target.name).ok_or(Refused::Conflict)?;
                fits(target, &service.uid, &service.resource_version)
            }
            Write::AnnotateRollout { .. } | Write::SetRolloutReplicas { .. } => self.admits_rollout(versions),
            Write::CreateAnalysisRun { name, .. } => {
                let there = self.runs.iter().any(|run| run.view.name == *name);
                if there { Err(Refused::Exists) } else { Ok(()) }
            }
            Write::TerminateAnalysisRun { target } => {
                let there = self.runs.iter().any(|run| run.view.name == target.name);
                if there { Ok(()) } else { Err(Refused::Conflict) }
            }
            // No Rollout refers to a workload here.
            Write::ScaleWorkload { .. } => Err(Refused::Conflict),
            Write::DeleteAnalysisRun { .. }
            | Write::EvictPod { .. }
            | Write::LabelPod { .. }
            | Write::RouteTraffic { .. }
            | Write::GiveBackRoutes { .. } => Ok(()),
        }
    }

    /// Whether the Rollout still is at the version that the plan saw or has written.
    pub(super) fn admits_rollout(&self, versions: &Versions) -> Result<(), Refused> {
        let same = versions.get("") == self.rollout.metadata.resource_version.as_ref();
        if same { Ok(()) } else { Err(Refused::Conflict) }
    }
}
