//! A folder for one series: an index, and the objects that are made for it.
//!
//! What is made stays apart from our repository until all is well, so that what is refused leaves
//! nothing in it.  The folder is removed when the series is done; what a crash has left is swept
//! by the next one who begins to work there while nobody else does, and what a git that was killed
//! had locked is unlocked.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
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

/// Says that somebody is at work in a folder, and that nothing there is to be swept.
#[derive(Debug)]
pub(super) struct Occupied(#[expect(dead_code, reason = "it is locked while it is there")] File);

/// Begins to work in the folder `root`; if nobody else does, what a crash has left is removed.
pub(super) fn occupy(root: &Path) -> anyhow::Result<Occupied> {
    let path = root.join("scratch.lock");
    let what = || format!("cannot use `{}`", path.display());
    // To be locked it need not be ours to write.
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::create(&path),
        opened => opened,
    };
    let file = file.with_context(what)?;
    match file.try_lock() {
        Ok(()) => {
            let folder = root.join("scratch");
            sweep(&folder).with_context(|| format!("cannot sweep `{}`", folder.display()))?;
            let repository = root.join("repository.git");
            unlock(&repository, 0)
                .with_context(|| format!("cannot unlock `{}`", repository.display()))?;
            file.unlock().with_context(what)?;
        }
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error).with_context(what),
    }
    file.lock_shared().with_context(what)?;
    Ok(Occupied(file))
}

fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// How deep folders are within a repository: the longest names of branches have fewer parts.
const DEPTH_MAX: usize = 64;

/// Removes the locks that git leaves where it is killed, and never looks behind.
///
/// No reference may be called so.  Where objects lie one by one there are none, and many folders.
fn unlock(folder: &Path, depth: usize) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    for entry in entries {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name());
        let is_of_objects = depth == 1 && folder.ends_with("objects") && name.len() == 2;
        if kind.is_dir() && depth < DEPTH_MAX && !is_of_objects {
            unlock(&entry.path(), depth + 1)?;
        } else if kind.is_file() && name.as_bytes().ends_with(b".lock") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Git {
    /// A new folder for one series.
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
    pub(super) async fn keep(self) -> Result<(), Failure> {
        let work = move || keep(&self.file("objects"), &self.repository.join("objects"));
        let kept = tokio::task::spawn_blocking(work).await.map_err(Failure::retry)?;
        kept.context("cannot move objects to our repository").map_err(Failure::retry)
    }
}

/// Moves all objects.  Nothing refers to any of them before all are there.
///
/// Each is on the disk before it has its name: git takes an object that a power cut has emptied
/// for one that is there, and would not write it again.
fn keep(from: &Path, to: &Path) -> io::Result<()> {
    // All at once, as each alone would take as long.
    rustix::fs::syncfs(File::open(from)?)?;
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
