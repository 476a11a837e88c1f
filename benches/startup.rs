//! From the start of the program to its being ready.

use crate::service::{Outside, Service};
use crate::table::{Row, Target, median};

/// Measures `runs` starts, each with a new ledger and without a broker.
pub(crate) async fn measure(runs: usize) -> anyhow::Result<Vec<Row>> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let mut service = Service::start(&Outside { amqp: None, jenkins: "http://ci.example/" })?;
        times.push(service.ready().await?.as_secs_f64() * 1e3);
    }
    let middle = median(times);
    Ok(vec![Row {
        measure: "start to ready, without a broker (ms)".to_owned(),
        ours: format!("{middle:.0} ms"),
        other: String::new(),
        value: middle,
        target: Target::AtMost(200.0),
    }])
}
