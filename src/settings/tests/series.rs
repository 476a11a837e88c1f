use super::*;

#[test]
fn what_a_source_of_series_is_asked_for_has_to_be_possible() {
    let content = r#"
[patchew.queues]
url = "https://patchew.example/"
projects = []
roles = ["applier", "tester"]
capabilities = ["kvm", " "]
target_repo = ""
tester = ""
authserv_id = ""
[patchew.nothing]
url = "https://other.example/"
projects = ["Signalbox"]
username = "pointsman"
roles = []
[patchew.word]
url = "https://third.example/"
projects = ["Signalbox"]
roles = ["reader"]
[patchwork.fdo]
url = "https://patchwork.example/"
fork = "freedesktop"
projects = ["signalbox-gfx"]
token = "env:TOKEN"
authserv_id = "mx.example"
"#;
    let text = lines(&load(&[("a.toml", content)], &[]).unwrap_err());
    insta::assert_snapshot!(text, @r"
    a.toml:2: `patchew.queues.username`: is missing: queues are only for those who have an account
    a.toml:4: `patchew.queues.projects`: names no project
    a.toml:6: `patchew.queues.capabilities`: has an empty word in it
    a.toml:7: `patchew.queues.target_repo`: is empty
    a.toml:8: `patchew.queues.tester`: is empty
    a.toml:9: `patchew.queues.authserv_id`: is empty
    a.toml:13: `patchew.nothing.username`: `username` and `password` belong together
    a.toml:14: `patchew.nothing.roles`: names no role, so nothing is heard of
    a.toml:18: `patchew.word.roles.0`: `reader` is none of `search`, `applier`, `tester`; did you mean `tester`?
    a.toml:23: `patchwork.fdo.token`: is not known to the Patchwork of freedesktop.org: give `username` and `password`
    a.toml:24: `patchwork.fdo.authserv_id`: does not help: the Patchwork of freedesktop.org does not show what mail servers say
    ");
}
