//! What is known of one question: whether it is answered, and when it is to be asked again.

use super::{ASK_EVERY, ASK_TIMEOUT};
use tokio::time::Instant;

/// A question with its answer.
pub(super) struct Known<Q, A> {
    /// What is asked for.
    pub(super) about: Q,
    asked: Instant,
    /// Whether an answer is to come.
    waits: bool,
    /// The last answer, if there was any.
    pub(super) answer: Option<Result<A, String>>,
    /// What people were told.
    pub(super) told: Option<A>,
}

impl<Q: PartialEq, A> Known<Q, A> {
    pub(super) fn new(about: Q) -> Self {
        Self { about, asked: Instant::now(), waits: false, answer: None, told: None }
    }

    /// Asks for this from here on: what is known of something else is nothing to it.
    pub(super) fn be_about(&mut self, about: Q) {
        if self.about != about {
            *self = Self::new(about);
        }
    }

    /// The answer does not count any more, nor does one that is to come.
    pub(super) fn forget_answer(&mut self) {
        (self.answer, self.waits) = (None, false);
    }

    /// Whether it is to be asked now: not while an answer is waited for, and no more once it is `right`. An answer that
    /// does not come was lost.
    pub(super) fn is_due(&self, right: impl Fn(&A) -> bool) -> bool {
        match &self.answer {
            _ if self.waits => self.asked.elapsed() >= ASK_TIMEOUT + ASK_EVERY,
            Some(Ok(answer)) if right(answer) => false,
            Some(_) => self.asked.elapsed() >= ASK_EVERY,
            None => true,
        }
    }

    /// It is asked now. The answer from before counts until there is another.
    pub(super) fn asks(&mut self) {
        (self.asked, self.waits) = (Instant::now(), true);
    }

    /// Takes in an answer to this, if one is waited for.
    pub(super) fn take(&mut self, about: &Q, answer: Result<A, String>) {
        if self.waits && self.about == *about {
            (self.answer, self.waits) = (Some(answer), false);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn is_due(known: &Known<u8, u8>) -> bool {
        known.is_due(|answer| *answer == 1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_asked_again_until_the_answer_is_right() {
        let mut known: Known<u8, u8> = Known::new(7);
        assert!(is_due(&known));
        known.asks();
        known.take(&8, Ok(1));
        assert!(known.answer.is_none() && !is_due(&known), "it is no answer to this");
        advance(ASK_TIMEOUT + ASK_EVERY).await;
        assert!(is_due(&known), "the answer was lost");
        known.asks();
        known.take(&7, Ok(0));
        assert!(!is_due(&known));
        advance(ASK_EVERY).await;
        assert!(is_due(&known));
        known.asks();
        assert_eq!(known.answer, Some(Ok(0)), "it counts until there is another");
        known.take(&7, Ok(1));
        advance(ASK_EVERY * 100).await;
        assert!(!is_due(&known));
        known.be_about(8);
        assert!(is_due(&known) && known.answer.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_waits_for_is_dropped() {
        let mut known: Known<u8, u8> = Known::new(7);
        known.asks();
        known.told = Some(1);
        known.forget_answer();
        known.take(&7, Ok(1));
        assert_eq!((&known.answer, known.told), (&None, Some(1)));
        assert!(is_due(&known), "it may have changed since");
    }
}
