use crate::kubectl::resources::{Resource, built_in};
use crate::kubectl::tables::{Form, IncludeObject, event, human, table};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

fn find(group: &str, plural: &str) -> &'static Resource {
    built_in().iter().find(|resource| resource.group == group && resource.plural == plural).unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
}

fn cells(resource: &Resource, object: &Value, now: DateTime<Utc>) -> Value {
    table(resource, &[object], &json!({}), now, IncludeObject::None)["rows"][0]["cells"].clone()
}

/// Rows that a real API server printed, of objects that a real cluster made.
#[test]
fn rows_are_those_of_a_real_server() {
    let recorded: Value = serde_json::from_str(include_str!("../../../data/vectors/tables.json")).unwrap();
    let custom = Resource::of_crd(&recorded["definition"]);
    let rows = recorded["rows"].as_array().unwrap();
    assert!(rows.len() > 90);
    let mut wrong = Vec::new();
    for row in rows {
        let (group, plural) = row["resource"].as_str().unwrap().split_once('/').unwrap();
        let resource = custom.iter().chain(built_in()).find(|own| own.group == group && own.plural == plural);
        // The time was noted a moment after the server had looked at its clock.
        let now = time(row["now"].as_str().unwrap());
        let made =
            [0, 1].map(|seconds| cells(resource.unwrap(), &row["object"], now - TimeDelta::seconds(seconds)));
        if !made.contains(&row["cells"]) {
            wrong.push(format!("{group}/{plural}\n  server  {}\n  sandbox {}", row["cells"], made[0]));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn each_listed_resource_has_a_cell_for_each_column() {
    let now = time("2026-01-01T00:00:00Z");
    for resource in built_in().iter().filter(|resource| resource.allows("list")) {
        let cells = cells(resource, &json!({"metadata": {"name": "empty"}}), now);
        // The real server sends the age of an IPAddress without a column for it.
        let extra = usize::from(resource.plural == "ipaddresses");
        assert_eq!(cells.as_array().unwrap().len(), resource.columns.len() + extra, "{}", resource.plural);
    }
}

#[test]
fn durations_are_short() {
    let of = |seconds| human(TimeDelta::seconds(seconds));
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let cases = [
        (-2, "<invalid>"),
        (-1, "0s"),
        (15, "15s"),
        (119, "119s"),
        (2 * MINUTE, "2m"),
        (2 * MINUTE + 3, "2m3s"),
        (9 * MINUTE + 59, "9m59s"),
        (10 * MINUTE + 59, "10m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR, "3h"),
        (5 * HOUR + 12 * MINUTE, "5h12m"),
        (8 * HOUR + 12 * MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (3 * DAY + 4 * HOUR, "3d4h"),
        (8 * DAY + 4 * HOUR, "8d"),
        (729 * DAY, "729d"),
        (2 * 365 * DAY + DAY, "2y1d"),
        (9 * 365 * DAY + DAY, "9y"),
    ];
    for (seconds, shown) in cases {
        assert_eq!(of(seconds), shown, "{seconds} s");
    }
}

/// What the recorded cluster did not happen to show.
#[test]
fn pods_in_rare_states() {
    let now = time("2026-01-01T01:00:00Z");
    let status = |pod: Value| {
        let cells = cells(find("", "pods"), &pod, now);
        format!(
            "{} {} {}",
            cells[1].as_str().unwrap(),
            cells[2].as_str().unwrap(),
            cells[3].as_str().unwrap()
        )
    };
    let one = json!({"containers": [{"name": "a"}]});
    let two = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let with_init = json!({"initContainers": [{"name": "i"}], "containers": [{"name": "a"}]});
    let running = json!({"name": "a", "ready": true, "state": {"running": {}}});
    let completed =
        json!({"name": "b", "ready": false, "state": {"terminated": {"reason": "Completed", "exitCode": 0}}});
    let waiting =
        |reason: &str| json!({"name": "i", "restartCount": 2, "state": {"waiting": {"reason": reason}}});

    let ready = json!([{"type": "Ready", "status": "True"}]);
    let status_of = |statuses: Value| json!({"phase": "Running", "containerStatuses": statuses});
    assert_eq!(
        status(json!({"spec": two, "status": status_of(json!([running, completed]))})),
        "1/2 NotReady 0"
    );
    let mut both = status_of(json!([running, completed]));
    both["conditions"] = ready;
    assert_eq!(status(json!({"spec": two, "status": both})), "1/2 Running 0");
    let killed = json!([{"name": "a", "state": {"terminated": {"signal": 9, "exitCode": 137}}}]);
    assert_eq!(status(json!({"spec": one, "status": status_of(killed)})), "0/1 Signal:9 0");
    let ended = json!([{"name": "a", "state": {"terminated": {"exitCode": 3}}}]);
    assert_eq!(status(json!({"spec": one, "status": status_of(ended)})), "0/1 ExitCode:3 0");
    let looping = json!([{"name": "a", "restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"finishedAt": "2026-01-01T00:58:30Z"}}}]);
    assert_eq!(
        status(json!({"spec": one, "status": status_of(looping)})),
        "0/1 CrashLoopBackOff 5 (90s ago)"
    );
    let evicted = json!({"phase": "Failed", "reason": "Evicted"});
    assert_eq!(status(json!({"spec": one, "status": evicted})), "0/1 Evicted 0");
    let init = |reason: &str| json!({"phase": "Pending", "initContainerStatuses": [waiting(reason)]});
    assert_eq!(
        status(json!({"spec": with_init, "status": init("CrashLoopBackOff")})),
        "0/1 Init:CrashLoopBackOff 2"
    );
    assert_eq!(status(json!({"spec": with_init, "status": init("PodInitializing")})), "0/1 Init:0/1 2");
    let lost = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": one,
        "status": {"phase": "Running", "reason": "NodeLost"}});
    assert_eq!(status(lost), "0/1 Unknown 0");
    let restarted = json!([{"name": "a", "ready": true, "restartCount": 3, "state": {"running": {}},
        "lastState": {"terminated": {"finishedAt": "2026-01-01T00:30:00Z"}}}]);
    assert_eq!(status(json!({"spec": one, "status": status_of(restarted)})), "1/1 Running 3 (30m ago)");
}

#[test]
fn rows_carry_what_is_asked_for() {
    let now = time("2026-01-01T01:00:00Z");
    let pod = json!({"metadata": {"name": "a", "resourceVersion": "7"}, "status": {"phase": "Failed"}});
    let pods = find("", "pods");
    let row =
        |include| table(pods, &[&pod], &json!({"resourceVersion": "9"}), now, include)["rows"][0].clone();
    assert_eq!(row(IncludeObject::None)["object"], Value::Null);
    assert_eq!(row(IncludeObject::Metadata)["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(row(IncludeObject::Metadata)["object"]["metadata"]["name"], "a");
    assert_eq!(row(IncludeObject::Metadata)["conditions"][0]["reason"], "Failed");
    let whole = row(IncludeObject::Object);
    assert_eq!((&whole["object"]["kind"], &whole["object"]["apiVersion"]), (&json!("Pod"), &json!("v1")));
    assert_eq!(IncludeObject::parse(""), Some(IncludeObject::Metadata));
    assert_eq!(IncludeObject::parse("All"), None);

    let first = event(pods, &pod, now, IncludeObject::Metadata, true);
    assert_eq!(first["columnDefinitions"][0]["format"], "name");
    assert_eq!(first["metadata"]["resourceVersion"], "7");
    assert_eq!(event(pods, &pod, now, IncludeObject::Metadata, false)["columnDefinitions"], Value::Null);
}

#[test]
fn clients_say_which_form_they_want() {
    let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
    assert_eq!(Form::of(kubectl), Some(Form::Table));
    assert_eq!(Form::of("application/vnd.kubernetes.protobuf,application/json"), Some(Form::Object));
    assert_eq!(Form::of("application/json, */*"), Some(Form::Object));
    assert_eq!(Form::of(""), Some(Form::Object));
    assert_eq!(
        Form::of("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"),
        Some(Form::Metadata)
    );
    assert_eq!(
        Form::of("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"),
        Some(Form::MetadataList)
    );
    assert_eq!(Form::of("application/json;as=Table;g=meta.k8s.io;v=v1beta1"), None);
    assert_eq!(Form::of("application/yaml"), None);
}
