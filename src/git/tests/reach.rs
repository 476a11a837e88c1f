//! Reaching others: whether it can be done, with what, and how often.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::land::{Land, applied, dependency, order, says, work};
use super::world::file;
use crate::clock::Clock;
use crate::git::address::Address;
use crate::git::call::Call;
use crate::git::repository::{ReportJob, Repository};
use crate::git::{Tree, Work};
use crate::remote::chain;

const OLD: &str = "1\n2\n3\n";
const NEW: &str = "1\n2\nthree\n";

async fn land() -> Land {
    let land = Land::new().await;
    land.world.commit("master", &[file("a", OLD), file(".ci.yml", "x: y\n")]).await;
    land
}

async fn series(land: &Land) -> Vec<Vec<u8>> {
    vec![land.mail("Say three", "a", [OLD, NEW]).await]
}

async fn probed(repository: &Repository, land: &Land) -> String {
    let line = |(subject, problem): (String, Option<String>)| match problem {
        Some(problem) => format!("- {subject}: {problem}"),
        None => format!("+ {subject}"),
    };
    let lines: Vec<String> = repository.probe().await.into_iter().map(line).collect();
    lines.join("\n").replace(land.folder("").to_str().unwrap(), "/")
}

#[tokio::test]
async fn a_probe_tells_what_can_be_used_and_changes_nothing() {
    let land = land().await;
    let text = probed(&land.repository("bases = ['master', 'gone']"), &land).await;
    insta::assert_snapshot!(text, @r"
    + our own repository
    + base `master`
    - base `gone`: there is no such branch at `/upstream.git`
    + branches at `/push.git`
    ");
    assert_eq!(land.pushed().await, []);
    std::fs::rename(land.world.upstream(), land.folder("away")).unwrap();
    std::fs::remove_dir_all(land.folder("push.git")).unwrap();
    insta::assert_snapshot!(probed(&land.repository(""), &land).await, @r"
    + our own repository
    - upstream `/upstream.git`: temporary failure: git.linux: cannot look at `/upstream.git`: fatal: '/upstream.git' does not appear to be a git repository; fatal: Could not read from remote repository.
    - branches at `/push.git`: nothing can be pushed: fatal: '/push.git' does not appear to be a git repository; fatal: Could not read from remote repository.
    ");
}

/// Many wait for one fetch; one that begins later than what is there counts as new looks again.
#[tokio::test]
async fn many_series_need_one_fetch() {
    let land = land().await;
    let repository = land.repository("fresh = '1h'");
    repository.prepare().await.unwrap();
    let letters = series(&land).await;
    std::fs::rename(land.world.upstream(), land.folder("away")).unwrap();
    let orders = ["1", "2", "3"].map(order);
    let works: Vec<_> = orders.iter().map(|order| work(order, &letters)).collect();
    let [one, two, three] = works.as_slice() else { panic!() };
    let all =
        futures_util::join!(repository.apply(one), repository.apply(two), repository.apply(three));
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok(), "{all:?}");
    assert_eq!(land.pushed().await.len(), 3);
    land.days(2);
    assert!(repository.apply(one).await.is_err());
}

/// Two services on one folder.
#[tokio::test]
async fn two_processes_do_not_fetch_at_once() {
    let land = land().await;
    let (one, two) = (land.repository(""), land.repository(""));
    let held = std::fs::File::create(land.folder("tree/fetch.lock")).unwrap();
    held.lock().unwrap();
    let mut impatient = land.repository("fetch_timeout = '1ms'");
    let error = chain(&impatient.prepare().await.unwrap_err());
    assert!(error.contains("fetch.lock`: another process holds it all the time"), "{error}");
    drop(held);
    impatient = land.repository("");
    let all = futures_util::join!(one.prepare(), two.prepare(), impatient.prepare());
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok(), "{all:?}");
}

#[tokio::test]
async fn a_branch_that_the_upstream_has_no_more_is_no_base() {
    let land = land().await;
    land.world.commit("next", &[file("a", "other\n")]).await;
    let repository = land.repository("bases = ['next', 'master']");
    repository.prepare().await.unwrap();
    land.git("upstream.git", &["branch", "-D", "next"]).await;
    land.days(2);
    let branch = applied(&repository, &work(&order("7"), &series(&land).await)).await;
    assert_eq!((branch.base.branch.as_str(), branch.tried.len()), ("master", 0));
    // What was a branch is a folder of branches now.
    land.world.commit("next/main", &[file("a", OLD)]).await;
    let repository = land.repository("bases = ['next/main', 'master']");
    repository.prepare().await.unwrap();
}

#[tokio::test]
async fn a_branch_that_was_rewritten_is_a_base_as_it_is_now() {
    let land = land().await;
    let repository = land.repository("");
    repository.prepare().await.unwrap();
    land.git("upstream.git", &["update-ref", "-d", "refs/heads/master"]).await;
    let new = land.world.commit("master", &[file("a", OLD), file("b", "b\n")]).await;
    land.days(2);
    let branch = applied(&repository, &work(&order("7"), &series(&land).await)).await;
    assert_eq!(branch.base.sha, new);
}

#[tokio::test]
async fn what_lies_about_is_packed_when_it_is_much() {
    let land = land().await;
    let repository = land.repository("");
    let branch = applied(&repository, &work(&order("7"), &series(&land).await)).await;
    repository.tidy().await.unwrap();
    let head = "commit refs/heads/pointsman/x\ncommitter A <a@b> 1700000000 +0000\ndata 0\n";
    let files = (0..4000).map(|file| format!("M 100644 inline {file}\ndata <<E\n{file}\nE\n"));
    let input = format!("{head}{}", files.collect::<String>());
    let import = Call::new(["fast-import", "--quiet"]).stdin(input);
    let import = import.setting("fastimport.unpackLimit", "100000");
    repository.git.succeed(import).await.unwrap();
    repository.tidy().await.unwrap();
    let count = says(&repository, &["count-objects", "-v"]).await;
    assert!(count.starts_with("count: 0\n"), "{count}");
    assert_eq!(says(&repository, &["cat-file", "-t", branch.sha.as_str()]).await, "commit");
}

