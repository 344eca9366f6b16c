//! `fetch`: brings one file, or a folder of files, from the workspace, from a URL or out of a package.
//!
//! Whatever comes from outside is pinned by its sha256 and is only ever data: packages are unpacked, never installed,
//! and nothing in them is executed.

mod archive;
mod deb;
mod deliver;
mod folder;
mod http;
mod member;
mod npm;
mod package;
mod pin;
mod pypi;
mod tool;

use crate::diag::codes;
use crate::path;
use crate::stage::files::is_pattern;
use crate::stage::{CheckCx, Family, FilePath, Kind, Outputs, Port, Produced, RunCx, StageError, StageInfo};
use crate::types::ArtifactType;
use member::Member;
use package::Package;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The kind.
pub struct Fetch;

/// Exactly one of `path`, `url` and `package` says where the bytes come from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// A file of the workspace, relative to the manifest's folder. A pattern (`data/*.csv`, `data/**/*.json`) gives a
    /// `dir` of the files that it matches, named from the part before the first wildcard.
    pub path: Option<FilePath>,
    /// An address that begins with `https://` or `http://`.
    pub url: Option<String>,
    /// A released package: `pypi:NAME==VERSION`, `npm:NAME@VERSION` or `deb:NAME=VERSION`, from the index that pip,
    /// npm or apt is configured with. It is unpacked as data; nothing in it is ever executed.
    pub package: Option<String>,
    /// Which file of a PyPI release to take. Without it kilter takes, whatever the machine: a wheel for any platform
    /// (`py3-none-any` before others), else the source archive (`.tar.gz` before `.zip`), else the first wheel by name.
    pub file: Option<String>,
    /// What to take out of the archive: the path of one file (`data/a.csv`), a folder (`data/`, with the slash), or a
    /// pattern (`data/*.csv`, `data/**/*.json`). A folder or pattern gives a `dir`, whose files are named from the
    /// folder or from the part before the first wildcard. A path may go on inside an archive in the archive:
    /// `inner.tar.gz/data/a.csv`. Zip (wheels too), tar, gzip, xz, zstandard and Debian packages are read. Without
    /// `member` the output is the file as it came.
    pub member: Option<String>,
    /// Several members of one archive, each an output of its own under the name given here:
    /// `members = { flights = "data/flights.csv", planes = "data/planes.csv" }` gives `raw.flights` and `raw.planes`.
    pub members: Option<BTreeMap<String, String>>,
    /// The sha256 of the file as it comes (the archive, not the member), 64 hexadecimal digits. Needed for `url` and
    /// `package`. Write `"?"` to be told it by the first run.
    pub sha256: Option<String>,
}

/// Where the bytes come from.
enum Source<'a> {
    Path(&'a FilePath),
    Url(&'a str),
    Package(&'a str),
}

impl Spec {
    /// The sources that are given, in the order of the fields.
    fn sources(&self) -> Vec<Source<'_>> {
        let path = self.path.as_ref().map(Source::Path);
        let url = self.url.as_deref().map(Source::Url);
        let package = self.package.as_deref().map(Source::Package);
        path.into_iter().chain(url).chain(package).collect()
    }
}

impl Kind for Fetch {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "fetch",
        family: Family::Source,
        version: 1,
        summary: "Brings a file from the workspace, a URL or a package, pinned by its sha256.",
        ports: &[
            Port { name: "file", about: "the file, where one is fetched" },
            Port { name: "dir", about: "the folder, where `member` is a folder or a pattern, or `path` a pattern" },
            Port { name: "*", about: "with `members`, an output for each of them" },
        ],
        example: r#"[stage.raw]
kind = "fetch"
package = "pypi:palmerpenguins==0.1.6"
member = "palmerpenguins/data/penguins.csv"
sha256 = "5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0"
"#,
        seeded: false,
        numeric: false,
    };

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        let sources = spec.sources();
        if sources.len() != 1 {
            report_sources(spec, sources.len(), cx);
        }
        let mut lies_at = None;
        for source in &sources {
            match source {
                Source::Path(file) if is_pattern(&file.0) => return folder::check(file, spec, cx),
                Source::Path(file) => lies_at = cx.workspace_file(file, path!["path"]),
                Source::Url(url) => check_url(url, cx),
                Source::Package(text) => check_package(text, spec, cx),
            }
        }
        if let [source] = sources.as_slice() {
            check_pin(source, spec, cx);
        }
        if spec.file.is_some() && spec.package.is_none() {
            cx.error(path!["file"], codes::CONFLICT, "`file` goes with `package` alone")
                .label("there is no release to choose from")
                .hint("`member` names a file inside an archive");
        }
        if spec.member.is_some() && spec.members.is_some() {
            cx.error(path!["members"], codes::CONFLICT, "`member` and `members` exclude each other")
                .at_key()
                .label("names several outputs")
                .related(path!["member"], "names one");
        }
        if let Some(members) = &spec.members {
            return members.iter().fold(Outputs::none(), |outputs, (port, text)| {
                let ty = member_type(text, path!["members", port], cx);
                outputs.and(port.as_str(), ty)
            });
        }
        match &spec.member {
            None => lies_at
                .into_iter()
                .fold(Outputs::one("file", ArtifactType::File), |outputs, path| outputs.lying_at("file", path)),
            Some(text) => match member_type(text, path!["member"], cx) {
                ArtifactType::Dir => Outputs::one("dir", ArtifactType::Dir),
                ty => Outputs::one("file", ty),
            },
        }
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let got = match spec.sources().as_slice() {
            [Source::Path(file)] if is_pattern(&file.0) => return folder::deliver(file, cx),
            [Source::Path(file)] => local(file, spec, cx)?,
            [Source::Url(url)] => remote_url(url, spec, cx)?,
            [Source::Package(text)] => remote_package(text, spec, cx)?,
            _ => return Err(StageError::bug("a fetch without exactly one source was not refused")),
        };
        deliver::deliver(&got, spec, cx)
    }
}

