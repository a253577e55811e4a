//! How often a request is sent again, and after which pause.

use std::time::Duration;

/// Most repetitions of one request.
pub(crate) const RETRIES_MAX: u32 = 3;

/// The pause before the first repetition; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The repetitions of one request.
#[derive(Debug)]
pub(crate) struct Retries {
    left: u32,
    pause: Duration,
}

impl Retries {
    pub(crate) fn new() -> Self {
        Self { left: RETRIES_MAX, pause: FIRST_PAUSE }
    }

    /// Waits, and says whether to send again.
    pub(crate) async fn again(&mut self) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        tokio::time::sleep(self.pause).await;
        self.left = left;
        self.pause = self.pause.saturating_mul(2);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_double_and_end() {
        let start = tokio::time::Instant::now();
        let mut retries = Retries::new();
        let mut times = 0;
        while retries.again().await {
            times += 1;
        }
        assert_eq!((times, start.elapsed()), (RETRIES_MAX, Duration::from_millis(3500)));
    }
}
