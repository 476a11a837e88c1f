//! The files that the operator writes: rules, and the definitions of jobs beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::rules::RuleSource;

/// How many files there may be: whoever names a wrong folder is told so.
const FILES_MAX: usize = 5000;
/// How deep folders of definitions may be nested.
const DEPTH_MAX: usize = 8;

/// All files of rules in `dir`, and all definitions in it and the folders below, in the order of
/// their names.
pub fn rule_files(dir: &Path) -> anyhow::Result<Vec<RuleSource>> {
    let mut paths = Vec::new();
    gather(dir, 0, &mut paths)
        .with_context(|| format!("cannot read the rules in `{}` (`rules.dir`)", dir.display()))?;
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the rules file `{}`", path.display()))?;
        Ok(RuleSource { name: path.display().to_string(), text })
    };
    paths.iter().map(read).collect()
}

fn gather(dir: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is = |endings: &[&str]| {
            path.extension().is_some_and(|own| endings.iter().any(|ending| own == *ending))
        };
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden {
            continue;
        }
        if is(&["yaml", "yml"]) || (depth == 0 && is(&["toml"])) {
            paths.push(path);
        } else if depth < DEPTH_MAX && path.is_dir() {
            gather(&path, depth + 1, paths)?;
        }
        ensure!(paths.len() <= FILES_MAX, "there are more than {FILES_MAX} files");
    }
    Ok(())
}
