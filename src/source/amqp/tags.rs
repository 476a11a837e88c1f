//! Which deliveries of one channel may be acknowledged, and up to which tag.
//!
//! A broker numbers the deliveries of a channel 1, 2, 3 …; one acknowledgement can cover all up to
//! a tag.  It must never cover a message that somebody wants and that is not stored yet.

use std::collections::VecDeque;

/// The tags of one channel.
#[derive(Debug, Default)]
pub(super) struct Tags {
    /// All up to this one are acknowledged.
    settled: u64,
    /// The last that was delivered.
    last: u64,
    /// The first that somebody wants in the batch that is being gathered.
    first_wanted: Option<u64>,
    /// The batches that were handed over and are not acknowledged, oldest first.
    in_hand: VecDeque<Handed>,
}

/// A batch that was handed over.
#[derive(Debug)]
struct Handed {
    /// Its first delivery that somebody wants, if this channel had one.
    first_wanted: Option<u64>,
    /// The last delivery of this channel when it was handed over.
    last: u64,
}

impl Tags {
    /// A delivery that nobody wants has come.
    pub(super) fn pass(&mut self, tag: u64) {
        self.last = self.last.max(tag);
    }

    /// A delivery that somebody wants has come.
    pub(super) fn hold(&mut self, tag: u64) {
        self.last = self.last.max(tag);
        self.first_wanted.get_or_insert(tag);
    }

    /// What has come so far is handed over as a batch.
    pub(super) fn hand_over(&mut self) {
        let first_wanted = self.first_wanted.take();
        self.in_hand.push_back(Handed { first_wanted, last: self.last });
    }

    /// Whether something was handed over and is not acknowledged.
    pub(super) fn holds(&self) -> bool {
        !self.in_hand.is_empty()
    }

    /// How many deliveries can be acknowledged although nothing was stored: those before the
    /// first that somebody wants.
    pub(super) fn free(&self) -> u64 {
        self.free_until().saturating_sub(self.settled)
    }

    /// The tag up to which to acknowledge without a proof, which is assumed to be done.
    pub(super) fn settle_free(&mut self) -> Option<u64> {
        let until = self.free_until();
        self.settle(until)
    }

    /// The tag up to which to acknowledge once the oldest batch in hand is stored, which is
    /// assumed to be done.
    pub(super) fn settle_oldest(&mut self) -> Option<u64> {
        let oldest = self.in_hand.pop_front()?;
        self.settle(oldest.last)
    }

    fn free_until(&self) -> u64 {
        let in_hand = self.in_hand.iter().find_map(|handed| handed.first_wanted);
        in_hand.or(self.first_wanted).map_or(self.last, |tag| tag.saturating_sub(1))
    }

    fn settle(&mut self, until: u64) -> Option<u64> {
        if until <= self.settled {
            return None;
        }
        self.settled = until;
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_nobody_wants_is_acknowledged_in_bulk() {
        let mut tags = Tags::default();
        (1..=100).for_each(|tag| tags.pass(tag));
        assert_eq!(tags.free(), 100);
        assert_eq!(tags.settle_free(), Some(100));
        assert_eq!(tags.settle_free(), None);
    }

    #[test]
    fn what_is_held_and_what_comes_after_it_waits_for_the_proof() {
        let mut tags = Tags::default();
        tags.pass(1);
        tags.pass(2);
        tags.hold(3);
        tags.pass(4);
        assert_eq!(tags.settle_free(), Some(2));
        assert_eq!(tags.free(), 0);
        tags.hand_over();
        assert!(tags.holds());
        assert_eq!(tags.settle_oldest(), Some(4));
        assert!(!tags.holds());
        assert_eq!(tags.settle_oldest(), None);
    }

    #[test]
    fn a_proof_covers_the_oldest_batch_and_not_the_next() {
        let mut tags = Tags::default();
        tags.hold(1);
        tags.hand_over();
        tags.pass(2);
        tags.hold(3);
        tags.hand_over();
        tags.pass(4);
        assert_eq!(tags.settle_free(), None);
        assert_eq!(tags.settle_oldest(), Some(1));
        assert_eq!(tags.settle_free(), Some(2));
        assert!(tags.holds());
        assert_eq!(tags.settle_oldest(), Some(3));
        assert_eq!(tags.settle_free(), Some(4));
    }

    proptest! {
        #[test]
        fn nothing_wanted_is_ever_covered_without_its_proof(
            steps in prop::collection::vec(0..5_u8, 1..60),
        ) {
            let mut tags = Tags::default();
            let mut tag = 0;
            // The wanted ones without a proof: by batch, and those not handed over yet.
            let (mut in_hand, mut gathered) = (VecDeque::<Vec<u64>>::new(), Vec::new());
            for step in steps {
                tag += 1;
                let until = match step {
                    0 => { tags.pass(tag); None }
                    1 => { tags.hold(tag); gathered.push(tag); None }
                    2 => {
                        tags.hand_over();
                        in_hand.push_back(std::mem::take(&mut gathered));
                        None
                    }
                    3 => { in_hand.pop_front(); tags.settle_oldest() }
                    _ => tags.settle_free(),
                };
                let unproven = in_hand.iter().flatten().chain(&gathered).min();
                if let (Some(until), Some(first)) = (until, unproven) {
                    prop_assert!(until < *first);
                }
                if step > 1 {
                    tag -= 1;
                }
            }
        }
    }
}
