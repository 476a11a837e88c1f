//! Mails, as all sorts of programs send them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::world::{Mail, Try, World, file, replace};
use crate::event::series::Refusal;
use crate::git::call::Call;
use crate::git::stop::Stop;
use crate::subject::CommitSha;

const FILE: &str = "1\n2\n3\n";

/// A base that has the file `a`.
struct Place {
    world: World,
    base: CommitSha,
}

impl Place {
    async fn new() -> Self {
        let (world, base) = World::with(&[file("a", FILE)]).await;
        Self { world, base }
    }

    /// What the only commit is that a mail becomes.
    async fn commit(&self, mail: &Mail) -> String {
        self.commit_raw(mail.raw()).await
    }

    async fn commit_raw(&self, letter: Vec<u8>) -> String {
        let applied = Try::default().put(&self.world, &self.base, &[letter]).await.unwrap();
        let format = "--format=%an|%ae|%ai|%B";
        let show = ["show", "-M", "--summary", "-U0", format, applied.commits[0].as_str()];
        self.world.say(&show).await
    }

    /// Why mails become nothing.
    async fn refusal(&self, letters: &[Vec<u8>]) -> Refusal {
        match Try::default().put(&self.world, &self.base, letters).await {
            Err(Stop::Conflict(refusal) | Stop::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    async fn file(&self, path: &str, at: &CommitSha) -> Vec<u8> {
        let call = Call::new(["cat-file", "-p", &format!("{at}:{path}")]);
        self.world.git.succeed(call).await.unwrap().stdout
    }
}

fn two() -> String {
    replace("a", ["1", "2", "3"], "two")
}

fn plain() -> Mail {
    Mail::new("Say two", &two())
}

fn encoded(encoding: &str, body: Vec<u8>) -> Mail {
    let mut mail = plain();
    mail.headers[2] = format!("Content-Transfer-Encoding: {encoding}");
    mail.body = body;
    mail
}

#[tokio::test]
async fn an_encoding_makes_no_difference() {
    let place = Place::new().await;
    let expected = place.commit(&plain()).await;
    let body = plain().body;
    let base64 = STANDARD.encode(&body);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(76).map(|l| std::str::from_utf8(l).unwrap()).collect();
    assert_eq!(place.commit(&encoded("base64", lines.join("\n").into_bytes())).await, expected);
    let text = String::from_utf8(body).unwrap();
    let quoted =
        text.replace('=', "=3D").replace("Because", "Be=\ncause").replace("+two", "=2Btwo");
    assert_eq!(place.commit(&encoded("quoted-printable", quoted.into_bytes())).await, expected);
    // Some mailers encode the ends of lines as they go over the wire.
    let wire = STANDARD.encode(text.replace('\n', "\r\n"));
    assert_eq!(place.commit(&encoded("base64", wire.into_bytes())).await, expected);
}

#[tokio::test]
async fn the_line_before_a_mail_and_the_ends_of_its_lines_make_no_difference() {
    let place = Place::new().await;
    let expected = place.commit(&plain()).await;
    let raw = plain().raw();
    let folder = [b"From patchwork Mon Sep 17 00:00:00 2001\n".to_vec(), raw.clone()].concat();
    let wire = String::from_utf8(raw).unwrap().replace('\n', "\r\n").into_bytes();
    for letter in [folder, wire] {
        assert_eq!(place.commit_raw(letter).await, expected);
    }
}

#[tokio::test]
async fn carriage_returns_are_kept_where_they_belong_to_files() {
    let (world, base) = World::with(&[file("a", "1\r\n2\r\n3\r\n")]).await;
    let place = Place { world, base };
    let (world, base) = (&place.world, &place.base);
    let mail = Mail::new("x", &replace("a", ["1\r", "2\r", "3\r"], "two\r"));
    let keep = || Try { keep_cr: true, ..Try::default() };
    let applied = keep().put(world, base, &[mail.raw()]).await.unwrap();
    assert_eq!(place.file("a", &applied.commits[0]).await, b"1\r\ntwo\r\n3\r\n");
    // The headers may end as they do on the wire.
    let raw = String::from_utf8(mail.raw()).unwrap();
    let (head, body) = raw.split_once("\n\n").unwrap();
    let wire = format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n")).into_bytes();
    assert_eq!(keep().put(world, base, &[wire]).await.unwrap(), applied);
    let stop = Try::default().put(world, base, &[mail.raw()]).await.unwrap_err();
    assert!(matches!(stop, Stop::Conflict(_)), "{stop:?}");
    let encoded = encoded("base64", STANDARD.encode(&mail.body).into_bytes());
    let applied = keep().put(world, base, &[encoded.raw()]).await.unwrap();
    assert_eq!(place.file("a", &applied.commits[0]).await, b"1\r\ntwo\r\n3\r\n");
}

#[tokio::test]
async fn flowing_text_is_put_together_again() {
    let place = Place::new().await;
    let mut mail = plain();
    mail.headers[1] = "Content-Type: text/plain; charset=UTF-8; format=flowed".to_owned();
    // Lines that begin with a blank get one more.
    let text = String::from_utf8(mail.body).unwrap();
    mail.body = text.replace("\n ", "\n  ").replace("-- \n2.47.3\n", "").into_bytes();
    assert_eq!(place.commit(&mail).await, place.commit(&plain()).await);
}

#[tokio::test]
async fn other_character_sets_are_understood_in_messages_and_left_alone_in_files() {
    let place = Place::new().await;
    let mut mail = plain();
    mail.headers[1] = "Content-Type: text/plain; charset=iso-8859-1".to_owned();
    mail.from = "=?iso-8859-1?Q?J=FCrgen?= <j@example.org>".to_owned();
    let text = String::from_utf8(mail.body).unwrap();
    mail.body = text
        .bytes()
        .flat_map(|byte| if byte == b'B' { b"\xfcB".to_vec() } else { vec![byte] })
        .collect();
    mail.body = replace_bytes(&mail.body, b"+two", b"+\xfc");
    let (world, base) = (&place.world, &place.base);
    let applied = Try::default().put(world, base, &[mail.raw()]).await.unwrap();
    let said = world.say(&["show", "-s", "--format=%an: %b", applied.commits[0].as_str()]).await;
    assert!(said.starts_with("Jürgen: üBecause."), "{said}");
    assert_eq!(place.file("a", &applied.commits[0]).await, b"1\n\xfc\n3\n");
}

fn replace_bytes(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = text.windows(old.len()).position(|window| window == old).unwrap();
    [&text[..at], new, &text[at + old.len()..]].concat()
}

#[tokio::test]
async fn a_character_set_that_nobody_knows_is_no_reason() {
    let place = Place::new().await;
    let mut mail = plain();
    mail.headers[1] = "Content-Type: text/plain; charset=unknown-8bit".to_owned();
    mail.body = replace_bytes(&mail.body, b"Because", b"B\xfc");
    assert!(place.commit(&mail).await.contains("Say two\n\nB\u{fffd}."));
    mail.from = "=?nonsense?Q?J=FCrgen?= <j@example.org>".to_owned();
    assert!(place.commit(&mail).await.contains("|j@example.org|"));
}

#[tokio::test]
async fn a_signature_beside_the_text_does_no_harm_and_one_around_it_is_refused() {
    let place = Place::new().await;
    let mut mail = plain();
    mail.headers[1] = "Content-Type: multipart/signed; boundary=x; micalg=pgp-sha256; \
        protocol=\"application/pgp-signature\""
        .to_owned();
    let text = String::from_utf8(mail.body).unwrap();
    mail.body = format!(
        "--x\nContent-Type: text/plain; charset=UTF-8\n\n{text}\n--x\n\
         Content-Type: application/pgp-signature; name=\"signature.asc\"\n\n\
         -----BEGIN PGP SIGNATURE-----\n\niHUEABYIAB0WIQ\n-----END PGP SIGNATURE-----\n\n--x--\n"
    )
    .into_bytes();
    assert_eq!(place.commit(&mail).await, place.commit(&plain()).await);

    let escaped: String = text
        .split_inclusive('\n')
        .map(|line| if line.starts_with('-') { format!("- {line}") } else { line.to_owned() })
        .collect();
    let mut mail = plain();
    mail.body = format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{escaped}\
         -----BEGIN PGP SIGNATURE-----\n\niHUEABYIAB0WIQ\n-----END PGP SIGNATURE-----\n"
    )
    .into_bytes();
    let refusal = place.refusal(&[mail.raw()]).await;
    assert!(refusal.reason.starts_with("the mail is signed within its text"), "{refusal:?}");
}

#[tokio::test]
async fn a_patch_may_be_attached() {
    let place = Place::new().await;
    let mut mail = plain();
    mail.headers[1] = "Content-Type: multipart/mixed; boundary=x".to_owned();
    mail.body = format!(
        "--x\nContent-Type: text/plain\n\nBecause.\n\nSigned-off-by: Ann\n--x\n\
         Content-Type: text/x-patch; name=a.patch\nContent-Transfer-Encoding: base64\n\n{}\n--x--\n",
        STANDARD.encode(two())
    )
    .into_bytes();
    assert_eq!(place.commit(&mail).await, place.commit(&plain()).await);
}

#[tokio::test]
async fn a_mail_without_a_patch_is_told_as_such() {
    let place = Place::new().await;
    for body in ["", "Just words.\n", "words\n---\nmore words\n-- \n2.47\n"] {
        let mut mail = plain();
        mail.body = body.into();
        let refusal = place.refusal(&[plain().raw(), mail.raw()]).await;
        assert_eq!(refusal.reason, "there is no patch in the mail", "{body:?}");
        assert_eq!(refusal.patch, Some(2));
    }
    for nothing in [&b""[..], b"\n", b"\0\0\0", b"From x\n", b"\xff\xfe"] {
        let refusal = place.refusal(&[nothing.to_vec()]).await;
        assert_eq!(refusal.patch, Some(1), "{nothing:?}");
    }
}

#[tokio::test]
async fn what_changes_no_line_is_a_change_too() {
    let place = Place::new().await;
    let (world, base) = (&place.world, &place.base);
    let executable = ("a", Some(("100755", FILE.as_bytes())));
    let mode = world.mail("mode", &[executable]).await;
    let renamed = ("b/c", Some(("100755", FILE.as_bytes())));
    let rename = world.mail("rename", &[("a", None), renamed]).await;
    let empty = world.mail("empty", &[file("e", "")]).await;
    let logo: Vec<u8> = (0..=255).collect();
    let binary = world.mail("binary", &[("logo", Some(("100644", &logo)))]).await;
    let gone = world.mail("gone", &[("b/c", None)]).await;
    let letters = [mode, rename, empty, binary, gone].map(|mail| mail.raw());
    assert!(!letters[1].windows(3).any(|window| window == b"@@ "));
    let applied = Try::default().put(world, base, &letters).await.unwrap();
    let range = format!("{base}..{}", applied.commits[4]);
    let log = ["log", "--reverse", "--summary", "--format=%s", "-M", range.as_str()];
    insta::assert_snapshot!(world.say(&log).await.replace("\n\n", "\n"), @"
    mode
     mode change 100644 => 100755 a
    rename
     rename a => b/c (100%)
    empty
     create mode 100644 e
    binary
     create mode 100644 logo
    gone
     delete mode 100755 b/c
    ");
    assert_eq!(place.file("logo", &applied.commits[4]).await, logo);
}

#[tokio::test]
async fn an_author_who_is_nobody_is_written_down_all_the_same() {
    let place = Place::new().await;
    for (from, name, email) in [
        ("Ann <ann@example.org>", "Ann", "ann@example.org"),
        ("ann@example.org", "ann@example.org", "ann@example.org"),
        ("<ann@example.org>", "ann@example.org", "ann@example.org"),
        ("", "Unknown", "unknown@localhost"),
        ("<>", "Unknown", "unknown@localhost"),
        ("\"...\" <a@example.org>", "a", "a@example.org"),
        ("=?utf-8?q?A=0AEmail:_x=3Cy=3E?= <a@example.org>", "", "a@example.org"),
    ] {
        let mut mail = plain();
        mail.from = from.to_owned();
        let said = place.commit(&mail).await;
        let mut parts = said.split('|');
        let (named, at) = (parts.next(), parts.next());
        assert_eq!(at, Some(email), "{from:?}");
        // How git reads what should not be in a name is git's to say.
        assert!(name.is_empty() || named == Some(name), "{from:?}: {named:?}");
    }
    let mut mail = plain();
    mail.from = format!("{} <{}@example.org>", "n".repeat(200_000), "e".repeat(200_000));
    let said = place.commit(&mail).await;
    assert!(said.split('|').take(2).all(|part| part.len() <= 200), "{}", said.len());
    mail.from = "=?utf-8?q?A=00?= <a@example.org>".to_owned();
    let refusal = place.refusal(&[mail.raw()]).await;
    assert!(refusal.reason.starts_with("the mail cannot be read: "), "{refusal:?}");
    // Who has no header at all has none.
    let headless = [&b"\n"[..], &plain().body].concat();
    place.commit_raw(headless).await;
}

#[tokio::test]
async fn a_date_that_cannot_be_is_that_of_the_base() {
    let place = Place::new().await;
    for date in ["", "never", "Tue, 14 Nov 1900 00:00:00 +0000", "@99999999999 +0000"] {
        let mut mail = plain();
        mail.date = date.to_owned();
        let said = place.commit(&mail).await;
        assert_eq!(said.split('|').nth(2), Some("2023-11-14 22:13:20 +0000"), "{date}");
    }
}
