//! The program is killed while people talk to it: below strangers' proposals, which wait, are
//! approved, fail, and are tested again, with one comment of ours that is kept up to date.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use pointsman::clock::Clock;
use pointsman::hooks::signature::sign;
use pointsman::remote::Remote;
use pointsman::sandbox::github::{GithubStandIn, NewPullRequest, Options, Role, Webhook};
use pointsman::sandbox::jenkins::{Automatic, BuildRecord, BuildResult};
use reqwest::Method;
use rusqlite::{Connection, OpenFlags};
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::gate::{Gate, Place, Trap};
use super::moment::Moment;
use super::town::{BUILD_TIME, GLANCE, address, free_address};
use super::victim::Victim;
use super::{LIFE_MAX, number};
use crate::forges::postbox::{Post, Postbox};
use crate::world::look::Look;
use crate::world::{JOB, PATIENCE, Scenery, sha_of};

const PROJECT: &str = "rail/signalbox";
const OWN: &str = "pointsman";
const SECRET: &str = "a-secret-of-the-doors-0123456789";
const TOKEN: &str = "token-of-the-forge-0123456789";
const SIGNATURE: &str = "x-hub-signature-256";

const RULES: &str = r#"
    [[rule]]
    name = "unit"
    on = ["pull_request.opened", "pull_request.updated"]
    where = { instance = "HOST" }
    build = { on = "jenkins.main", job = "unit", parameters = { HEAD = "{{ head.sha }}" } }
    report = [{ to = "origin", as = "flag" }, { to = "origin", as = "comment", when = "changed" }]
"#;

/// How many proposals are talked about at once.
const OPEN_MAX: usize = 3;

/// How far the talk about a proposal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Opened,
    Approved,
    Retested,
    Done,
}

/// A stranger's proposal.
#[derive(Debug)]
struct Proposal {
    number: u64,
    head: String,
    step: Step,
}

/// What goes on around the process.
struct Village {
    scenery: Scenery,
    github: GithubStandIn,
    trap: Arc<Trap>,
    _gates: [Gate; 2],
    /// The host by which the forge calls itself, and the one by which the service knows it.
    hosts: (String, String),
    postbox: Postbox,
    /// Webhooks that nobody has taken yet.
    outbox: Mutex<VecDeque<Post>>,
    door: SocketAddr,
    proposals: Mutex<Vec<Proposal>>,
}

impl Village {
    async fn build() -> Self {
        let scenery = Scenery::build(Scenery::current()).await;
        let github = GithubStandIn::start(Options::default()).await.unwrap();
        github.add_repo(PROJECT);
        github.set_permission(PROJECT, OWN, Role::Write).unwrap();
        github.set_permission(PROJECT, "grace", Role::Write).unwrap();
        github.add_token(TOKEN, OWN, Some(&["repo"]));
        let postbox = Postbox::open().await;
        let secret = SecretString::from(SECRET.to_owned());
        github.hook_to(Some(Webhook { url: postbox.url.clone(), secret }));
        let first = Mutex::new(BTreeMap::new());
        let end = move |build: &BuildRecord| first_fails(&mut first.lock().unwrap(), build);
        scenery.jenkins.set_automatic(Automatic::FinishAfter(BUILD_TIME, Arc::new(end)));

        let trap = Arc::<Trap>::default();
        let jenkins = address(scenery.jenkins.url().as_str());
        let jenkins_gate = Gate::before(jenkins, Place::Jenkins, &trap).await;
        let gate = Gate::before(address(&github.url()), Place::Forge, &trap).await;
        let door = free_address().await;
        let more = format!(
            "[web]\nlisten = '{door}'\n\
             [jenkins.main]\nurl = 'http://{}'\naliases = ['{jenkins}']\n\
             [github.main]\nurl = 'http://{}'\ntoken = 'file:forge-token'\n\
             webhook_secrets = ['file:forge-secret']\n",
            jenkins_gate.address, gate.address
        );
        scenery.write(&RULES.replace("HOST", &gate.address.to_string()), &more);
        std::fs::write(scenery.folder.path().join("forge-token"), TOKEN).unwrap();
        std::fs::write(scenery.folder.path().join("forge-secret"), SECRET).unwrap();
        Self {
            hosts: (github.host(), gate.address.to_string()),
            scenery,
            github,
            trap,
            _gates: [jenkins_gate, gate],
            postbox,
            outbox: Mutex::default(),
            door,
            proposals: Mutex::default(),
        }
    }

