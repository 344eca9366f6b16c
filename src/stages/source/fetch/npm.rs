//! Tarballs of npm packages, from the registry that npm is configured with.

use super::http::{self, Client, Downloaded, Trust};
use super::{pypi, tool};
use crate::env;
use crate::stage::{ErrorKind, RunCx, StageError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// The short form of a package's metadata.
const ACCEPT: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    versions: BTreeMap<String, Version>,
}

#[derive(Debug, Deserialize)]
struct Version {
    dist: Dist,
}

#[derive(Debug, Deserialize)]
struct Dist {
    tarball: String,
}

/// What npm is configured with, as far as a download needs it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Npm {
    pub(super) registry: String,
    pub(super) certificates: Option<PathBuf>,
    /// Registry without its scheme, and the token for it.
    pub(super) tokens: Vec<(String, String)>,
}

/// Downloads a version's tarball; gives its place, its name, and what came.
///
/// # Errors
/// When no registry is configured, the package or version does not exist, or cannot be reached.
pub(super) fn fetch(name: &str, version: &str, cx: &RunCx<'_>) -> Result<(PathBuf, String, Downloaded), StageError> {
    let npm = configuration(name, cx)?;
    let client = Client::new(cx, &Trust { certificates: npm.certificates.clone(), proxy: None })?;
    fetch_from(&client, &npm, (name, version), cx)
}

pub(super) fn fetch_from(
    client: &Client<'_>,
    npm: &Npm,
    (name, version): (&str, &str),
    cx: &RunCx<'_>,
) -> Result<(PathBuf, String, Downloaded), StageError> {
    let url = format!("{}/{}", npm.registry.trim_end_matches('/'), name.replace('/', "%2f"));
    let Some(metadata) = client.json::<Metadata>(&url, ACCEPT, &npm.headers(&url))? else {
        return Err(StageError::new(ErrorKind::Network, format!("there is no package `{name}`"))
            .note(format!("asked {}, which npm is configured with", http::host_of(&url)))
            .hint("check the spelling; a scoped package is written `@scope/name`"));
    };
    let Some(found) = metadata.versions.get(version) else {
        return Err(no_version(name, version, metadata.versions.into_keys().collect()));
    };
    let tarball = http::join(&url, &found.dist.tarball);
    let to = cx.scratch.join("download");
    let downloaded = client.download(&tarball, &npm.headers(&tarball), &to)?;
    Ok((to, format!("{}-{version}.tgz", name.trim_start_matches('@').replace('/', "-")), downloaded))
}

fn no_version(name: &str, version: &str, mut known: Vec<String>) -> StageError {
    known.sort_by(|a, b| pypi::compare_versions(a, b));
    let error = StageError::new(ErrorKind::Network, format!("`{name}` has no version {version}"));
    if known.is_empty() {
        return error.note("it has no versions at all");
    }
    let near = pypi::nearest(version, &known);
    error
        .note(format!("of its {} versions the nearest are {}", known.len(), near.join(", ")))
        .hint(format!("for example `npm:{name}@{}`", near[0]))
}

impl Npm {
    /// A token goes to the registry that it is for, and nowhere else.
    fn headers(&self, url: &str) -> Vec<(String, String)> {
        let bare = url.split_once("://").map_or(url, |(_, rest)| rest);
        let token = self.tokens.iter().find(|(registry, _)| {
            let registry = registry.trim_end_matches('/');
            bare.strip_prefix(registry).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        token.map(|(_, token)| ("Authorization".to_owned(), format!("Bearer {token}"))).into_iter().collect()
    }
}

/// Asks npm what it is configured with; without npm, reads what it would have read.
fn configuration(name: &str, cx: &RunCx<'_>) -> Result<Npm, StageError> {
    let scope = name.starts_with('@').then(|| name.split('/').next().unwrap_or(name));
    let rc = env::var("HOME").and_then(|home| std::fs::read_to_string(PathBuf::from(home).join(".npmrc")).ok());
    let mut npm = read_rc(rc.as_deref().unwrap_or_default(), scope);
    let ask = |key: &str| -> Result<Option<String>, StageError> {
        let answer = tool::run(cx, Command::new("npm").args(["config", "get", key]))?;
        let value = answer.filter(|answer| answer.ok).map(|answer| answer.out.trim().to_owned());
        Ok(value.filter(|value| !matches!(value.as_str(), "" | "undefined" | "null")))
    };
    let scoped = scope.map(|scope| ask(&format!("{scope}:registry"))).transpose()?.flatten();
    if let Some(registry) = scoped.map_or_else(|| ask("registry"), |registry| Ok(Some(registry)))? {
        npm.registry = registry;
    } else if let Some(registry) = env::var("npm_config_registry").or_else(|| env::var("NPM_CONFIG_REGISTRY")) {
        npm.registry = registry;
    }
    if npm.registry.is_empty() {
        return Err(StageError::new(ErrorKind::Process, "no npm registry is known")
            .note("npm is not installed, and neither ~/.npmrc nor NPM_CONFIG_REGISTRY names a registry")
            .hint("install npm, or write `registry=URL` into ~/.npmrc"));
    }
    Ok(npm)
}

/// Reads an `.npmrc`: `key=value` lines, `;` and `#` begin comments, `${NAME}` is the environment's.
fn read_rc(text: &str, scope: Option<&str>) -> Npm {
    let mut npm = Npm::default();
    let mut scoped = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with([';', '#'])) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim(), expand(value.trim().trim_matches('"')));
        if key == "registry" {
            npm.registry = value;
        } else if key == "cafile" {
            npm.certificates = Some(PathBuf::from(value));
        } else if scope.is_some_and(|scope| key == format!("{scope}:registry")) {
            scoped = Some(value);
        } else if let Some(registry) = key.strip_prefix("//").and_then(|rest| rest.strip_suffix(":_authToken")) {
            npm.tokens.push((registry.to_owned(), value));
        }
    }
    npm.registry = scoped.unwrap_or(npm.registry);
    npm
}

fn expand(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&env::var(name).unwrap_or_default());
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_file_is_read_and_tokens_stay_with_their_registry() {
        let rc = "; a comment\nregistry = https://npm.example/\n@data:registry=https://data.example/npm/\n\
                  //data.example/npm/:_authToken=\"secret\"\ncafile=/etc/ca.pem\n";
        let npm = read_rc(rc, Some("@data"));
        assert_eq!(npm.registry, "https://data.example/npm/");
        assert_eq!(npm.headers("https://data.example/npm/x").len(), 1);
        assert_eq!(npm.headers("https://data.example/npmx/x"), Vec::new());
        assert_eq!(npm.headers("https://cdn.example/x"), Vec::new());
        assert_eq!(read_rc(rc, None).registry, "https://npm.example/");
    }
}
