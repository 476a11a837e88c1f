//! Whatever is posted to a hook, signed or not, is let in or refused; what is let in is read.
//!
//! The input is a word, headers, an empty line, and a body.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hmac::{Hmac, Mac};
use libfuzzer_sys::fuzz_target;
use pointsman::clock::Clock;
use pointsman::hooks::forgejo::ForgejoHook;
use pointsman::hooks::github::GithubHook;
use pointsman::hooks::gitlab::GitLabHook;
use pointsman::hooks::jenkins::JenkinsHook;
use pointsman::hooks::pagure::PagureHook;
use pointsman::hooks::{Admitted, Hook, Refusal, relayed};
use pointsman::subject::ConnectionName;
use pointsman::topic::read::Selection;
use pointsman_fuzz::{Post, every_topic, read};
use secrecy::SecretString;
use serde_json::Value;
use sha2::Sha256;

/// With what all posts are signed.
const SECRET: &str = "a secret that everybody knows";

static TOPICS: LazyLock<Selection> = LazyLock::new(every_topic);
/// Every hook there is: one line each.
static HOOKS: LazyLock<Vec<Box<dyn Hook>>> = LazyLock::new(|| {
    let at = |name: &str| ConnectionName::try_from(name.to_owned()).expect("a name");
    let secret = || vec![SecretString::from(SECRET.to_owned())];
    let keys = BTreeMap::from([("rail/signalbox".to_owned(), secret())]);
    let tokens = GitLabHook::new(at("gitlab.main"), (secret(), &[]), Clock::system());
    vec![
        Box::new(Unsigned),
        Box::new(ForgejoHook::new(at("forgejo.main"), secret())),
        Box::new(GithubHook::new(at("github.main"), secret())),
        Box::new(tokens.expect("no keys")),
        Box::new(JenkinsHook::new(at("jenkins.main"), secret())),
        Box::new(PagureHook::new(at("pagure.main"), keys)),
    ]
});

fuzz_target!(|data: &[u8]| {
    let post = Post::read(data);
    let mut headers = HeaderMap::new();
    for (name, value) in &post.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    for hook in HOOKS.iter() {
        // Nobody can sign by chance; that it does not panic is all that is asked.
        let _ = hook.admit(&headers, post.body);
    }
    sign(&mut headers, post.body);
    for hook in HOOKS.iter() {
        match hook.admit(&headers, post.body) {
            Ok(Admitted::Message(message, _)) => {
                let kept = String::from_utf8_lossy(&message.body);
                assert!(!kept.contains(SECRET) || contains(post.body, SECRET), "{kept}");
                read(&message, &TOPICS);
            }
            Ok(Admitted::Ping) | Err(Refusal::Malformed(_)) => {}
            Err(Refusal::Unsigned(_) | Refusal::Forged) => panic!("it was signed"),
        }
    }
});

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Signs a post in every way in which one of the hooks may want it.
fn sign(headers: &mut HeaderMap, body: &[u8]) {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    mac.update(body);
    let digest: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let values = [
        ("x-hub-signature-256", format!("sha256={digest}")),
        ("x-forgejo-signature", digest.clone()),
        ("x-gitea-signature", digest.clone()),
        ("x-pagure-signature-256", digest),
        ("x-gitlab-token", SECRET.to_owned()),
        ("authorization", format!("Bearer {SECRET}")),
    ];
    for (name, value) in values {
        headers.insert(name, value.parse().expect("digits"));
    }
}

/// A hook that lets everything in: what all hooks do once the sender is proved.
struct Unsigned;

impl Hook for Unsigned {
    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<Admitted, Refusal> {
        let connection = ConnectionName::try_from("forge.main".to_owned()).expect("a name");
        let told = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let event = |name: &str| told(&format!("x-{name}-event")).map(|event| (name.to_owned(), event));
        let (kind, event) = ["github", "gitlab", "forgejo", "gitea"]
            .into_iter()
            .find_map(event)
            .ok_or_else(|| Refusal::Malformed("it has no event".to_owned()))?;
        let headers = [(format!("X-{kind}-Event"), Value::String(event.clone()))];
        let message =
            relayed(&connection, format!("{kind}.{event}"), headers.into_iter().collect(), body)?;
        Ok(Admitted::of_all(message))
    }
}
