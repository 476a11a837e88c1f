//! What a forge said of people, remembered for less than a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Account, Forge, Person};
use crate::clock::Clock;
use crate::event::proposal::PullRequestEvent;
use crate::remote::Failure;
use crate::subject::Subject;

/// A forge whose answers about people are remembered, so that a lively pull request does not ask
/// the same over and over; who lost a right is believed for no longer than this.
pub struct Remembering {
    forge: Arc<dyn Forge>,
    clock: Clock,
    people: Mutex<HashMap<(String, Account), (Timestamp, Person)>>,
}

impl Remembering {
    /// How long an answer is believed.
    pub const BELIEVED: Duration = Duration::from_mins(1);
    /// How many answers are remembered; beyond, the memory starts anew.
    const PEOPLE_MAX: usize = 4096;

    /// Remembers what `forge` says.
    pub fn new(forge: Arc<dyn Forge>, clock: Clock) -> Self {
        Self { forge, clock, people: Mutex::default() }
    }

    fn remembered(&self, about: &(String, Account)) -> Option<Person> {
        // A poisoned lock only means that nothing is remembered.
        let people = self.people.lock().ok()?;
        let (at, person) = people.get(about)?;
        let age = self.clock.now().duration_since(*at);
        let believed = jiff::SignedDuration::try_from(Self::BELIEVED).ok()?;
        (age < believed && !age.is_negative()).then_some(*person)
    }
}

#[async_trait]
impl Forge for Remembering {
    async fn proposal(&self, subject: &Subject) -> Result<PullRequestEvent, Failure> {
        self.forge.proposal(subject).await
    }

    async fn person(&self, project: &str, account: &Account) -> Result<Person, Failure> {
        let about = (project.to_owned(), account.clone());
        if let Some(person) = self.remembered(&about) {
            return Ok(person);
        }
        // Before it is asked: the answer is as old as the question.
        let at = self.clock.now();
        let person = self.forge.person(project, account).await?;
        if let Ok(mut people) = self.people.lock() {
            if people.len() >= Self::PEOPLE_MAX {
                people.clear();
            }
            people.insert(about, (at, person));
        }
        Ok(person)
    }

    async fn open_proposals(&self, project: &str) -> Result<Vec<PullRequestEvent>, Failure> {
        self.forge.open_proposals(project).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::clock::{Hand, from_millis};
    use crate::event::proposal::Standing;

    #[derive(Default)]
    struct Counting(AtomicU32);

    #[async_trait]
    impl Forge for Counting {
        async fn proposal(&self, _subject: &Subject) -> Result<PullRequestEvent, Failure> {
            Err(Failure::give_up(anyhow::anyhow!("not asked here")))
        }

        async fn person(&self, project: &str, _account: &Account) -> Result<Person, Failure> {
            if project == "down" {
                return Err(Failure::retry(anyhow::anyhow!("down")));
            }
            let asked = self.0.fetch_add(1, Ordering::Relaxed);
            let standing = if asked == 0 { Standing::Maintainer } else { Standing::Stranger };
            Ok(Person { standing, ..Person::default() })
        }

        async fn open_proposals(&self, _: &str) -> Result<Vec<PullRequestEvent>, Failure> {
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn an_answer_is_believed_for_a_minute_and_not_for_another_project() {
        let hand = Hand::at(from_millis(1_000_000));
        let forge = Remembering::new(Arc::new(Counting::default()), Clock::manual(hand.clone()));
        let ada = Account { id: Some("7".to_owned()), name: "ada".to_owned() };
        let standing = async |project: &str| forge.person(project, &ada).await.unwrap().standing;
        assert_eq!(standing("one").await, Standing::Maintainer);
        hand.forward_to(from_millis(1_059_999));
        assert_eq!(standing("one").await, Standing::Maintainer);
        assert_eq!(standing("other").await, Standing::Stranger);
        hand.forward_to(from_millis(1_060_000));
        assert_eq!(standing("one").await, Standing::Stranger);
        assert!(forge.person("down", &ada).await.is_err());
    }
}
