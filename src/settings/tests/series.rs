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
    insta::assert_snapshot!(text, @"");
}
