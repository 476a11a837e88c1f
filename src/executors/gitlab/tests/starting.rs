use secrecy::SecretString;
use url::Url;

use super::*;

#[tokio::test]
async fn a_pipeline_is_started_on_the_branch_and_carries_its_run() {
    let ci = Ci::open().await;
    let seen = ci.start().await;
    assert_eq!(seen.state, BuildState::Queued(None));
    assert_eq!((&seen.run, &seen.reason), (&Some(run(1)), &None));
    let number = number(&seen);
    assert_eq!(
        ci.mask(seen.ticket.url.unwrap()),
        format!("https://forge.example/rail/yard/signalbox/-/pipelines/{number}")
    );
    assert_eq!(seen.ticket.job, PROJECT);
    insta::assert_snapshot!(
        ci.started(),
        @"api blades@aaaa created: LINE=$up & down RUN=00000000000000000000000000000001"
    );
}

#[tokio::test]
async fn a_trigger_token_starts_what_our_own_token_may_not() {
    let ci = Ci::with_trigger("grace").await;
    ci.gitlab.set_access(PROJECT, "pointsman", REPORTER).unwrap();
    ci.start().await;
    insta::assert_snapshot!(
        ci.started(),
        @"trigger blades@aaaa created: LINE=$up & down RUN=00000000000000000000000000000001"
    );
}

#[tokio::test]
async fn a_tag_is_built_like_a_branch() {
    let ci = Ci::open().await;
    ci.gitlab.set_tag(PROJECT, "v1.0", HEAD).unwrap();
    for reference in ["v1.0", "refs/tags/v1.0", "refs/heads/blades"] {
        let order = Order { reference: Some(reference.to_owned()), ..order(1) };
        assert!(ci.us.start(&order, Try::First).await.is_ok(), "{reference}");
    }
}

#[tokio::test]
async fn a_build_is_told_how_to_say_that_it_has_ended() {
    let mut ci = Ci::open().await;
    let page_url = Url::parse("https://pointsman.example/").unwrap();
    let secret = SecretString::from("points-are-set-1".to_owned());
    let door = EndedDoor::new(&page_url, secret).unwrap();
    ci.us.ended = Some(door.clone());
    let mut order = order(1);
    // What a rule says of these names is not taken: it is refused when rules are read.
    order.parameters.insert("POINTSMAN_REPORT_TOKEN".to_owned(), "x".to_owned());
    order.parameters.insert("RUN".to_owned(), "x".to_owned());
    ci.us.start(&order, Try::First).await.unwrap();
    let given = ci.gitlab.pipelines(PROJECT).remove(0).variables;
    assert_eq!(given["POINTSMAN_REPORT_URL"], door.address(&run(1)).as_str());
    assert!(door.is_token(&run(1), &given["POINTSMAN_REPORT_TOKEN"]));
    assert_eq!(given["RUN"], run(1).as_str());
    assert_eq!(given.len(), 4);
}

#[tokio::test]
async fn without_a_branch_nothing_is_started() {
    let ci = Ci::open().await;
    for reference in [None, Some(String::new())] {
        let told = ci.told(ci.us.start(&Order { reference, ..order(1) }, Try::First).await);
        assert!(told.starts_with("gives up: ") && told.contains("say which by `ref`"), "{told}");
    }
    assert_eq!(ci.started(), "");
}

#[tokio::test]
async fn a_branch_that_is_not_there_yet_is_waited_for() {
    let ci = Ci::open().await;
    let later = Order { reference: Some("later".to_owned()), ..order(1) };
    insta::assert_snapshot!(
        ci.told(ci.us.start(&later, Try::First).await),
        @"tries again None: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main: there is no branch or tag `later` there (yet)"
    );
    // A mirror has the branch, and not the commit.
    let ahead = Order { sha: Some(CommitSha::try_from(OTHER.to_owned()).unwrap()), ..order(1) };
    insta::assert_snapshot!(
        ci.told(ci.us.start(&ahead, Try::First).await),
        @"tries again None: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main: `blades` is not at commit bbbbbbbbbbbb yet"
    );
    assert_eq!(ci.started(), "");
    ci.gitlab.set_branch(PROJECT, "later", HEAD).unwrap();
    assert!(ci.us.start(&later, Try::Again).await.is_ok());
}

#[tokio::test]
async fn a_branch_that_has_moved_on_is_not_built() {
    let ci = Ci::open().await;
    ci.gitlab.set_branch(PROJECT, "blades", OTHER).unwrap();
    insta::assert_snapshot!(
        ci.told(ci.us.start(&order(1), Try::First).await),
        @"gives up: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main: `blades` is not at commit aaaaaaaaaaaa any more, but at bbbbbbbbbbbb"
    );
    assert_eq!(ci.started(), "");
}

#[tokio::test]
async fn a_branch_that_moves_while_it_is_ordered_is_built_no_further() {
    let ci = Ci::open().await;
    // The branch is looked at first, and moves before the pipeline begins.
    ci.gitlab.move_at_start(PROJECT, "blades", OTHER).unwrap();
    insta::assert_snapshot!(
        ci.told(ci.us.start(&order(1), Try::First).await),
        @"gives up: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main: `blades` is not at commit aaaaaaaaaaaa any more, but at bbbbbbbbbbbb"
    );
    insta::assert_snapshot!(
        ci.started(),
        @"api blades@bbbb canceled: LINE=$up & down RUN=00000000000000000000000000000001"
    );
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let ci = Ci::with_trigger("grace").await;
    ci.start().await;
    let text = format!("{:?}", ci.us);
    assert!(!text.contains(TOKEN) && !text.contains(TRIGGER), "{text}");
}
