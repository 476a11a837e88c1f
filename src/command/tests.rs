use super::*;

mod heard;
mod laws;
mod settings;
mod unheard;

/// A command as it was understood: verb, names and commit.
fn understood(command: &Command) -> String {
    let mut words = vec![command.verb.as_str().to_owned()];
    words.extend(command.names.iter().cloned());
    words.extend(command.sha.iter().map(|sha| format!("[{sha}]")));
    words.join(" ")
}

/// What the grammar that nobody has changed understands of a comment.
fn heard(text: &str) -> Vec<String> {
    Grammar::default().parse(text).iter().map(understood).collect()
}
