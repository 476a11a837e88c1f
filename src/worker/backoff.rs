//! How long to wait before trying again.

use std::time::Duration;

/// Pauses that double from one try to the next, up to a limit.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The pause after the first try.
    pub min: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Backoff {
    /// The pause after the `attempt`th try, from 1.
    ///
    /// `chance`, from 0 to 1, takes up to half of it away, so that what failed together is not
    /// tried again together.  What the other side asked for is never undercut.
    pub fn pause(self, attempt: u32, chance: f64, asked: Option<Duration>) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let whole = self.min.saturating_mul(1 << doublings).min(self.max);
        let pause = whole.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0);
        asked.map_or(pause, |asked| pause.max(asked))
    }

    /// The pause before the `round`th look at something that takes its time, from 0.
    pub fn interval(self, round: u32) -> Duration {
        self.pause(round.saturating_add(1), 0.0, None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_mins(10) };

    #[test]
    fn pauses_double_up_to_the_limit() {
        let pauses: Vec<_> =
            [1, 2, 3, 10, 11, 40].map(|attempt| BACKOFF.pause(attempt, 0.0, None).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 512, 600, 600]);
    }

    #[test]
    fn half_of_a_pause_is_chance() {
        assert_eq!(BACKOFF.pause(2, 1.0, None), Duration::from_secs(1));
    }

    #[test]
    fn what_was_asked_for_is_waited() {
        let asked = Some(Duration::from_secs(90));
        assert_eq!(BACKOFF.pause(1, 1.0, asked), Duration::from_secs(90));
        assert_eq!(BACKOFF.pause(20, 0.0, asked), Duration::from_mins(10));
    }

    proptest! {
        #[test]
        fn pauses_never_shrink_nor_pass_the_limit(attempt in 0_u32..u32::MAX) {
            let (one, next) = (BACKOFF.interval(attempt), BACKOFF.interval(attempt + 1));
            prop_assert!(one <= next && next <= BACKOFF.max && one >= BACKOFF.min);
        }
    }
}
