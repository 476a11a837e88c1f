//! What is submitted.

use super::*;
use crate::yaml::Node;

fn prepared(order: &Order) -> String {
    let definition = Definition::prepare(order, Some(&door()));
    match definition {
        Ok(definition) => {
            let token = definition.token.unwrap();
            definition.text.replace(token.expose_secret(), "sesame")
        }
        Err(error) => format!("refused: {}", chain(error.as_ref())),
    }
}

#[tokio::test]
async fn the_run_travels_in_the_name_and_in_the_metadata() {
    let yard = Yard::open().await;
    let seen = yard.start(1).await;
    assert_eq!(seen.state, BuildState::Queued(None));
    assert_eq!(seen.run, Some(run(1)));
    assert_eq!(seen.ticket.job, "jobs/shunting.yaml");
    let url = yard.mask(seen.ticket.url.unwrap());
    assert_eq!(url, "https://lava.example/scheduler/job/1");
    let job = yard.lava.jobs().remove(0);
    assert_eq!(job.description, "shunting 00000000000000000000000000000001");
    assert_eq!(job.submitter, US);
    let token = door().token(&run(1));
    let text = job.original_definition.replace(token.expose_secret(), "sesame");
    insta::assert_snapshot!(text, @r#"
    device_type: tank
    job_name: "shunting 00000000000000000000000000000001"
    timeouts:
      job:
        minutes: 5
    visibility: public
    actions: []
    "metadata":
      "pointsman.run": "00000000000000000000000000000001"
      "pointsman.cause": "nano-image 7 on tank"
    "notify":
      "callbacks":
        - "url": "https://pointsman.example/runs/00000000000000000000000000000001/ended"
          "method": "POST"
          "token": "sesame"
          "dataset": "minimal"
          "content-type": "json"
      "criteria":
        "status": "finished"
    "#);
}

#[test]
fn what_the_author_wrote_stays() {
    let definition = "
# The shed is cold in winter.
job_name: shunting
device_type: tank
metadata: {line: up, pointsman.run: mine, nested: {at: 1:30}}
notify:
  criteria: {status: incomplete}
  recipients: [{to: {method: email, user: grace}}]
  callback: {url: 'https://signals.example/', method: GET}
context: {gauge: 1e3, is_steam: yes}
";
    insta::assert_snapshot!(prepared(&defined(definition)), @r#"
    job_name: "shunting 00000000000000000000000000000001"
    device_type: tank
    context:
      gauge: 1e3
      is_steam: yes
    "metadata":
      line: up
      pointsman.run: "00000000000000000000000000000001"
      nested:
        at: 1:30
      "pointsman.cause": "nano-image 7 on tank"
    "notify":
      criteria:
        status: incomplete
      recipients:
        - to:
            method: email
            user: grace
      "callbacks":
        - url: "https://signals.example/"
          method: GET
        - "url": "https://pointsman.example/runs/00000000000000000000000000000001/ended"
          "method": "POST"
          "token": "sesame"
          "dataset": "minimal"
          "content-type": "json"
    "#);
    let several = definition.replace("callback: {", "callbacks: [{").replace("GET}", "GET}]");
    let node = Node::parse(&prepared(&defined(&several))).unwrap();
    assert_eq!(node.get("notify").unwrap().get("callbacks").unwrap().items().len(), 2);
    let definition = Definition::prepare(&defined(definition), None).unwrap();
    assert!(definition.token.is_none() && !definition.text.contains("pointsman.example"));
}

#[test]
fn a_name_is_as_long_as_lava_takes_it() {
    let long = format!("job_name: {}\ndevice_type: tank", "ü".repeat(400));
    let node = Node::parse(&prepared(&defined(&long))).unwrap();
    let name = node.get("job_name").and_then(Node::text).unwrap();
    assert_eq!(name.chars().count(), 200);
    assert!(name.ends_with(run(1).as_str()));
    let bare = Node::parse(&prepared(&defined("device_type: tank"))).unwrap();
    let name = bare.get("job_name").and_then(Node::text).unwrap();
    assert_eq!(name, "jobs/shunting.yaml 00000000000000000000000000000001");
}

#[test]
fn the_board_is_put_where_there_is_none_and_must_be_the_same_where_there_is() {
    let on = |definition: &str, board: &str| {
        let order = Order { board: Some(board.to_owned()), ..defined(definition) };
        prepared(&order)
    };
    assert!(on("job_name: a", "tank").contains("\"device_type\": \"tank\"\n"));
    assert!(on("device_type: tank", "tank").contains("device_type: tank\n"));
    assert_eq!(
        on("device_type: railcar", "tank"),
        "refused: its `device_type` is `railcar`, and it is to run on `tank`"
    );
    assert_eq!(
        prepared(&defined("job_name: a")),
        "refused: it has no `device_type`, and the rule chooses no board"
    );
}

#[test]
fn what_is_no_definition_of_one_job_is_refused() {
    let none = Order { definition: None, ..order(1) };
    let mut told = vec![prepared(&none)];
    for text in [
        " \n",
        "[a]",
        "a: [1",
        "a: 1\na: 2",
        "protocols: {lava-multinode: {roles: {}}}",
        "device_type: tank\nmetadata: [a]",
        "device_type: tank\nnotify: never",
    ] {
        told.push(prepared(&defined(text)));
    }
    let long = format!("device_type: tank\nactions: [{}]", "'aaaaaaaa', ".repeat(15_000));
    told.push(prepared(&defined(&long)));
    insta::assert_snapshot!(told.join("\n"), @r"
    refused: there is no definition: `job` in the rule's `build` has to be the file that has it
    refused: there is no definition: `job` in the rule's `build` has to be the file that has it
    refused: `jobs/shunting.yaml` is no mapping
    refused: `jobs/shunting.yaml` is no YAML: line 2: while parsing a flow sequence, expected ',' or ']'
    refused: `jobs/shunting.yaml` is no YAML: line 2: the key `a` stands there twice
    refused: `jobs/shunting.yaml` is for several boards (multinode), and a run is one job
    refused: its `metadata` is no mapping
    refused: its `notify` is no mapping
    refused: `jobs/shunting.yaml` is longer than 131072 bytes when it is written out
    ");
}
