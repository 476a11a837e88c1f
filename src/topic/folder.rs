//! The files of all topic folders, by their name relative to the folder: the shipped ones, and over
//! them those of the operator.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use include_dir::{Dir, include_dir};

use super::TopicFault;
use crate::message::hash;

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/topics");

/// The largest file that is read, in bytes.
const FILE_MAX_BYTES: u64 = 1024 * 1024;
/// How many files the folders may have together.
const FILES_MAX: usize = 10_000;
/// How deep folders are searched; also the end of a circle of links.
const DEPTH_MAX: usize = 8;

/// A file of a topic folder.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// The file as it is shown to people.
    pub(super) file: Arc<str>,
    /// What is in it.
    pub(super) bytes: Arc<[u8]>,
}

/// All files by their relative names, with `/` between folders.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, Content>);

impl Files {
    /// The shipped files, and over them those of `folders`, the last winning.
    pub(super) fn load<P: AsRef<Path>>(folders: &[P]) -> Result<Self, Vec<TopicFault>> {
        let mut files = Self::default();
        files.add_shipped(&SHIPPED);
        let mut faults = Vec::new();
        for folder in folders {
            files.add_folder(folder.as_ref(), "", 0, &mut faults);
        }
        if faults.is_empty() { Ok(files) } else { Err(faults) }
    }

    /// What tells these files from others.
    pub(super) fn digest(&self) -> String {
        let parts = self.0.iter().flat_map(|(name, content)| [name.as_bytes(), &content.bytes]);
        hash(&parts.collect::<Vec<_>>())
    }

    /// The names of all files, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The file with this name.
    pub(super) fn file(&self, name: &str) -> Option<&Content> {
        self.0.get(name)
    }

    /// The file that `beside` calls `name`, and its name from the top.
    pub(super) fn beside(&self, beside: &str, name: &str) -> Option<(String, &Content)> {
        let path = match beside.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{name}"),
            None => name.to_owned(),
        };
        let content = self.0.get(&path)?;
        Some((path, content))
    }

    fn add_shipped(&mut self, folder: &Dir<'static>) {
        for file in folder.files() {
            let name = file.path().display().to_string().replace('\\', "/");
            let content =
                Content { file: format!("topics/{name}").into(), bytes: file.contents().into() };
            self.0.insert(name, content);
        }
        for folder in folder.dirs() {
            self.add_shipped(folder);
        }
    }

    fn add_folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        depth: usize,
        faults: &mut Vec<TopicFault>,
    ) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) if depth < DEPTH_MAX => entries,
            Ok(_) => return faults.push(fault(folder, "folders are nested too deep")),
            Err(error) => return faults.push(fault(folder, &format!("cannot read it: {error}"))),
        };
        for entry in entries {
            let Some((path, name)) = entry.ok().and_then(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some((entry.path(), name))
            }) else {
                faults.push(fault(folder, "an entry cannot be read, or its name is no text"));
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let name = format!("{prefix}{name}");
            if path.is_dir() {
                self.add_folder(&path, &format!("{name}/"), depth + 1, faults);
            } else if let Err(message) = self.add_file(&path, name) {
                faults.push(fault(&path, &message));
            }
        }
    }

    fn add_file(&mut self, path: &Path, name: String) -> Result<(), String> {
        let metadata = fs::metadata(path).map_err(|error| format!("cannot read it: {error}"))?;
        if !metadata.is_file() {
            return Err("it is no ordinary file".to_owned());
        }
        if metadata.len() > FILE_MAX_BYTES {
            return Err(format!("it is larger than {FILE_MAX_BYTES} bytes"));
        }
        if self.0.len() >= FILES_MAX {
            return Err(format!("there are more than {FILES_MAX} files"));
        }
        let bytes = fs::read(path).map_err(|error| format!("cannot read it: {error}"))?;
        let content = Content { file: path.display().to_string().into(), bytes: bytes.into() };
        self.0.insert(name, content);
        Ok(())
    }
}

fn fault(path: &Path, message: &str) -> TopicFault {
    TopicFault {
        file: path.display().to_string(),
        key: None,
        message: message.to_owned(),
        span: None,
        source_text: "".into(),
    }
}
