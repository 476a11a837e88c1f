//! Whether a LAVA can be used, asked before anything depends on it.

use async_trait::async_trait;

use super::Lava;
use crate::executors::{Finding, Probe};
use crate::remote::{Failure, chain};

#[async_trait]
impl Probe for Lava {
    /// Looks at the token and at the boards; which jobs there are is said by the rules.
    async fn probe(&self, _jobs: &[String]) -> Vec<Finding> {
        let problem = self.client.own().await.err().map(|failure| told(&failure));
        let is_usable = problem.is_none();
        let mut findings = vec![Finding { subject: "the token".to_owned(), problem }];
        if is_usable {
            let problem = match self.boards_by(&[]).await {
                Err(failure) => Some(told(&failure)),
                Ok(boards) if boards.known == 0 => {
                    Some("there are none, or its user may not see them".to_owned())
                }
                Ok(_) => None,
            };
            findings.push(Finding { subject: "the boards".to_owned(), problem });
        }
        findings
    }
}

fn told(failure: &Failure) -> String {
    let (Failure::Retry { source, .. } | Failure::GiveUp(source)) = failure;
    chain(source.as_ref())
}
