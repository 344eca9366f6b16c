//! Debian packages, by `apt-get download` from the sources that apt is configured with. Nothing is installed, and no
//! script of the package runs: it is read as an archive. Where apt's lists of packages do not have it, new ones are fetched for
//! this one download.

use super::http::Downloaded;
use super::{pin, pypi, tool};
use crate::stage::{ErrorKind, Progress, RunCx, StageError};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Downloads a package; gives its place, its name, and what came.
///
/// # Errors
/// When there is no apt, or it does not know the package or the version.
pub(super) fn fetch(name: &str, version: &str, cx: &RunCx<'_>) -> Result<(PathBuf, String, Downloaded), StageError> {
    let folder = cx.scratch.join("deb");
    std::fs::create_dir_all(&folder).map_err(|error| StageError::io("make the folder", &folder, &error))?;
    let Some(mut answer) = download(name, version, &folder, None, cx)? else {
        return Err(StageError::new(
            ErrorKind::Process,
            "`deb:` packages come through apt-get, which is not installed",
        )
        .hint("run this stage on Debian, Ubuntu or the like; its result can be used anywhere"));
    };
    if !answer.ok {
        let lists = cx.scratch.join("apt");
        let updated = update(&lists, cx)?;
        if updated {
            answer = download(name, version, &folder, Some(&lists), cx)?.unwrap_or(answer);
        }
        if !answer.ok {
            return Err(explain(name, version, &answer, updated.then_some(&*lists), cx)?);
        }
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .map_err(|error| StageError::io("read the folder", &folder, &error))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    found.sort();
    let Some(path) = found.pop() else {
        return Err(StageError::new(ErrorKind::Process, format!("apt-get said it downloaded {name}, but did not")));
    };
    let size = std::fs::metadata(&path).map_err(|error| StageError::io("read", &path, &error))?.len();
    let sha256 = pin::hash_file(&path, cx)?;
    let file = path.file_name().map_or_else(|| format!("{name}.deb"), |name| name.to_string_lossy().into_owned());
    Ok((path, file, Downloaded { size, sha256 }))
}

/// apt-get or apt-cache, with lists of packages of its own where a folder for them is given: those of the machine may be old, or
/// not there, and only root may renew them.
fn apt(program: &str, lists: Option<&Path>) -> Command {
    let mut command = Command::new(program);
    command.args(["-q", "-o", "APT::Sandbox::User="]);
    if let Some(lists) = lists {
        command.arg("-o").arg(format!("Dir::State::Lists={}", lists.join("lists").display()));
        command.arg("-o").arg(format!("Dir::Cache={}", lists.join("cache").display()));
    }
    command
}

fn download(
    name: &str,
    version: &str,
    folder: &Path,
    lists: Option<&Path>,
    cx: &RunCx<'_>,
) -> Result<Option<tool::Answer>, StageError> {
    cx.services.progress(Progress { detail: format!("apt-get download {name}"), ..Progress::default() });
    tool::run(cx, apt("apt-get", lists).args(["download", "--", &format!("{name}={version}")]).current_dir(folder))
}

/// Fetches lists of packages into a folder; whether they came.
fn update(lists: &Path, cx: &RunCx<'_>) -> Result<bool, StageError> {
    for folder in ["lists/partial", "cache/archives/partial"].map(|folder| lists.join(folder)) {
        std::fs::create_dir_all(&folder).map_err(|error| StageError::io("make the folder", &folder, &error))?;
    }
    cx.services.progress(Progress { detail: "apt-get update".to_owned(), ..Progress::default() });
    Ok(tool::run(cx, apt("apt-get", Some(lists)).arg("update"))?.is_some_and(|answer| answer.ok))
}

/// What apt-get's refusal means: it does not know the package, not this version, or could not get it.
fn explain(
    name: &str,
    version: &str,
    answer: &tool::Answer,
    lists: Option<&Path>,
    cx: &RunCx<'_>,
) -> Result<StageError, StageError> {
    let known = match tool::run(cx, apt("apt-cache", lists).args(["madison", "--", name]))? {
        Some(listed) if listed.ok => versions(&listed.out),
        _ => Vec::new(),
    };
    let update = "run `apt-get update` as root: apt may hold an old list of packages, or none";
    if known.is_empty() {
        return Ok(StageError::new(ErrorKind::Network, format!("apt knows no package `{name}`"))
            .hint(update)
            .hint("check the spelling with `apt-cache search`"));
    }
    if !known.iter().any(|known| known == version) {
        let near = pypi::nearest(version, &known);
        return Ok(StageError::new(ErrorKind::Network, format!("apt knows `{name}`, but not its version {version}"))
            .note(format!("it knows {}", near.join(", ")))
            .hint(format!("for example `deb:{name}={}`", near[0]))
            .hint(update));
    }
    let error = StageError::new(ErrorKind::Network, format!("apt-get cannot download {name} {version}"));
    Ok(answer.last_lines(4).into_iter().fold(error, StageError::note).hint(update))
}

/// The versions in the lines of `apt-cache madison`: `name | version | source`, sorted.
fn versions(listed: &str) -> Vec<String> {
    let mut found: Vec<String> =
        listed.lines().filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned())).collect();
    found.sort_by(|a, b| pypi::compare_versions(a, b));
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_versions_is_read() {
        let listed = " faq | 11.1 | repository main\n faq | 10.0-2 | repository main\n faq | 11.1 | other main\n";
        assert_eq!(versions(listed), ["10.0-2", "11.1"]);
    }
}
