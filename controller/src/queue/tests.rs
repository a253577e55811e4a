use super::*;

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.to_owned(), kind: Kind::Rollout, name: name.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_handed_out_once_and_again_when_added_meanwhile() {
    let queue = Queue::default();
    queue.add(key("a", "x"));
    queue.add(key("a", "x"));
    assert_eq!(queue.lock().queued.len(), 1);
    let first = queue.next().await;
    queue.add(key("a", "x"));
    assert_eq!(queue.lock().queued.len(), 0, "a worker has it");
    queue.done(first.clone(), Outcome::Done);
    assert_eq!(queue.next().await, first);
}

#[tokio::test(start_paused = true)]
async fn namespaces_take_turns() {
    let queue = Queue::default();
    for name in ["1", "2", "3"] {
        queue.add(key("big", name));
    }
    queue.add(key("small", "1"));
    let order = [queue.next().await, queue.next().await, queue.next().await];
    assert_eq!(order, [key("big", "1"), key("small", "1"), key("big", "2")]);
}

#[tokio::test(start_paused = true)]
async fn failures_wait_longer_each_time_and_success_forgets_them() {
    let queue = Queue::default();
    queue.add(key("a", "x"));
    let mut waits = Vec::new();
    for _ in 0..3 {
        let got = queue.next().await;
        let before = Instant::now();
        queue.done(got, Outcome::Retry);
        let again = queue.next().await;
        waits.push(before.elapsed().as_millis());
        queue.done(again.clone(), Outcome::Retry);
    }
    assert!(waits.is_sorted() && waits[0] >= 5, "{waits:?}");
    let got = queue.next().await;
    queue.done(got.clone(), Outcome::Done);
    queue.add(got);
    let got = queue.next().await;
    let before = Instant::now();
    queue.done(got, Outcome::Retry);
    queue.next().await;
    assert_eq!(before.elapsed(), BACKOFF_MIN);
}

#[tokio::test(start_paused = true)]
async fn the_earliest_wake_up_counts() {
    let queue = Queue::default();
    queue.add(key("a", "x"));
    let got = queue.next().await;
    let start = Instant::now();
    queue.done(got.clone(), Outcome::Wake(start + Duration::from_secs(60)));
    queue.add(got);
    let got = queue.next().await;
    queue.done(got, Outcome::Wake(start + Duration::from_secs(30)));
    queue.next().await;
    assert_eq!(start.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn what_is_told_and_how_long_it_waits_is_known() {
    let queue = Queue::default();
    let start = Instant::now();
    queue.add(key("a", "x"));
    tokio::time::advance(Duration::from_secs(2)).await;
    queue.add(key("a", "x"));
    let mut page = Page::default();
    queue.show(&mut page);
    let text = page.into_text();
    assert!(text.contains("stepgate_queue_oldest_seconds{name=\"Rollouts\"} 2\n"), "{text}");
    assert!(text.contains("workqueue_depth{name=\"Rollouts\"} 1\n"), "{text}");
    let got = queue.next().await;
    assert_eq!(queue.told(&got), Some(start), "the first change counts");
    queue.done(got.clone(), Outcome::Wake(Instant::now() + Duration::from_secs(1)));
    let got = queue.next().await;
    assert_eq!(queue.told(&got), None, "a time has come, nothing was told");
    queue.done(got, Outcome::Retry);
    let mut page = Page::default();
    queue.show(&mut page);
    let text = page.into_text();
    assert!(text.contains("workqueue_retries_total{name=\"Rollouts\"} 1\n"), "{text}");
    assert!(text.contains("workqueue_queue_duration_seconds_sum{name=\"Rollouts\"} 2\n"), "{text}");
}
