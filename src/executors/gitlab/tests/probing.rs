use super::*;
use crate::executors::Probe as _;

async fn problem(ci: &Ci) -> String {
    let found = ci.us.probe(&[PROJECT.to_owned()]).await.remove(0);
    assert_eq!(found.subject, "pipelines of `rail/yard/signalbox`");
    ci.mask(found.problem.unwrap_or_else(|| "none".to_owned()))
}

#[tokio::test]
async fn what_keeps_pipelines_from_being_started_is_found_before() {
    let ci = Ci::open().await;
    assert_eq!(problem(&ci).await, "none");
    ci.gitlab.set_access(PROJECT, "pointsman", REPORTER).unwrap();
    insta::assert_snapshot!(problem(&ci).await, @"pipelines need the role Developer, which the token has not");
    ci.gitlab.set_access(PROJECT, "pointsman", DEVELOPER).unwrap();
    let with_role =
        |role: &str| CiSettings { variables_role: Some(role.to_owned()), ..CiSettings::default() };
    ci.set_ci(with_role("developer"));
    assert_eq!(problem(&ci).await, "none");
    for role in ["maintainer", "owner", "no_one_allowed"] {
        ci.set_ci(with_role(role));
        assert!(problem(&ci).await.contains("Minimum role"), "{role}");
    }
    ci.set_ci(CiSettings { is_off: true, ..CiSettings::default() });
    insta::assert_snapshot!(problem(&ci).await, @"its CI/CD is switched off");
    ci.gitlab.rename(PROJECT, "rail/signalbox").unwrap();
    insta::assert_snapshot!(problem(&ci).await, @"it is called `rail/signalbox`: write that in the rule, or its webhooks are not known to be about it");
    ci.gitlab.remove_project("rail/signalbox");
    insta::assert_snapshot!(problem(&ci).await, @"there is no such project, or the token may not see it: a rule's `job` is the path of a project, `group/project`");
}

#[tokio::test]
async fn a_trigger_token_needs_somebody_who_may_look() {
    let ci = Ci::with_trigger("grace").await;
    assert!(problem(&ci).await.contains("role Maintainer"));
    ci.gitlab.set_access(PROJECT, "pointsman", MAINTAINER).unwrap();
    assert_eq!(problem(&ci).await, "none");
}

#[tokio::test]
async fn a_configuration_that_a_change_can_change_is_remarked_upon() {
    let ci = Ci::open().await;
    let projects = [PROJECT.to_owned(), "no path".to_owned(), "not/there".to_owned()];
    let remarks = ci.us.remarks(&projects).await;
    assert_eq!(remarks.len(), 1);
    assert!(remarks[0].contains("`ci_config_path`"), "{remarks:?}");
    for path in ["ci.yml@rail/ci", "https://ci.example/ci.yml"] {
        ci.set_ci(CiSettings { config_path: Some(path.to_owned()), ..CiSettings::default() });
        assert!(ci.us.remarks(&projects).await.is_empty(), "{path}");
    }
    ci.set_ci(CiSettings { config_path: Some("ci/all.yml".to_owned()), ..CiSettings::default() });
    assert_eq!(ci.us.remarks(&projects).await.len(), 1);
}