/// A repository whose branches end with the job that reports.
fn reporting(land: &Land, folder: &str) -> Repository {
    let url = url::Url::parse("https://ci.example/ci/report.yml").unwrap();
    let report = Some(ReportJob { file: ".ci.yml", url });
    let clock = Clock::manual(land.hand.clone());
    Repository::new("linux", &land.settings(folder, ""), report, clock).unwrap()
}

#[tokio::test]
async fn the_last_commit_adds_the_job_that_reports() {
    let land = land().await;
    let (order, letters) = (order("7"), series(&land).await);
    let branch = applied(&reporting(&land, "tree"), &work(&order, &letters)).await;
    assert_eq!(branch.commits.len(), 1);
    let list = ["log", "--format=%s", branch.sha.as_str()];
    let log = land.git("push.git", &list).await;
    assert_eq!(log, ".ci.yml: Tell how the build ended\nSay three\nchange");
    assert_eq!(branch.up_to(1).sha, branch.commits[0]);
    // It is known again, here and elsewhere, though the upstream has gone on.
    land.world.commit("master", &[file("b", "b\n")]).await;
    land.days(2);
    for folder in ["tree", "elsewhere"] {
        let again = applied(&reporting(&land, folder), &work(&order, &letters)).await;
        assert_eq!((&again.sha, &again.commits), (&branch.sha, &branch.commits), "{folder}");
    }
}

#[tokio::test]
async fn a_series_is_put_upon_the_patches_of_another_and_not_upon_its_job() {
    let land = land().await;
    let letters = series(&land).await;
    let below = applied(&reporting(&land, "tree"), &work(&order("7"), &letters)).await;
    let more = [land.mail("Say four", "a", [NEW, "1\n2\nthree\n4\n"]).await];
    let order = order("8");
    let depending =
        Work { dependencies: vec![dependency(&below, &letters)], ..work(&order, &more) };
    for folder in ["tree", "elsewhere"] {
        let branch = applied(&reporting(&land, folder), &depending).await;
        assert_eq!(branch.base.sha, below.commits[0], "{folder}");
        let log = land.git("push.git", &["log", "--format=%s", branch.sha.as_str()]).await;
        assert_eq!(log, ".ci.yml: Tell how the build ended\nSay four\nSay three\nchange");
        let file = format!("{}:.pointsman/ci.yml", branch.sha);
        assert_eq!(land.git("push.git", &["show", &file]).await, "x: y");
    }
}

/// A server that has one repository, as files, for those who show a token.
struct Server {
    address: String,
    /// The tokens that were shown, or none.
    shown: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    async fn start(references: String, elsewhere: Option<String>) -> Self {
        let shown: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
        let seen = Arc::clone(&shown);
        let answer = move |headers: HeaderMap, request: Request| {
            let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            seen.lock().unwrap().push(token.map(str::to_owned));
            let reply: Response = match (&elsewhere, token) {
                (Some(elsewhere), _) => {
                    let place = format!("{elsewhere}{}", request.uri());
                    (StatusCode::FOUND, [(header::LOCATION, place)]).into_response()
                }
                (None, Some(_)) => references.clone().into_response(),
                (None, None) => StatusCode::UNAUTHORIZED.into_response(),
            };
            std::future::ready(reply)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serve = axum::serve(listener, Router::new().fallback(answer));
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { serve.await.unwrap() });
        Self { address, shown }
    }

    fn shown(&self) -> Vec<Option<String>> {
        std::mem::take(&mut self.shown.lock().unwrap())
    }
}

#[tokio::test]
async fn a_token_goes_to_the_host_that_is_pushed_to_and_no_further() {
    let land = land().await;
    let token = land.folder("token");
    std::fs::write(&token, "hunter2").unwrap();
    let master = land.git("upstream.git", &["rev-parse", "master"]).await;
    let references = format!("{master}\trefs/heads/master\n");
    let (ours, theirs) =
        (Server::start(references.clone(), None).await, Server::start(references, None).await);
    let redirecting = Server::start(String::new(), Some(theirs.address.clone())).await;
    let open = |address: &str| {
        let mut settings = land.settings("tree", &format!("token = 'file:{}'", token.display()));
        let address = |name: &str| Address::try_from(format!("{address}/{name}.git")).unwrap();
        (settings.push, settings.upstream) = (address("series"), address("linux"));
        Repository::new("linux", &settings, None, Clock::manual(land.hand.clone())).unwrap()
    };
    let own = open(&ours.address);
    own.ready().await.unwrap();
    let list = async |repository: &Repository, at: &str| {
        let address = Address::try_from(format!("{at}/linux.git")).unwrap();
        repository.listed(&address, &["refs/heads/master"]).await
    };
    assert_eq!(list(&own, &ours.address).await.unwrap().len(), 1);
    let header = Some("Basic cG9pbnRzbWFuOmh1bnRlcjI=".to_owned());
    assert!(ours.shown().iter().all(|shown| *shown == header));

    let error = chain(&list(&own, &theirs.address).await.unwrap_err());
    assert!(!error.contains("hunter2") && !error.contains("cG9pbnRz"), "{error}");
    assert!(theirs.shown().iter().all(Option::is_none));

    let moved = open(&redirecting.address);
    list(&moved, &redirecting.address).await.unwrap_err();
    assert_eq!(redirecting.shown(), [header]);
    assert_eq!(theirs.shown(), []);
}