    /// A stranger proposes something, unless there is enough to talk about.
    async fn open(&self) {
        let (count, open) = {
            let proposals = self.proposals.lock().unwrap();
            let open = proposals.iter().filter(|proposal| proposal.step != Step::Done).count();
            (proposals.len(), open)
        };
        if open >= OPEN_MAX {
            return;
        }
        let new = NewPullRequest {
            repo: PROJECT.to_owned(),
            author: "mallory".to_owned(),
            title: "Lock the blades".to_owned(),
            branch: "lock".to_owned(),
            target: "main".to_owned(),
            head: sha_of(count + 1),
            draft: false,
        };
        let (number, _) = self.github.open(&new).await.unwrap();
        let proposal = Proposal { number, head: new.head, step: Step::Opened };
        self.proposals.lock().unwrap().push(proposal);
    }

    fn state(&self, head: &str) -> String {
        let statuses = self.github.statuses(PROJECT, head);
        let newest = statuses.into_iter().rfind(|status| status.context == "pointsman/unit");
        newest.map(|status| status.state).unwrap_or_default()
    }

    /// People see how it stands, and say what they say then.
    async fn talk(&self) {
        let mut sayings = Vec::new();
        for proposal in self.proposals.lock().unwrap().iter_mut() {
            let (number, head) = (proposal.number, &proposal.head);
            proposal.step = match (proposal.step, self.state(head).as_str()) {
                (Step::Opened, "pending") => {
                    sayings.push((number, "mallory", "/ci retest".to_owned()));
                    sayings.push((number, "grace", format!("/ci ok {head}")));
                    Step::Approved
                }
                (Step::Approved, "failure") => {
                    sayings.push((number, "grace", "/ci retest".to_owned()));
                    Step::Retested
                }
                (Step::Retested, "success") => Step::Done,
                (step, _) => step,
            };
        }
        for (number, user, text) in sayings {
            self.github.comment((PROJECT, number), user, &text).await.unwrap();
        }
    }

    /// Delivers what was posted, each again and again until it is accepted.
    async fn deliver(&self) {
        let url = Url::parse(&format!("http://{}/hooks/github/main", self.door)).unwrap();
        let remote = Remote::new(&url, PATIENCE, Clock::system()).unwrap();
        self.outbox.lock().unwrap().extend(self.postbox.take());
        let mut glances = tokio::time::interval(GLANCE);
        loop {
            let Some(post) = self.outbox.lock().unwrap().front().cloned() else { return };
            let (own, gate) = &self.hosts;
            let body = post.body.replace(own, gate);
            let signature = sign(&SecretString::from(SECRET.to_owned()), body.as_bytes());
            let post = post.with(SIGNATURE, &format!("sha256={signature}"));
            let mut request = remote.request(Method::POST, url.clone()).body(body);
            for (name, value) in &post.headers {
                request = request.header(name, value);
            }
            match remote.send(request).await {
                Ok(answer) if answer.status.is_success() => {
                    self.outbox.lock().unwrap().pop_front();
                }
                Ok(answer) if answer.status.is_client_error() => panic!("{answer:?}"),
                Ok(_) | Err(_) => {
                    glances.tick().await;
                }
            }
        }
    }

    /// Lets it all go on until somebody says stop.
    async fn live(&self, stop: &CancellationToken) {
        let mut glances = tokio::time::interval(GLANCE);
        while !stop.is_cancelled() {
            self.talk().await;
            self.deliver().await;
            glances.tick().await;
        }
    }

    fn look(&self) -> Look {
        Look::at(&self.scenery.ledger_path())
    }

    fn is_talked_out(&self) -> bool {
        let is_done = self.proposals.lock().unwrap().iter().all(|it| it.step == Step::Done);
        is_done && self.outbox.lock().unwrap().is_empty()
    }

    /// Waits until everything is said, stored and done.
    async fn all_done(&self) {
        let mut glances = tokio::time::interval(GLANCE);
        let mut quiet = 0;
        while quiet < 2 {
            glances.tick().await;
            let look = self.look();
            let is_done = look.inbox == 0 && look.is_quiet() && look.open_runs() == 0;
            quiet = if is_done && self.is_talked_out() { quiet + 1 } else { 0 };
        }
    }
}

/// The first run of a head fails, and the next one passes.
fn first_fails(first: &mut BTreeMap<String, String>, build: &BuildRecord) -> BuildResult {
    let (head, run) = (&build.parameters["HEAD"], &build.parameters["POINTSMAN_RUN"]);
    let first = first.entry(head.clone()).or_insert_with(|| run.clone());
    if first == run { BuildResult::Failure } else { BuildResult::Success }
}

