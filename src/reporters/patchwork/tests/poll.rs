use super::*;

#[tokio::test]
async fn a_series_is_told_once_and_whole() {
    let mut world = World::new().await;
    assert_eq!(world.told().await, []);
    let mut new = series("first", 2);
    new.version = 2;
    new.tags = vec!["signalbox-next".to_owned()];
    world.post(&new);
    let told = world.told().await;
    let [event] = told.as_slice() else { panic!("{told:?}") };
    insta::assert_yaml_snapshot!(masked(event, &world), @r#"
    at: ~
    event: series.posted
    instance: patches.example
    project: signalbox-devel
    series:
      cover:
        id: "5"
        mbox: "https://patches.example/project/signalbox-devel/cover/first-0@points.example/mbox/"
        msgid: first-0@points.example
        title: Oil the blades
        url: "https://patches.example/project/signalbox-devel/cover/first-0@points.example/"
      hints:
        base: ~
        change_id: ~
        depends: []
        notes: []
        prerequisites: []
      id: "6"
      mbox: "https://patches.example/series/6/mbox/"
      patches:
        - id: "7"
          mbox: "https://patches.example/project/signalbox-devel/patch/first-1@points.example/mbox/"
          msgid: first-1@points.example
          title: "points: Oil blade 1"
          url: "https://patches.example/project/signalbox-devel/patch/first-1@points.example/"
        - id: "8"
          mbox: "https://patches.example/project/signalbox-devel/patch/first-2@points.example/mbox/"
          msgid: first-2@points.example
          title: "points: Oil blade 2"
          url: "https://patches.example/project/signalbox-devel/patch/first-2@points.example/"
      root: first-0@points.example
      sent_at: "2026-11-20T08:01:00Z"
      submitter:
        email: ada@points.example
        id: "4"
        name: Ada
        vouched: false
      tags:
        - signalbox-next
      title: Oil the blades
      url: "https://patches.example/project/signalbox-devel/list/?series=6"
      version: 2
    "#);
    assert_eq!(world.told().await, []);
    world.restart();
    assert_eq!(world.told().await, []);
}

#[tokio::test]
async fn what_was_there_before_is_not_told() {
    let mut world = World::new().await;
    for number in 0..5 {
        world.post(&series(&format!("old{number}"), 1));
    }
    assert_eq!(world.told().await, []);
    world.post(&series("new", 1));
    insta::assert_snapshot!(shown(&world.told().await), @"series.posted v1 points: Oil blade 1: points: Oil blade 1");
}

#[tokio::test]
async fn the_first_of_all_series_is_told() {
    let mut world = World::new().await;
    assert_eq!(world.told().await, []);
    world.pass(60 * 24 * 3);
    world.post(&series("first", 1));
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn nothing_is_lost_on_any_page() {
    let mut world = World::new().await;
    world.post(&series("before", 1));
    world.told().await;
    world.stand_in.set_page_max(1);
    let posted: Vec<String> = (0..70).map(|number| format!("s{number}")).collect();
    for msgid in &posted {
        world.post(&series(msgid, 1));
    }
    let told = world.told().await;
    let roots: Vec<String> = told.iter().map(|event| event.series.root.clone()).collect();
    let expected: Vec<String> = posted.iter().map(|id| format!("{id}-1@points.example")).collect();
    assert_eq!(roots, expected);
    assert_eq!(world.told().await, []);
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_followed() {
    let mut world = World::new().await;
    world.told().await;
    world.stand_in.set_page_max(1);
    world.stand_in.set_link_base("http://127.0.0.1:9");
    world.post(&series("one", 1));
    world.post(&series("two", 1));
    let failed = world.fails().await.replace(char::is_numeric, "N");
    insta::assert_snapshot!(failed, @"permanent failure: cannot read events: its next page is not at `NNN.N.N.N`: http://NNN.N.N.N:N/api/N.N/events/?project=signalbox-devel&category=series-completed&order=date&per_page=NNN&page=N");
}

#[tokio::test]
async fn what_is_told_again_is_no_news() {
    let mut world = World::new().await;
    world.told().await;
    let posted = world.post(&series("one", 2));
    assert_eq!(world.told().await.len(), 1);
    for _ in 0..3 {
        world.stand_in.tell_again(posted.series);
        assert_eq!(world.told().await, []);
    }
}

#[tokio::test]
async fn what_is_not_stored_yet_is_waited_for_and_stops_nothing() {
    let mut world = World::new().await;
    world.told().await;
    let early = world.post(&series("early", 3));
    world.stand_in.hold_back(early.patches[2]);
    world.post(&series("whole", 1));
    let look = world.look().await;
    assert_eq!(events(&look.messages).len(), 1);
    assert_eq!((look.waiting, look.has_more), (1, false));
    world.restart();
    world.pass(2);
    let look = world.look().await;
    assert_eq!((look.messages.len(), look.waiting), (0, 1));
    world.stand_in.release();
    world.pass(10);
    let told = world.told().await;
    insta::assert_snapshot!(shown(&told), @"series.posted v1 Oil the blades: points: Oil blade 1, points: Oil blade 2, points: Oil blade 3");
    assert_eq!(world.look().await.waiting, 0);
}

#[tokio::test]
async fn what_never_becomes_whole_is_given_up() {
    let mut world = World::with(|settings| settings.incomplete = Duration::from_hours(6)).await;
    world.told().await;
    let posted = world.post(&series("torn", 2));
    world.stand_in.hold_back(posted.patches[1]);
    world.told().await;
    for _ in 0..7 {
        world.pass(60);
        world.look().await;
    }
    assert_eq!(world.look().await.waiting, 0);
    let path = format!("GET /api/1.3/series/{}/", posted.series);
    let asked = world.calls(&path);
    assert!((5..20).contains(&asked), "{asked}");
    world.pass(60);
    world.look().await;
    assert_eq!(world.calls(&path), asked);
    // What comes after all is told by an event of its own.
    world.stand_in.release();
    world.stand_in.tell_again(posted.series);
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn a_series_that_cannot_be_read_stops_no_other() {
    let mut world = World::new().await;
    world.told().await;
    let bad = world.post(&series("bad", 1));
    world.post(&series("good", 1));
    let path = format!("/patches/{}/", bad.patches[0]);
    world.stand_in.set_broken(&path, 500);
    let told = world.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].series.root, "good-1@points.example");
    world.stand_in.set_broken(&path, 0);
    world.pass(10);
    assert_eq!(world.told().await[0].series.root, "bad-1@points.example");
}

#[tokio::test]
async fn a_project_that_is_not_there_is_no_silence() {
    let mut world = World::with(|settings| settings.projects = vec!["nowhere".to_owned()]).await;
    insta::assert_snapshot!(world.fails().await, @"permanent failure: there is no project `nowhere`");
    world.settings.projects = vec!["nowhere".to_owned(), PROJECT.to_owned()];
    world.restart();
    assert_eq!(world.told().await, []);
    world.post(&series("one", 1));
    assert_eq!(world.told().await.len(), 1);
    // One that is taken away is noticed, too.
    world.stand_in.remove_project(PROJECT);
    world.pass(61);
    assert!(world.fails().await.contains("there is no project"));
}

#[tokio::test]
async fn the_number_of_a_project_is_not_its_name() {
    let world = World::with(|settings| settings.projects = vec!["2".to_owned()]).await;
    insta::assert_snapshot!(world.fails().await, @"permanent failure: there is no project `2`, but one that is number 2");
}

#[tokio::test]
async fn a_server_elsewhere_is_understood() {
    let mut world = World::new().await;
    world.stand_in.set_zone(11);
    world.post(&series("before", 1));
    assert_eq!(world.told().await, []);
    world.post(&series("one", 1));
    assert_eq!(world.told().await.len(), 1);
    // Its dates are no times that could be told.
    assert_eq!(world.look().await.newest, None);
}

#[tokio::test]
async fn a_clock_that_is_put_back_an_hour_hides_nothing() {
    let mut world = World::new().await;
    world.stand_in.set_zone(1);
    world.post(&series("before", 1));
    world.told().await;
    world.stand_in.set_zone(0);
    world.post(&series("one", 1));
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn a_server_that_changes_its_zone_is_followed_within_the_hour() {
    let mut world = World::new().await;
    world.post(&series("before", 1));
    world.told().await;
    world.stand_in.set_zone(-8);
    world.post(&series("one", 1));
    assert_eq!(world.told().await, []);
    world.pass(61);
    assert_eq!(world.told().await.len(), 1);
    // From then on it is as it was.
    world.post(&series("two", 1));
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn a_date_that_cannot_be_does_not_make_us_deaf() {
    let mut world = World::new().await;
    world.post(&series("before", 1));
    world.told().await;
    world.stand_in.set_zone(24 * 400);
    world.post(&series("glitch", 1));
    world.stand_in.set_zone(0);
    assert_eq!(world.told().await.len(), 1);
    world.post(&series("after", 1));
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn numbers_that_begin_anew_are_news() {
    let mut world = World::new().await;
    world.stand_in.set_next_event(1_000_000);
    world.post(&series("before", 1));
    world.told().await;
    world.stand_in.set_next_event(7);
    world.pass(5);
    world.post(&series("after", 1));
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn a_list_that_is_read_in_anew_is_no_news() {
    let mut world = World::new().await;
    world.told().await;
    let mut mails = world.stand_in.mails_of(&series("old", 2));
    for mail in &mut mails {
        mail.date = Some(world.now() - SignedDuration::from_hours(30));
        world.stand_in.deliver(PROJECT, mail).unwrap();
    }
    assert_eq!(world.told().await, []);
    assert_eq!(world.look().await.waiting, 0);
}

#[tokio::test]
async fn what_came_while_nobody_asked_is_as_new_as_it_was() {
    let mut world = World::new().await;
    world.told().await;
    world.pass(60 * 30);
    world.post(&series("meanwhile", 1));
    world.pass(60 * 24 * 5);
    world.restart();
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn a_cover_letter_that_comes_last_is_waited_for() {
    let mut world = World::new().await;
    world.told().await;
    let mails = world.stand_in.mails_of(&series("late", 2));
    for mail in &mails[1..] {
        world.stand_in.deliver(PROJECT, mail).unwrap();
    }
    let look = world.look().await;
    assert_eq!((look.messages.len(), look.waiting), (0, 1));
    world.stand_in.deliver(PROJECT, &mails[0]).unwrap();
    world.pass(5);
    let told = world.told().await;
    assert_eq!(told[0].series.root, mails[0].msgid);
}

#[tokio::test]
async fn a_cover_letter_that_never_comes_is_not() {
    let mut world = World::new().await;
    world.told().await;
    let mails = world.stand_in.mails_of(&series("bare", 2));
    for mail in &mails[1..] {
        world.stand_in.deliver(PROJECT, mail).unwrap();
    }
    assert_eq!(world.told().await, []);
    world.pass(10);
    let told = world.told().await;
    assert_eq!(
        (told[0].series.root.as_str(), told[0].series.cover.is_none()),
        (mails[1].msgid.as_str(), true)
    );
}

#[tokio::test]
async fn reading_proves_nothing_to_nobody() {
    let mut world = World::new().await;
    world.told().await;
    world.post(&series("one", 2));
    world.told().await;
    world.reconciled().await;
    let calls = world.stand_in.calls();
    let proven: Vec<_> = calls.iter().filter(|(_, is_proven)| *is_proven).collect();
    assert!(proven.is_empty() && calls.len() > 10, "{proven:?}");
}

#[tokio::test]
async fn an_older_api_tells_of_series_but_not_of_comments() {
    let mut world = World::new().await;
    world.stand_in.set_api("1.2");
    world.told().await;
    let posted = world.post(&series("one", 1));
    world.stand_in.comment(PROJECT, &posted.msgids[0], (ADA, "c@x"), "/ci retest").unwrap();
    assert_eq!(world.told().await.len(), 1);
    assert_eq!(world.calls("GET /api/1.3/events"), 0);
}

#[tokio::test]
async fn a_cursor_that_cannot_be_read_begins_anew() {
    let mut world = World::new().await;
    world.post(&series("one", 1));
    world.cursor = Some("nonsense".to_owned());
    assert_eq!(world.told().await, []);
    world.post(&series("two", 1));
    assert_eq!(world.told().await.len(), 1);
}
