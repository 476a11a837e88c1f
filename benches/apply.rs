//! A series upon a large tree: in an index, as we do it, and in a worktree, as others do.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use pointsman::git::apply::{self, Committer, Fit, How};
use pointsman::git::call::Call;
use pointsman::git::guard::{Guard, Policy};
use pointsman::git::process::Git;
use pointsman::subject::CommitSha;
use tokio::time::Instant;

use crate::table::{Row, Target, median};

/// As many folders and files as a kernel has.
const FOLDERS: usize = 400;
const FILES: usize = 200;
/// How many lines of 40 characters a file has: 4 KB.
const LINES: usize = 100;
/// How many patches a series has, each of which changes two files.
const PATCHES: usize = 20;

/// Measures both, `runs` times each, in turns.
pub(crate) async fn measure(runs: usize) -> anyhow::Result<Vec<Row>> {
    let place = tempfile::tempdir()?;
    let git = Git::open(place.path(), &[])?;
    let base = tree(&git).await?;
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    let (mut our_cpu, mut other_cpu) = (Vec::new(), Vec::new());
    let mut other_peak = 0.0_f64;
    for run in 0..runs.max(1) {
        let letters = series(run)?;
        let began = Cpu::now()?;
        ours.push(in_index(&git, &base, &letters).await?);
        our_cpu.push(began.own_and_children()?);
        let began = Cpu::now()?;
        let work = async { in_worktree(&git, place.path(), &base, &letters) };
        let (took, peak) = watched(work)?;
        others.push(took);
        // The watcher's own is not counted.
        other_cpu.push(began.children()?);
        other_peak = other_peak.max(peak);
    }
    let letters = series(runs + 1)?;
    let (_, our_peak) = watched(in_index(&git, &base, &letters))?;
    let (ours, others) = (median(ours), median(others));
    let (our_cpu, other_cpu) = (median(our_cpu), median(other_cpu));
    Ok(vec![
        Row {
            measure: "20 patches on 80,000 files: speed, to a worktree's".to_owned(),
            ours: format!("{:.0} ms", ours * 1e3),
            other: format!("{:.0} ms", others * 1e3),
            value: others / ours,
            target: Target::AtLeast(10.0),
        },
        Row {
            measure: "20 patches on 80,000 files: CPU seconds saved, times".to_owned(),
            ours: format!("{our_cpu:.2} s"),
            other: format!("{other_cpu:.2} s"),
            value: other_cpu / our_cpu,
            target: Target::AtLeast(10.0),
        },
        Row {
            measure: "20 patches on 80,000 files: peak memory of git (MiB)".to_owned(),
            ours: format!("{our_peak:.1} MiB"),
            other: format!("{other_peak:.1} MiB"),
            value: our_peak,
            target: Target::None,
        },
    ])
}

/// The CPU seconds of this process, and of those that it has begun and that have ended.
struct Cpu {
    own: f64,
    children: f64,
}

impl Cpu {
    fn now() -> anyhow::Result<Self> {
        /// Linux counts the time of processes in hundredths on every machine.
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let (_, fields) = stat.rsplit_once(") ").context("no process")?;
        let ticks: Vec<f64> =
            fields.split(' ').skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
        let [user, system, child_user, child_system] = ticks.as_slice() else {
            anyhow::bail!("no times of a process")
        };
        Ok(Self {
            own: (user + system) / TICKS_PER_SECOND,
            children: (child_user + child_system) / TICKS_PER_SECOND,
        })
    }

    fn children(&self) -> anyhow::Result<f64> {
        Ok(Self::now()?.children - self.children)
    }

    fn own_and_children(&self) -> anyhow::Result<f64> {
        Ok(Self::now()?.own - self.own + self.children()?)
    }
}

/// Seconds for a series, from its mails to its commits.
async fn in_index(git: &Git, base: &CommitSha, letters: &[Vec<u8>]) -> anyhow::Result<f64> {
    let guard = Guard::new(&Policy::default())?;
    let committer = Committer::default();
    let how = How {
        fit: Fit::Plain,
        keep_cr: false,
        committer: &committer,
        guard: &guard,
        is_approved: false,
    };
    let began = Instant::now();
    let stopped = |stop| anyhow::anyhow!("{stop:?}");
    let patches = apply::read(git, letters, &how).await.map_err(stopped)?;
    let applied = apply::apply(git, base, &patches, &how).await.map_err(stopped)?;
    let took = began.elapsed().as_secs_f64();
    ensure!(applied.commits.len() == PATCHES);
    Ok(took)
}

