use super::*;

fn connection(name: &str) -> ConnectionName {
    ConnectionName::try_from(name.to_owned()).unwrap()
}

/// What Prometheus is told after `happening`, without the help lines.
fn rendered(happening: impl FnOnce()) -> String {
    let recorder = recorder().unwrap();
    metrics::with_local_recorder(&recorder, happening);
    let text = recorder.handle().render();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn each_happening_has_its_metric() {
    let text = rendered(|| {
        count_messages(MessageResult::PassedOver, 7);
        count_event("pull_request.opened");
        count_rule("points", "lacks");
        count_webhooks(&connection("forge.main"), WebhookResult::TooLarge, 2);
        count_action("start", &connection("jenkins.main"), ActionOutcome::Retried);
        set_actions_waiting(&connection("jenkins.main"), 3);
        set_buried(2);
        set_dead_letters(1);
        set_lag(Duration::from_millis(1_500));
        set_last_message("2026-11-20T08:00:00.5Z".parse().unwrap());
    });
    insta::assert_snapshot!(text, @r#"
    # TYPE pointsman_actions_total counter
    # TYPE pointsman_actions_waiting gauge
    # TYPE pointsman_buried gauge
    # TYPE pointsman_dead_letters gauge
    # TYPE pointsman_events_total counter
    # TYPE pointsman_lag_seconds gauge
    # TYPE pointsman_last_message_timestamp_seconds gauge
    # TYPE pointsman_messages_total counter
    # TYPE pointsman_rules_total counter
    # TYPE pointsman_webhooks_total counter
    pointsman_actions_total{kind="start",connection="jenkins.main",outcome="retried"} 1
    pointsman_actions_waiting{connection="jenkins.main"} 3
    pointsman_buried 2
    pointsman_dead_letters 1
    pointsman_events_total{kind="pull_request.opened"} 1
    pointsman_lag_seconds 1.5
    pointsman_last_message_timestamp_seconds 1795161600.5
    pointsman_messages_total{result="passed_over"} 7
    pointsman_rules_total{rule="points",outcome="lacks"} 1
    pointsman_webhooks_total{connection="forge.main",result="too_large"} 2
    "#);
}

#[test]
fn a_source_that_nobody_hears_any_more_is_seen() {
    let text = rendered(|| {
        let source = connection("forge.main");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        polled::begin(&source);
        polled::count(&source, true, at("2026-11-20T08:00:00Z"));
        polled::set_newest(&source, at("2026-11-20T07:58:30Z"), Duration::from_secs(90));
        polled::set_waiting(&source, 2);
        polled::count(&source, false, at("2026-11-20T08:02:00Z"));
        polled::set_failures(&source, 1);
    });
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    pointsman_poll_failures{connection="forge.main"} 1
    pointsman_poll_lag_seconds{connection="forge.main"} 90
    pointsman_poll_last_success_timestamp_seconds{connection="forge.main"} 1795161600
    pointsman_poll_last_timestamp_seconds{connection="forge.main"} 1795161720
    pointsman_poll_newest_timestamp_seconds{connection="forge.main"} 1795161510
    pointsman_poll_waiting_series{connection="forge.main"} 2
    pointsman_polls_total{connection="forge.main",result="failed"} 1
    pointsman_polls_total{connection="forge.main",result="ok"} 1
    "#);
}

#[test]
fn histograms_have_buckets_and_no_quantiles() {
    let text = rendered(|| {
        record_action_time("report", &connection("pagure.io"), Duration::from_millis(300));
        record_intake_batch(40);
    });
    let count = |part: &str| text.lines().filter(|line| line.contains(part)).count();
    assert_eq!(count("quantile"), 0, "{text}");
    assert_eq!(count("pointsman_action_seconds_bucket"), ACTION_BUCKETS_SECONDS.len() + 1);
    assert!(text.contains(
        "pointsman_action_seconds_bucket{kind=\"report\",connection=\"pagure.io\",le=\"0.25\"} 0"
    ));
    assert!(text.contains(
        "pointsman_action_seconds_bucket{kind=\"report\",connection=\"pagure.io\",le=\"0.5\"} 1"
    ));
    assert!(text.contains("pointsman_intake_batch_messages_bucket{le=\"50\"} 1"));
}

#[test]
fn every_metric_is_explained() {
    let text = rendered(|| {
        describe();
        begin_at_zero();
        count_event("pull_request.opened");
        count_rule("points", "lacks");
        let connection = connection("jenkins.main");
        count_action("start", &connection, ActionOutcome::Done);
        record_action_time("start", &connection, Duration::ZERO);
        set_actions_waiting(&connection, 0);
        record_intake_batch(1);
        set_last_message(Timestamp::UNIX_EPOCH);
        set_rules(1, false, Timestamp::UNIX_EPOCH);
        count_reconcile(&connection, true);
        count_reconcile_found(&connection, "noted");
        begin_announcements("images");
    });
    for name in [
        MESSAGES,
        EVENTS,
        RULES,
        ACTIONS,
        ACTION_SECONDS,
        ACTIONS_WAITING,
        BURIED,
        DEAD_LETTERS,
        LAG,
        INTAKE_BATCH,
        LAST_MESSAGE,
        RELOADS,
        RULES_FAULTY,
        RULES_LOADED,
        RULES_IN_FORCE,
        RECONCILE,
        RECONCILE_FOUND,
        ANNOUNCEMENTS,
    ] {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} in {text}");
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} in {text}");
    }
}

#[test]
fn recording_begins_once_and_at_zero() {
    let first = start();
    count_event("of.this.and.no.other.place");
    assert!(start().render().contains("of.this.and.no.other.place"));
    assert!(first.render().contains("pointsman_messages_total{result=\"dead\"}"));
}

#[test]
fn what_a_rule_has_not_come_to_yet_is_known() {
    let page = rendered(|| begin_rules(["points"]));
    for outcome in ["fired", "shadow", "failed"] {
        let line = format!("pointsman_rules_total{{rule=\"points\",outcome=\"{outcome}\"}} 0");
        assert!(page.contains(&line), "{page}");
    }
}
