//! What can be wrong with what is said of those who announce artifacts, and of labs.

use url::Url;

use super::{Complaint, Complaints, Connection};
use crate::executors::lava::LavaSettings;
use crate::producer::{Producer, ProducerSettings};
use crate::settings::extract::Section;

impl Section for ProducerSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.when(self.artifacts.is_empty(), &["artifacts"], "names none");
        if let Err(error) = Producer::new(self) {
            complaints.when(true, &["artifacts"], &error.to_string());
        }
        complaints.0
    }
}

impl Section for LavaSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.address("url", &self.url);
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.at_least_one("queue_depth", &self.queue_depth);
        complaints.at_least_one("jobs_max", &self.jobs_max);
        complaints.some_time("timeout", self.timeout);
        complaints.some_time("poll_min", self.poll_min);
        complaints.in_order(["poll_min", "poll_max"], [self.poll_min, self.poll_max]);
        complaints.0
    }
}

impl Connection for LavaSettings {
    fn url(&self) -> &Url {
        &self.url
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }
}