/// Judges what came of it.
fn judge(village: &Village) {
    let look = village.look();
    assert!(look.buried.is_empty(), "given up: {:?}", look.buried);
    assert_eq!(look.dead(), "", "messages that could not be read");
    let builds = village.scenery.jenkins.builds(JOB);
    let runs: BTreeSet<_> = builds.iter().map(|build| &build.parameters["POINTSMAN_RUN"]).collect();
    assert_eq!(runs.len(), builds.len(), "a run was built twice");
    let proposals = village.proposals.lock().unwrap();
    assert!(proposals.len() > 3, "too little has happened: {proposals:?}");
    for Proposal { number, head, .. } in proposals.iter() {
        let states: Vec<_> = look.runs.iter().filter(|run| run.revision == *head).collect();
        let states: Vec<_> = states.iter().map(|run| run.state.as_str()).collect();
        assert_eq!(states, ["failure", "success"], "#{number}");
        let built = builds.iter().filter(|build| build.parameters["HEAD"] == *head).count();
        assert_eq!(built, 2, "#{number}");
        assert_eq!(village.state(head), "success", "#{number}");
        let comments = village.github.comments(PROJECT, *number);
        let ours: Vec<_> = comments.iter().filter(|comment| comment.user == OWN).collect();
        let [board] = ours.as_slice() else { panic!("#{number}: {ours:?}") };
        let words = board.text.replace('\u{2060}', "");
        assert!(words.contains("**unit** at") && words.contains(": passed"), "{words}");
        assert!(words.contains("mallory is a stranger here"), "the refusal is gone: {words}");
        assert!(words.contains("may be built, and nothing"), "the approval is gone: {words}");
    }
    // Each command was heard once, and decided upon.
    let count = "SELECT kind, count(DISTINCT identity), count(*) FROM events \
                 WHERE kind LIKE 'command.%' GROUP BY kind ORDER BY kind";
    let path = village.scenery.ledger_path();
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut counts = db.prepare(count).unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let counts = counts.query_map([], row).unwrap().map(Result::unwrap);
    let counts: Vec<(String, isize, isize)> = counts.collect();
    let all = isize::try_from(proposals.len()).unwrap();
    let expected = [("command.ok", all, all), ("command.retest", 2 * all, 2 * all)];
    assert_eq!(counts, expected.map(|(kind, one, all)| (kind.to_owned(), one, all)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_while_people_talk_to_it_answers_each_of_them_once() {
    let kills = number("POINTSMAN_TEST_KILLS", 70) / 2;
    let seed = number("POINTSMAN_TEST_SEED", 20_261_120);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut deaths = BTreeMap::<String, u64>::new();
    println!("crashes: {kills} kills, POINTSMAN_TEST_SEED={seed}");
    let village = Arc::new(Village::build().await);
    // People do not wait for it to come back.
    let (mut people, stop) = (JoinSet::new(), CancellationToken::new());
    people.spawn({
        let (village, stop) = (Arc::clone(&village), stop.clone());
        async move { village.live(&stop).await }
    });
    let (folder, ledger) = (village.scenery.folder.path(), village.scenery.ledger_path());
    for _ in 0..kills {
        village.open().await;
        let moment = Moment::about_commands(&mut random);
        let mut victim = Victim::start(folder);
        let life = async {
            tokio::select! {
                () = moment.come(&village.trap, &ledger) => {}
                Some(end) = people.join_next() => panic!("{end:?}"),
                end = victim.ended() => panic!("it ended by itself: {end}"),
            }
        };
        let has_come = tokio::time::timeout(LIFE_MAX, life).await.is_ok();
        victim.kill().await;
        village.trap.disarm();
        let name = if has_come { moment.name() } else { "late".to_owned() };
        *deaths.entry(name).or_default() += 1;
    }
    println!("crashes: {deaths:?}");
    let mut survivor = Victim::start(folder);
    let end = async {
        tokio::select! {
            () = village.all_done() => {}
            Some(end) = people.join_next() => panic!("{end:?}"),
            end = survivor.ended() => panic!("it ended by itself: {end}"),
        }
    };
    let is_late = tokio::time::timeout(PATIENCE, end).await.is_err();
    let look = village.look();
    assert!(!is_late, "not done: {:#?}", (&village.proposals, &look.open, &look.buried));
    stop.cancel();
    people.join_next().await.unwrap().unwrap();
    judge(&village);
    survivor.kill().await;
}
