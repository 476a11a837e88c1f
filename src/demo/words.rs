//! How actors, flags, comments and commits are named on the screen.

use super::screen::{Look, Part, part};
use super::world::OURSELVES;

/// The colour of an actor.
pub(super) fn look_of(actor: &str) -> Look {
    match actor {
        "pagure" | "patchwork" | "slack" => Look::Forge,
        "jenkins" | "lava" => Look::Builder,
        OURSELVES => Look::Ours,
        _ => Look::Plain,
    }
}

/// The state of a flag, with a sign that can be told apart without colours.
pub(super) fn flag_part(status: &str) -> Part {
    let (look, sign) = match status {
        "success" => (Look::Good, "✔"),
        "failure" | "error" => (Look::Bad, "✖"),
        "pending" => (Look::Open, "●"),
        _ => (Look::Quiet, "⊘"),
    };
    part(look, format!("{sign} {status:<9}"))
}

/// The first line of a comment, without what Markdown makes of it.
pub(super) fn readable(comment: &str) -> String {
    let line = comment.lines().next().unwrap_or_default().replace("**", "");
    match (line.split_once("(["), line.rsplit_once("](")) {
        (Some((before, rest)), Some(_)) => {
            let label = rest.split_once(']').map_or(rest, |(label, _)| label);
            format!("{before}({label})")
        }
        _ => line,
    }
}

/// A line of the chat, without its marks and the addresses of its links.
pub(super) fn chatted(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some((before, inside)) = rest.split_once('<') {
        shown.push_str(before);
        let Some((target, after)) = inside.split_once('>') else { break };
        shown.push_str(target.split_once('|').map_or(target, |(_, label)| label));
        rest = after;
    }
    shown.push_str(rest);
    shown.replace(['*', '\u{2060}'], "")
}

/// The first digits of a commit.
pub(super) fn short(head: &str) -> &str {
    head.get(..8).unwrap_or(head)
}

/// `text` with short names instead of whole run ids.
pub(super) fn brief(text: &str) -> String {
    let is_id = |word: &str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split(' ').map(|word| if is_id(word) { short(word) } else { word });
    words.collect::<Vec<_>>().join(" ")
}