/// Seconds for the same in a worktree that is made for it and removed afterwards.
fn in_worktree(
    git: &Git,
    place: &Path,
    base: &CommitSha,
    letters: &[Vec<u8>],
) -> anyhow::Result<f64> {
    let (tree, mails) = (place.join("tree"), place.join("mails"));
    std::fs::create_dir_all(&mails)?;
    let mut files = Vec::new();
    for (number, letter) in letters.iter().enumerate() {
        let file = mails.join(format!("{number:04}"));
        std::fs::write(&file, letter)?;
        files.push(file);
    }
    let repository = git.repository();
    let plain = |at: &Path| {
        let mut command = Command::new("git");
        command
            .current_dir(at)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_COMMITTER_NAME", "Bench")
            .env("GIT_COMMITTER_EMAIL", "bench@localhost")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    };
    let began = Instant::now();
    let add = ["-c", "advice.detachedHead=false", "worktree", "add", "--quiet", "--detach"];
    done(plain(&repository).args(add).arg(&tree).arg(base.as_str()))?;
    done(plain(&tree).args(["am", "--quiet"]).args(&files))?;
    done(plain(&repository).args(["worktree", "remove", "--force"]).arg(&tree))?;
    Ok(began.elapsed().as_secs_f64())
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// What `work` returns, and the most memory that was resident in any process that it began, in
/// MiB, looked at some hundred times in a second.
fn watched<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<(T, f64)> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0.0_f64;
            while !is_over.load(Ordering::Relaxed) {
                peak = peak.max(peak_below(std::process::id()));
                std::thread::sleep(std::time::Duration::from_millis(4));
            }
            peak
        });
        let ended =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work));
        is_over.store(true, Ordering::Relaxed);
        let peak = watcher.join().map_err(|_panic| anyhow::anyhow!("the watcher is gone"))?;
        Ok((ended?, peak))
    })
}

/// The most memory that was resident in any process below this one, in MiB.
fn peak_below(process: u32) -> f64 {
    let folder = format!("/proc/{process}/task");
    let threads = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut peak = 0.0_f64;
    for thread in threads {
        let children = std::fs::read_to_string(thread.path().join("children"));
        for child in children.unwrap_or_default().split_whitespace() {
            let Ok(child) = child.parse() else { continue };
            peak = peak.max(peak_of(child)).max(peak_below(child));
        }
    }
    peak
}

fn peak_of(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// A repository of one commit with all files, and the commit.
async fn tree(git: &Git) -> anyhow::Result<CommitSha> {
    git.succeed(Call::new(["init", "--quiet", "--bare", "--initial-branch=master"])).await?;
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .env("GIT_DIR", git.repository())
        .stdin(Stdio::piped())
        .spawn()?;
    let mut script = BufWriter::new(import.stdin.take().context("no way in")?);
    write!(
        script,
        "commit refs/heads/master\ncommitter Bench <bench@localhost> 1700000000 +0000\n\
         data 4\nbase\n"
    )?;
    for folder in 0..FOLDERS {
        for file in 0..FILES {
            let content = content(folder, file);
            let path = path(folder, file);
            write!(script, "M 100644 inline {path}\ndata {}\n{content}\n", content.len())?;
        }
    }
    script.flush()?;
    drop(script);
    ensure!(import.wait()?.success(), "the files cannot be imported");
    let sha = git.succeed(Call::new(["rev-parse", "refs/heads/master"])).await?;
    Ok(CommitSha::try_from(sha.text())?)
}

fn path(folder: usize, file: usize) -> String {
    format!("area-{}/part-{folder}/file-{file}.c", folder / 20)
}

fn line(folder: usize, file: usize, number: usize) -> String {
    // Not quite the same in any two files, so that they have to be kept apart.
    let noise = (folder * FILES + file).wrapping_mul(2_654_435_761).wrapping_add(number * 40_503);
    format!("int line_{number:03} = 0x{noise:020x};")
}

fn content(folder: usize, file: usize) -> String {
    (0..LINES).map(|number| line(folder, file, number) + "\n").collect()
}

/// The mails of a series that no other run has.
fn series(run: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let patch = |number: usize| {
        let mut mail = format!(
            "From: Bench <bench@localhost>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\n\
             Subject: [PATCH {number}/{PATCHES}] Change two files\n\
             Message-ID: <{run}.{number}@localhost>\n\nAs they have to be.\n---\n\n"
        );
        for file in [3, 150] {
            let folder = number * 17;
            let path = path(folder, file);
            let of = |line_number| line(folder, file, line_number);
            write!(
                mail,
                "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n\
                 @@ -50,3 +50,3 @@\n {}\n-{}\n+int changed = {run};\n {}\n",
                of(49),
                of(50),
                of(51)
            )?;
        }
        mail.push_str("-- \n2.47.3\n");
        Ok(mail.into_bytes())
    };
    (1..=PATCHES).map(patch).collect()
}
