//! The commands that reach out: `publish` and `ready`.

use super::*;

#[tokio::test]
async fn messages_are_put_into_the_inbox_and_a_bad_one_does_not_stop_the_others() {
    let world = World::new();
    world.ledger();
    let records = "{\"topic\":\"a.b\",\"body\":{},\"id\":\"one\"}\n{oops\n\
                   {\"topic\":\"a.b\",\"body\":{},\"id\":\"2019-two\"}\n";
    let outcome = world.reads(records, &["publish", "-"]).await;
    assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Failure, "one\n2019-two\n"));
    assert!(outcome.errors.starts_with("error: line 2: no JSON"), "{}", outcome.errors);
    let waiting = world.ledger().inbox(0, 10).await.unwrap();
    let ids: Vec<_> = waiting.iter().map(|one| one.message.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["one", "2019-two"]);
}

#[tokio::test]
async fn a_bare_body_gets_an_id_of_its_own() {
    let world = World::new();
    world.ledger();
    world.write("body.json", "{\"a\": 1}");
    let file = world.file("body.json");
    let shown = world.shows(&["publish", "--topic", "x.y", &file]).await;
    let waiting = world.ledger().inbox(0, 10).await.unwrap();
    assert_eq!(waiting[0].message.id.as_deref(), Some(shown.trim()));
    assert_eq!(waiting[0].message.body, b"{\"a\": 1}");
    let outcome = world.reads("no JSON", &["publish", "--topic", "x.y", "-"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_told_of() {
    let world = World::new();
    let broker = "[amqp]\nurl = 'amqp://127.0.0.1:1'\nqueue = 'q'\n";
    world.write("broker.toml", broker);
    let file = world.file("broker.toml");
    let record = "{\"topic\":\"a.b\",\"body\":{}}\n";
    let outcome = world.reads(record, &["-c", &file, "publish", "-"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    assert!(
        outcome.errors.starts_with("error: line 1: cannot publish `a.b`"),
        "{}",
        outcome.errors
    );
}

#[tokio::test]
async fn a_service_that_is_not_there_is_not_ready() {
    let world = World::new();
    let outcome = world.does(&["ready", "--url", "http://127.0.0.1:1"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    assert!(
        outcome.errors.starts_with("error: cannot ask http://127.0.0.1:1/"),
        "{}",
        outcome.errors
    );
}

#[tokio::test]
async fn who_polls_for_others_needs_a_broker_and_somebody_to_ask() {
    let world = World::new();
    let outcome = world.does(&["poll", "--once"]).await;
    assert_eq!(outcome.exit, Exit::Usage);
    insta::assert_snapshot!(outcome.errors, @r#"error: there is no broker to publish on (`[amqp]`); without one the service asks by itself (`polled_by = "service"`)"#);

    world.write("broker.toml", "[amqp]\nurl = 'amqp://127.0.0.1:1'\n");
    let outcome = world.does(&["-c", &world.file("broker.toml"), "poll", "--once"]).await;
    assert_eq!(outcome.exit, Exit::Usage);
    insta::assert_snapshot!(outcome.errors, @r#"error: there is nobody to ask: no source has `polled_by = "poller"`"#);
}
