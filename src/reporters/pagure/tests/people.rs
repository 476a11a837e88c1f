use super::*;
use crate::clock::{Hand, from_millis};
use crate::event::EventKind;
use crate::event::proposal::Standing;
use crate::forges::{Account, Forge, Person};

impl World {
    async fn person(&self, name: &str) -> Person {
        let account = Account { id: None, name: name.to_owned() };
        self.reporter.person(&self.subject.project, &account).await.unwrap()
    }

    async fn standing(&self, name: &str) -> Standing {
        self.person(name).await.standing
    }
}

#[tokio::test]
async fn what_somebody_is_follows_from_the_access_lists() {
    let world = World::new().await;
    for (user, right) in
        [("mary", "admin"), ("joan", "commit"), ("kay", "collaborator"), ("eve", "ticket")]
    {
        world.pagure.grant(PROJECT, right, user).unwrap();
    }
    for (name, standing) in [
        ("grace", Standing::Maintainer),
        ("mary", Standing::Maintainer),
        ("joan", Standing::Maintainer),
        ("kay", Standing::Contributor),
        ("eve", Standing::Stranger),
        ("ada", Standing::Stranger),
    ] {
        assert_eq!(world.standing(name).await, standing, "{name}");
    }
    assert!(world.person("pointsman").await.is_own);
    assert!(!world.person("grace").await.is_own);
    let ada = Account { id: None, name: "ada".to_owned() };
    let nowhere = world.reporter.person("rpms/nowhere", &ada).await.unwrap();
    assert_eq!(nowhere, Person::default());
}

#[tokio::test]
async fn members_of_groups_have_the_rights_of_their_groups_for_a_minute() {
    let hand = Hand::at(from_millis(1_795_162_907_000));
    let world = World::at(Clock::manual(hand.clone())).await;
    world.pagure.set_group("signalmen", &["joan", "kay"]);
    world.pagure.set_group("porters", &["kay", "eve"]);
    world.pagure.grant_group(PROJECT, "commit", "signalmen").unwrap();
    world.pagure.grant_group(PROJECT, "collaborator", "porters").unwrap();
    world.pagure.grant_group(PROJECT, "collaborator", "nobody-made-it").unwrap();
    assert_eq!(world.standing("joan").await, Standing::Maintainer);
    assert_eq!(world.standing("kay").await, Standing::Maintainer);
    assert_eq!(world.standing("eve").await, Standing::Contributor);
    assert_eq!(world.standing("ada").await, Standing::Stranger);

    world.pagure.set_group("signalmen", &[]);
    hand.forward_to(from_millis(1_795_162_907_000 + 59_000));
    assert_eq!(world.standing("joan").await, Standing::Maintainer);
    hand.forward_to(from_millis(1_795_162_907_000 + 60_000));
    assert_eq!(world.standing("joan").await, Standing::Stranger);
    assert_eq!(world.standing("kay").await, Standing::Contributor);
}

#[tokio::test]
async fn a_proposal_is_told_as_it_is_now() {
    let world = World::new().await;
    let now = world.reporter.proposal(&world.subject).await.unwrap();
    assert_eq!((now.event, now.author.as_str()), (EventKind::PullRequestUpdated, "ada"));
    assert_eq!(now.subject(), world.subject);
    assert_eq!(now.head.sha.as_ref().unwrap().as_str(), HEAD);
    let clone_url = format!("{}/forks/ada/{PROJECT}.git", world.pagure.url());
    assert_eq!(now.head.url, Some(clone_url));
    assert_eq!((now.target.as_str(), now.pull_request.draft), ("main", false));
    assert!(now.at.is_some() && now.standing.is_none() && now.author_id.is_none());

    world.pagure.merge(PROJECT, 1, "grace").unwrap();
    let now = world.reporter.proposal(&world.subject).await.unwrap();
    assert_eq!((now.event, now.pull_request.merged), (EventKind::PullRequestClosed, true));
    world.pagure.hide(PROJECT, 1).unwrap();
    let hidden = world.reporter.proposal(&world.subject).await;
    assert!(matches!(hidden, Err(Failure::Retry { .. })), "{hidden:?}");
}

#[tokio::test]
async fn all_that_is_open_is_found_on_whatever_page() {
    let world = World::new().await;
    for number in 2..=70 {
        let new = NewPullRequest {
            project: PROJECT.to_owned(),
            author: "ada".to_owned(),
            title: if number == 2 { "[WIP] Two".to_owned() } else { "More".to_owned() },
            branch_from: "lock".to_owned(),
            target: "main".to_owned(),
            head: HEAD.to_owned(),
        };
        assert_eq!(world.pagure.add_pull_request(&new).unwrap().0, number);
    }
    world.pagure.close(PROJECT, 30, "grace").unwrap();
    let open = world.reporter.open_proposals(PROJECT).await.unwrap();
    assert_eq!(open.len(), 69);
    assert!(open.iter().all(|proposal| proposal.number != 30));
    assert!(open.iter().all(|proposal| proposal.pull_request.draft == (proposal.number == 2)));
}

#[tokio::test]
async fn a_branch_has_flags_and_no_comments() {
    let world = World::new().await;
    let subject = Subject {
        kind: SubjectKind::Branch,
        number: 0,
        name: Some("main".to_owned()),
        ..world.subject.clone()
    };
    let report = |form| Report { subject: subject.clone(), url: None, ..world.report(form) };
    world.reporter.tell(&report(Form::Flag), Try::First).await.unwrap();
    let [flag] = world.flags().try_into().unwrap();
    assert_eq!(flag.url, format!("{}/{PROJECT}/c/{HEAD}", world.pagure.url()));
    insta::assert_snapshot!(world.fails(&report(Form::Comment)).await, @"permanent failure: `forge.example/rpms/signalbox:main` is no pull request, and Pagure has no comments elsewhere");
}
