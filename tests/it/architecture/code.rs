//! The source code, as far as it has to be understood.

use std::path::Path;

/// A file of Rust.
#[derive(Clone)]
pub(super) struct File {
    /// Relative to the package.
    pub(super) path: String,
    pub(super) text: String,
    /// Whether all of it is only compiled for tests.
    is_test: bool,
}

/// All files of Rust below `folder`.
pub(super) fn files(folder: &str) -> Vec<File> {
    let paths = paths(folder, "rs");
    let texts: Vec<_> = paths.iter().map(|path| read(path)).collect();
    let mut test_roots: Vec<String> = Vec::new();
    for (path, text) in paths.iter().zip(&texts) {
        let folder = path.strip_suffix(".rs").unwrap();
        let folder = if folder == "src/lib" { "src" } else { folder };
        test_roots.extend(test_modules(text).map(|name| format!("{folder}/{name}")));
    }
    let is_test = |path: &str| {
        !path.starts_with("src/") || test_roots.iter().any(|root| is_below(path, root))
    };
    let file = |(path, text): (String, String)| File { is_test: is_test(&path), path, text };
    paths.clone().into_iter().zip(texts).map(file).collect()
}

/// Whether `path` is the file or in the folder of the module at `root`.
fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// The names of the modules in files of their own that are compiled for tests.
fn test_modules(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().zip(text.lines().skip(1));
    lines.filter(|(line, _)| line.trim() == "#[cfg(test)]").filter_map(|(_, next)| {
        next.trim().strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name)
    })
}

impl File {
    /// The first part of its path: the module that `lib.rs` lists.
    pub(super) fn module(&self) -> &str {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Whether it is the file of a module, or of one below it.
    pub(super) fn is_of(&self, module: &str) -> bool {
        is_below(&self.path, &format!("src/{module}"))
    }

    pub(super) fn is_test(&self) -> bool {
        self.is_test
    }

    /// The tests at its end.
    pub(super) fn tests(&self) -> &str {
        self.text.split_at(self.end()).1
    }

    /// The lines that are neither comments nor tests, with their numbers.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let text = if self.is_test { "" } else { self.text.split_at(self.end()).0 };
        let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
        let is_code = |line: &str| !line.trim_start().starts_with("//");
        lines
            .map(|(number, line)| (number, line.split(" // ").next().unwrap_or_default()))
            .filter(move |(_, line)| is_code(line))
    }

    /// Where its tests begin.
    fn end(&self) -> usize {
        let mut at = 0;
        for (line, next) in self.text.lines().zip(self.text.lines().skip(1)) {
            if line == "#[cfg(test)]" && next.ends_with('{') {
                return at;
            }
            at += line.len() + 1;
        }
        self.text.len()
    }

    /// The modules of this crate that its code uses.
    pub(super) fn uses(&self) -> Vec<String> {
        let code: String = self.code().flat_map(|(_, line)| [line, "\n"]).collect();
        let mut found = Vec::new();
        for rest in code.split("crate::").skip(1) {
            match rest.strip_prefix('{') {
                None => found.extend(words(rest).next().map(str::to_owned)),
                Some(group) => found.extend(firsts(group)),
            }
        }
        found
    }
}

/// The first name of each path in a group of a `use`.
fn firsts(group: &str) -> Vec<String> {
    let (mut depth, mut path, mut paths) = (1, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => paths.push(std::mem::take(&mut path)),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        path.push(c);
    }
    paths.push(path);
    paths.iter().filter_map(|path| words(path).next().map(str::to_owned)).collect()
}

/// The names in a line.
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The commands of the program in a page of Markdown: what stands in code behind its name.
pub(super) fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in page.lines() {
        let spans: Vec<_> = match line.strip_prefix("$ ") {
            Some(line) => vec![line.split(" #").next().unwrap()],
            None => line.split('`').skip(1).step_by(2).collect(),
        };
        for span in spans {
            let Some(rest) = span.strip_prefix("pointsman ") else { continue };
            let mut words = rest.split_whitespace();
            let mut word = words.next();
            while word.is_some_and(|word| word.starts_with('-')) {
                // An option and its value.
                words.next();
                word = words.next();
            }
            found.extend(word.map(str::to_owned));
        }
    }
    found
}

/// A file of the package.
pub(super) fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below `folder` that end so, relative to the package, in order.
pub(super) fn paths(folder: &str, ending: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
