use super::*;

/// All faults of one file, one on each line.
fn faults(content: &str) -> String {
    lines(&load(&[("a.toml", content)], &[]).unwrap_err())
}

#[test]
fn an_address_of_a_repository_is_one_that_can_be_shown() {
    let text = faults(
        r#"
[git.secret]
upstream = "https://me:hunter2@git.example/linux.git"
push = "git@git.example:series.git"
dir = "x"
committer = "nobody"
[git.open]
upstream = "http://git.example/linux.git"
upstreams = { next = "ext::sh -c id" }
push = "series.git"
dir = "x"
token = "hunter2"
"#,
    );
    insta::assert_snapshot!(text, @r"
    a.toml:3: `git.secret.upstream`: carries a user or password, which do not belong into an address
    a.toml:4: `git.secret.push`: is written as for scp: write `ssh://user@host/path`
    a.toml:6: `git.secret.committer`: is not written as `Name <user@host>`
    a.toml:8: `git.open.upstream`: cannot be `http://` but on this machine: write `https://`
    a.toml:9: `git.open.upstreams.next`: has something in it that no address of a repository has
    a.toml:10: `git.open.push`: is neither `https://…`, `ssh://…` nor an absolute path
    a.toml:12: `git.open.token`: a secret is given as `file:/path` or `env:NAME`, never itself
    ");
}

#[test]
fn what_is_said_of_branches_has_to_be_branches() {
    let text = faults(
        r#"
[git.linux]
upstream = "/srv/linux.git"
upstreams = { "a/b" = "/srv/a.git", unused = "/srv/u.git" }
bases = ["master", "refs/heads/x", "a..b"]
tags = { net = ["net next"], none = [] }
paths = { "a/**" = ["-x"], "[" = ["master"] }
prefix = "ci.lock"
push = "/srv/series.git"
push_options = ["ci.skip", "a\nb"]
dir = ""
"#,
    );
    insta::assert_snapshot!(text, @r#"
    a.toml:4: `git.linux.upstreams`: `a/b` cannot stand before a branch
    a.toml:4: `git.linux.upstreams`: `unused` is not used: no branch is named `unused/…`
    a.toml:5: `git.linux.bases`: has "refs/heads/x", which is no name of a branch
    a.toml:5: `git.linux.bases`: has "a..b", which is no name of a branch
    a.toml:6: `git.linux.tags`: has "net next", which is no name of a branch
    a.toml:6: `git.linux.tags`: says of `none` no branch
    a.toml:7: `git.linux.paths`: has "-x", which is no name of a branch
    a.toml:7: `git.linux.paths`: `[`: unclosed character class; missing ']'
    a.toml:8: `git.linux.prefix`: cannot be the beginning of a branch's name
    a.toml:10: `git.linux.push_options`: has one that is empty or no line
    a.toml:11: `git.linux.dir`: is empty
    "#);
    let text = faults(
        r#"
[git.linux]
upstream = "/srv/linux.git"
bases = []
push = "/srv/series.git"
dir = "x"
concurrency = 0
keep = "0s"
apply_timeout = "0s"
guard = { ci_files = ["["] }
"#,
    );
    insta::assert_snapshot!(text, @r"
    a.toml:4: `git.linux.bases`: names no branch
    a.toml:7: `git.linux.concurrency`: has to be at least 1
    a.toml:8: `git.linux.keep`: has to be longer than nothing
    a.toml:9: `git.linux.apply_timeout`: has to be longer than nothing
    a.toml:10: `git.linux.guard`: not a glob: error parsing glob '[': unclosed character class; missing ']'
    ");
}

#[test]
fn what_opens_a_repository_has_to_be_of_use() {
    let text = faults(
        r#"
[git.linux]
upstream = "https://git.example/linux.git"
push = "/srv/series.git"
dir = "x"
user = "a:b"
token = "env:TOKEN"
ssh_key = "/etc/key"
[git.ssh]
upstream = "ssh://git@git.example/linux.git"
push = "ssh://git@git.example/series.git"
dir = "x"
ssh_key = "/etc/key-%h"
known_hosts = "/etc/\"hosts\""
"#,
    );
    insta::assert_snapshot!(text, @r"
    a.toml:6: `git.linux.user`: is no name of a user
    a.toml:7: `git.linux.token`: is not used where `push` is not `https://…`
    a.toml:8: `git.linux.ssh_key`: is not used where no address is `ssh://…`
    a.toml:13: `git.ssh.ssh_key`: has signs in it that ssh gives a meaning
    a.toml:14: `git.ssh.known_hosts`: has signs in it that ssh gives a meaning
    ");
}

#[test]
fn a_repository_needs_three_things_only() {
    let text = "[git.linux]\nupstream = '/u'\npush = 'https://git.example/s.git'\ndir = 'x'";
    let settings = load(&[("etc/a.toml", text)], &[]).unwrap();
    let git = &settings.git["linux"];
    assert_eq!(git.branches(), ["master"]);
    assert_eq!(git.public().as_str(), "https://git.example/s.git");
    assert!(git.dir.ends_with("etc/x"), "{:?}", git.dir);
}