/// A file that is here now, before anything was taken out of it.
struct Got {
    path: PathBuf,
    name: String,
    size: u64,
    verified: bool,
}

/// What a member is, by how it is written; reports a member that cannot be read.
fn member_type(text: &str, at: crate::stage::Path, cx: &mut CheckCx<'_>) -> ArtifactType {
    match Member::parse(text) {
        Ok(member) if member.is_dir() => ArtifactType::Dir,
        Ok(_) => ArtifactType::File,
        Err(wrong) => {
            cx.error(at, codes::BAD_MEMBER, wrong.message).label(wrong.label).maybe_hint(wrong.hint);
            ArtifactType::Unknown
        }
    }
}

fn report_sources(spec: &Spec, count: usize, cx: &mut CheckCx<'_>) {
    if count == 0 {
        cx.error(path![], codes::CONFLICT, "this stage does not say what to fetch")
            .hint("give one of `path` (a workspace file), `url` and `package`");
        return;
    }
    let keys = [("path", spec.path.is_some()), ("url", spec.url.is_some()), ("package", spec.package.is_some())];
    let given: Vec<&str> = keys.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
    let finding = cx.error(
        path![given[given.len() - 1]],
        codes::CONFLICT,
        format!("{} exclude each other", crate::diag::list(given.iter().copied(), 3)),
    );
    finding.at_key().label("one source is enough");
    for key in &given[..given.len() - 1] {
        finding.related(path![*key], "the other");
    }
}

fn check_url(url: &str, cx: &mut CheckCx<'_>) {
    let lower = url.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match host {
        Some(host) if !host.is_empty() && !url.contains(char::is_whitespace) => {}
        Some(_) => {
            cx.error(path!["url"], codes::BAD_URL, format!("`{url}` is not a complete URL"))
                .label("no host, or a space in it");
        }
        None if lower.starts_with("file:") => {
            cx.error(path!["url"], codes::BAD_URL, "a `file:` URL does not say which workspace file is meant")
                .label("not fetched by URL")
                .hint("give a workspace file by `path = \"data/x.csv\"`; its content then decides what reruns");
        }
        None => {
            let scheme = url.split_once("://").map_or("no scheme", |(scheme, _)| scheme);
            cx.error(path!["url"], codes::BAD_URL, format!("`{url}` is not a URL that kilter can fetch"))
                .label(format!("found {scheme}"))
                .hint("it begins with `https://` or `http://`; `path` names a workspace file, `package` a package");
        }
    }
}

