//! A folder for one series: an index, and the objects that are made for it.
//!
//! What is made stays apart from our repository until all is well, so that what is refused leaves
//! nothing in it.  The folder is removed when the series is done; what a crash has left is swept
//! at the next start.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use super::call::Call;
use super::process::Git;
use crate::remote::Failure;

/// A folder for one series.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: TempDir,
    repository: PathBuf,
}

impl Git {
    /// Removes what was in use when an earlier process ended.  Nobody else may be at work.
    pub fn sweep(&self) -> anyhow::Result<()> {
        let folder = self.scratch_folder();
        let what = || format!("cannot sweep `{}`", folder.display());
        for entry in fs::read_dir(&folder).with_context(what)? {
            let entry = entry.with_context(what)?;
            let is_folder = entry.file_type().with_context(what)?.is_dir();
            let removed = match is_folder {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            };
            removed.with_context(what)?;
        }
        Ok(())
    }

    pub(super) fn scratch(&self) -> Result<Scratch, Failure> {
        let within = self.scratch_folder();
        let folder = tempfile::Builder::new().prefix("series-").tempdir_in(&within);
        let folder = folder.and_then(|folder| {
            fs::create_dir(folder.path().join("objects"))?;
            Ok(folder)
        });
        let folder = folder.with_context(|| format!("cannot use `{}`", within.display()));
        Ok(Scratch { folder: folder.map_err(Failure::retry)?, repository: self.repository() })
    }
}

impl Scratch {
    /// Where a file of this name is in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A call that uses its index, and writes objects to it.
    pub(super) fn call(&self, args: &[&str]) -> Call {
        Call::new(args)
            .env("GIT_INDEX_FILE", self.file("index"))
            .env("GIT_INDEX_VERSION", "4")
            .env("GIT_OBJECT_DIRECTORY", self.file("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.repository.join("objects")))
            // An index that lives for a second needs no checksum.
            .setting("index.skipHash", "true")
    }

    /// Moves the objects to our repository.
    pub(super) fn keep(self) -> Result<(), Failure> {
        let kept = keep(&self.file("objects"), &self.repository.join("objects"));
        kept.context("cannot move objects to our repository").map_err(Failure::retry)
    }
}

/// Moves all objects.  Each is complete before it has its name, and nothing refers to any of them
/// before all are there.
fn keep(from: &Path, to: &Path) -> io::Result<()> {
    for folder in fs::read_dir(from)? {
        let folder = folder?;
        let name = folder.file_name();
        if name.len() != 2 || !folder.file_type()?.is_dir() {
            continue;
        }
        let place = to.join(name);
        match fs::create_dir(&place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        for object in fs::read_dir(folder.path())? {
            let object = object?;
            fs::rename(object.path(), place.join(object.file_name()))?;
        }
    }
    Ok(())
}

/// A path as git reads it from a list whose separator it may contain.
fn quoted(path: &Path) -> OsString {
    let mut quoted = vec![b'"'];
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}
