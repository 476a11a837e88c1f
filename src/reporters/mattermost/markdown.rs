//! Mattermost's Markdown, written anew: it has names, tags and channels that ours has not, and
//! looks for them after escapes have been taken away.

use url::Url;

use crate::neutral::SEAM;
use crate::reporters::chat::MESSAGE_MAX_CHARS;
use crate::reporters::markup::{self, Dialect, is_at_edge, uncalled};

/// What a mention, a tag or a channel begins with, and what HTML does.
const SIGNS: &[char] = &['@', '#', '~', '<', '&', '＠', '﹫', '＃'];

/// `text`, which is Markdown, as Mattermost writes it.
pub(super) fn written(text: &str) -> String {
    markup::bounded(text, &Markdown, MESSAGE_MAX_CHARS)
}

struct Markdown;

impl Dialect for Markdown {
    fn text(&self, text: &str) -> String {
        let chars: Vec<char> = uncalled(text, SIGNS).chars().collect();
        let mut out = String::with_capacity(text.len());
        for (index, &c) in chars.iter().enumerate() {
            let is_mark = match c {
                '\\' | '`' | '*' | '[' | ']' | '|' => true,
                '_' | '~' => is_at_edge(&chars, index),
                '>' | '#' | '-' | '+' => begins_a_block(&chars, index),
                '.' | ')' => ends_a_number(&chars, index),
                _ => false,
            };
            if is_mark {
                out.push('\\');
            }
            out.push(c);
        }
        out
    }

    fn address(&self, url: &str) -> String {
        url.to_owned()
    }

    fn link(&self, words: &str, url: &Url) -> String {
        let url = url.as_str().replace('(', "%28").replace(')', "%29");
        format!("[{}]({url})", words.replace('\n', " "))
    }

    fn strong(&self, words: &str) -> String {
        format!("**{words}**")
    }

    fn emphasis(&self, words: &str) -> String {
        format!("*{words}*")
    }

    fn code(&self, text: &str) -> String {
        let text = uncalled(&text.replace('`', "'"), SIGNS);
        format!("`{text}`")
    }

    fn block(&self, text: &str) -> String {
        // The fence that it could be closed with is not in it.
        let text = uncalled(&text.replace("```", "'''"), SIGNS);
        format!("```\n{text}\n```")
    }
}

/// Whether a mark would make a heading, a quote or an item of the line that it begins.
fn begins_a_block(chars: &[char], index: usize) -> bool {
    let before = chars.get(..index).unwrap_or_default();
    before.iter().all(|c| *c == SEAM || *c == ' ')
}

/// Whether a mark would make a numbered item of the line that it stands in.
fn ends_a_number(chars: &[char], index: usize) -> bool {
    let before = chars.get(..index).unwrap_or_default();
    !before.is_empty() && before.iter().all(char::is_ascii_digit)
}