fn check_package(text: &str, spec: &Spec, cx: &mut CheckCx<'_>) {
    match Package::parse(text) {
        Ok(Package::Pypi { .. }) => {}
        Ok(_) if spec.file.is_some() => {
            cx.error(path!["file"], codes::CONFLICT, "`file` chooses among the files of a PyPI release")
                .label("npm and Debian packages are one file each")
                .hint("`member` names a file inside the package");
        }
        Ok(_) => {}
        Err(wrong) => {
            cx.error(path!["package"], codes::PACKAGE, wrong.message).label(wrong.label).maybe_hint(wrong.hint);
        }
    }
}

fn check_pin(source: &Source<'_>, spec: &Spec, cx: &mut CheckCx<'_>) {
    match (&spec.sha256, source) {
        (Some(text), _) => {
            if let Err(reason) = pin::parse(text) {
                cx.error(path!["sha256"], codes::SHA256, "`sha256` is not a sha256")
                    .label(reason)
                    .hint("write `sha256 = \"?\"` and run once: the run stops and says what to write");
            }
        }
        (None, Source::Path(_)) => {}
        (None, Source::Url(_) | Source::Package(_)) => {
            let key = if matches!(source, Source::Url(_)) { "url" } else { "package" };
            cx.error(path![key], codes::SHA256, "what comes from outside is pinned by its sha256, and there is none")
                .label("could become something else tomorrow")
                .hint("add `sha256 = \"?\"` and run once: the run stops and says what to write");
        }
    }
}

fn local(file: &FilePath, spec: &Spec, cx: &RunCx<'_>) -> Result<Got, StageError> {
    let path = cx.base.join(&file.0);
    let meta = std::fs::metadata(&path).map_err(|error| StageError::io("read", &path, &error).at(path!["path"]))?;
    let name = file_name(&file.0);
    if let Some(sha256) = &spec.sha256 {
        let found = pin::hash_file(&path, cx)?;
        pin::verify(sha256, &found, meta.len(), &name, &path)?;
    }
    Ok(Got { path, name, size: meta.len(), verified: spec.sha256.is_some() })
}

fn remote_url(url: &str, spec: &Spec, cx: &RunCx<'_>) -> Result<Got, StageError> {
    need_network(cx)?;
    let name = name_of_url(url);
    let to = cx.scratch.join("download");
    let client = http::Client::new(cx, &http::Trust::default())?;
    let downloaded = client.download(url, &[], &to).map_err(|error| error.at(path!["url"]))?;
    pinned(spec, &downloaded, &name, &to)?;
    Ok(Got { path: to, name, size: downloaded.size, verified: true })
}

fn remote_package(text: &str, spec: &Spec, cx: &RunCx<'_>) -> Result<Got, StageError> {
    need_network(cx)?;
    let package = Package::parse(text).map_err(|wrong| StageError::bug(wrong.message))?;
    let fetched = match &package {
        Package::Pypi { name, version } => pypi::fetch(name, version, spec.file.as_deref(), cx),
        Package::Npm { name, version } => npm::fetch(name, version, cx),
        Package::Deb { name, version } => deb::fetch(name, version, cx),
    };
    let (path, name, downloaded) = fetched.map_err(|error| error.at(path!["package"]))?;
    pinned(spec, &downloaded, &name, &path)?;
    Ok(Got { path, name, size: downloaded.size, verified: true })
}

/// Compares a download with the pin that every remote source must have.
fn pinned(spec: &Spec, downloaded: &http::Downloaded, name: &str, path: &Path) -> Result<(), StageError> {
    let declared = spec.sha256.as_deref().unwrap_or(pin::ASK);
    pin::verify(declared, &downloaded.sha256, downloaded.size, name, path)
}

/// An error where the run may not use the network.
pub(in crate::stages::source) fn need_network(cx: &RunCx<'_>) -> Result<(), StageError> {
    if cx.services.network_allowed() {
        return Ok(());
    }
    let what = "this run may not use the network, and what it would fetch is not in the store";
    Err(StageError::new(crate::stage::ErrorKind::Network, what).hint("run once without `--offline`"))
}

/// The last part of a path.
fn file_name(path: &str) -> String {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("file").to_owned()
}

/// A file name for what a URL gives: the last part of its path, without query.
fn name_of_url(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let after_host = path.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let name: String = file_name(after_host).replace("%20", " ");
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | ' ' | '(' | ')' | '~' | '=');
    let cleaned: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if cleaned.chars().all(|c| c == '.') { "file".to_owned() } else { cleaned }
}

#[cfg(test)]
mod tests;
