//! Downloads: one client with retries and progress, and what can go wrong in words.

use super::pin;
use crate::numbers;
use crate::stage::{ErrorKind, Progress, RunCx, StageError};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// How often something that may pass is tried.
const ATTEMPTS: u32 = 4;

/// No index page and no package's metadata is larger.
const JSON_LIMIT: u64 = 512 << 20;

/// Whom to trust and through whom to go, where a package client is configured to say so. Without it, the platform's
/// certificates and the proxy from the environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// A file of certificates in PEM form.
    pub(super) certificates: Option<PathBuf>,
    /// A proxy's URL.
    pub(super) proxy: Option<String>,
}

/// A finished download.
#[derive(Clone, Debug)]
pub(super) struct Downloaded {
    /// Bytes.
    pub(super) size: u64,
    /// Of those bytes, lower-case hexadecimal.
    pub(super) sha256: String,
}

/// The client of one stage.
pub(super) struct Client<'a> {
    cx: &'a RunCx<'a>,
    agent: Agent,
    /// The pause before the second attempt; it doubles.
    pub(super) pause: Duration,
}

/// Why an attempt failed, and whether another may succeed.
struct Failed {
    error: StageError,
    again: bool,
    /// As long as the server asked to wait.
    after: Option<Duration>,
}

impl Failed {
    fn finally(error: StageError) -> Self {
        Self { error, again: false, after: None }
    }

    fn maybe(error: StageError) -> Self {
        Self { error, again: true, after: None }
    }
}

impl<'a> Client<'a> {
    /// A client.
    ///
    /// # Errors
    /// When the configured certificates or proxy cannot be used.
    pub(super) fn new(cx: &'a RunCx<'a>, trust: &Trust) -> Result<Self, StageError> {
        let roots = match &trust.certificates {
            Some(path) => RootCerts::from(certificates(path)?),
            None => RootCerts::PlatformVerifier,
        };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("kilter/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_per_read(Some(Duration::from_secs(90)))
            .timeout_recv_response(Some(Duration::from_secs(90)))
            .tls_config(TlsConfig::builder().root_certs(roots).build());
        if let Some(url) = &trust.proxy {
            let proxy = ureq::Proxy::new(url)
                .map_err(|_| StageError::new(ErrorKind::Network, format!("`{}` is not a proxy", shown(url))))?;
            config = config.proxy(Some(proxy));
        }
        Ok(Self { cx, agent: config.build().into(), pause: Duration::from_millis(500) })
    }

    /// Downloads to a file.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or breaks off, each after the attempts that make sense.
    pub(super) fn download(
        &self,
        url: &str,
        headers: &[(String, String)],
        to: &Path,
    ) -> Result<Downloaded, StageError> {
        self.with_retries(&|| self.download_once(url, headers, to))
    }

    /// Asks for JSON; `None` where the server says that there is no such thing.
    ///
    /// # Errors
    /// As [`Client::download`], and when the answer is something else than JSON.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        url: &str,
        accept: &str,
        headers: &[(String, String)],
    ) -> Result<Option<T>, StageError> {
        self.with_retries(&|| self.json_once(url, accept, headers))
    }

    fn with_retries<T>(&self, attempt: &dyn Fn() -> Result<T, Failed>) -> Result<T, StageError> {
        let mut pause = self.pause;
        for number in 1.. {
            self.cx.check_cancelled()?;
            match attempt() {
                Ok(value) => return Ok(value),
                Err(failed) if failed.again && number < ATTEMPTS => {
                    self.cx.services.progress(Progress {
                        detail: format!("{}; trying again ({} of {ATTEMPTS})", failed.error.message, number + 1),
                        ..Progress::default()
                    });
                    self.wait(failed.after.unwrap_or(pause))?;
                    pause *= 2;
                }
                Err(failed) if failed.again => return Err(failed.error.note(format!("tried {ATTEMPTS} times"))),
                Err(failed) => return Err(failed.error),
            }
        }
        Err(StageError::bug("the attempts ran out without an answer"))
    }

    /// Sleeps, but not through an interruption.
    fn wait(&self, pause: Duration) -> Result<(), StageError> {
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.cx.check_cancelled()?;
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        Ok(())
    }

    fn get(&self, url: &str, accept: &str, headers: &[(String, String)]) -> Result<Response<Body>, Failed> {
        let mut request = self.agent.get(url).header("Accept", accept);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if accept == ANYTHING {
            // The bytes that are pinned are the file's, not those of a server that compresses on the way.
            request = request.header("Accept-Encoding", "identity");
        }
        request.call().map_err(|error| transport_failed(url, error))
    }

    fn download_once(&self, url: &str, headers: &[(String, String)], to: &Path) -> Result<Downloaded, Failed> {
        let response = self.get(url, ANYTHING, headers)?;
        if !response.status().is_success() {
            return Err(status_failed(url, &response));
        }
        let total = response.body().content_length();
        let mut reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        let local = |error: &std::io::Error| Failed::finally(StageError::io("write the download", to, error));
        let mut file = File::create(to).map_err(|error| local(&error))?;
        let (mut hasher, mut done, mut buffer) = (Sha256::new(), 0_u64, vec![0; 1 << 17]);
        loop {
            self.cx.check_cancelled().map_err(Failed::finally)?;
            let count = reader.read(&mut buffer).map_err(|error| broke_off(url, done, total, Some(&error)))?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(|error| local(&error))?;
            done += count as u64;
            self.cx.services.progress(Progress { done, total, unit: "bytes", detail: String::new() });
        }
        file.flush().map_err(|error| local(&error))?;
        if total.is_some_and(|total| total != done) {
            return Err(broke_off(url, done, total, None));
        }
        Ok(Downloaded { size: done, sha256: pin::hex(hasher) })
    }

    fn json_once<T: DeserializeOwned>(
        &self,
        url: &str,
        accept: &str,
        headers: &[(String, String)],
    ) -> Result<Option<T>, Failed> {
        let mut response = self.get(url, accept, headers)?;
        if matches!(response.status().as_u16(), 404 | 410) {
            return Ok(None);
        }
        if !response.status().is_success() {
            return Err(status_failed(url, &response));
        }
        let kind = response.body().mime_type().unwrap_or("no type").to_owned();
        let body = response.body_mut().with_config().limit(JSON_LIMIT).read_to_vec();
        let body = body.map_err(|error| transport_failed(url, error))?;
        serde_json::from_slice(&body).map(Some).map_err(|error| {
            let failure =
                StageError::new(ErrorKind::Network, format!("the answer of {} is not what was asked for", shown(url)))
                    .note(format!("asked for {accept}, got {kind}"));
            Failed::finally(if kind.contains("html") {
                failure.hint("this index answers in HTML only; configure one that has the JSON form")
            } else {
                failure.note(error.to_string())
            })
        })
    }
}

/// What is accepted where the bytes matter, not their type.
const ANYTHING: &str = "*/*";

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, StageError> {
    let pem = std::fs::read(path).map_err(|error| StageError::io("read the certificates in", path, &error))?;
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(StageError::new(ErrorKind::File, format!("`{}` holds no certificate", path.display()))
            .hint("it is what the package client is configured with as its certificate file"));
    }
    Ok(found)
}

/// The attempt got no answer.
fn transport_failed(url: &str, error: ureq::Error) -> Failed {
    use ureq::Error as E;
    let host = host_of(url);
    let failure = |message: String| StageError::new(ErrorKind::Network, message);
    match error {
        E::HostNotFound => Failed::maybe(
            failure(format!("the host `{host}` was not found"))
                .hint("check the name and the network; results that are cached need none"),
        ),
        E::Timeout(_) => Failed::maybe(failure(format!("`{host}` does not answer in time"))),
        E::ConnectionFailed => Failed::maybe(failure(format!("no connection to `{host}`"))),
        E::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => tls_failed(&host, &error.to_string()),
        E::Io(error) => {
            let words = crate::stage::io_words(&error);
            Failed::maybe(failure(format!("no connection to `{host}`: {words}")))
        }
        E::TooManyRedirects => Failed::finally(failure(format!("{} redirects in a circle", shown(url)))),
        E::BadUri(_) | E::Http(_) => Failed::finally(failure(format!("{} is not a usable URL", shown(url)))),
        E::Protocol(error) => Failed::maybe(failure(format!("`{host}` does not answer in HTTP: {error}"))),
        E::Rustls(error) => tls_failed(&host, &error.to_string()),
        E::Tls(error) => tls_failed(&host, error),
        other => Failed::finally(failure(format!("cannot fetch {}: {other}", shown(url)))),
    }
}

fn tls_failed(host: &str, detail: &str) -> Failed {
    Failed::finally(
        StageError::new(ErrorKind::Network, format!("`{host}` cannot prove who it is"))
            .note(detail.to_owned())
            .hint("where a proxy answers for it, install its certificate in the system, or name it in SSL_CERT_FILE"),
    )
}

/// The server answered, but not with the file.
fn status_failed(url: &str, response: &Response<Body>) -> Failed {
    let status = response.status();
    let words = status.canonical_reason().map(str::to_lowercase).unwrap_or_default();
    let error = StageError::new(ErrorKind::Network, format!("cannot fetch {}", shown(url)))
        .note(format!("the server answers {} {words}", status.as_u16()));
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let (error, again) = match status.as_u16() {
        401 | 403 | 407 => (error.hint("it wants somebody who is logged in, or does not want this one"), false),
        404 | 410 => (error.hint("check the address: there is nothing at it, now"), false),
        408 | 425 | 429 => (error.hint("it asks for patience; try again later"), true),
        500..=599 => (error.hint("the fault is on the server's side; try again later"), true),
        _ => (error, false),
    };
    Failed { error, again, after: after.map(|seconds: u64| Duration::from_secs(seconds.min(30))) }
}

/// The answer ended too early.
fn broke_off(url: &str, done: u64, total: Option<u64>, error: Option<&std::io::Error>) -> Failed {
    let of = total.map_or_else(String::new, |total| format!(" of {}", numbers::bytes(total)));
    let mut failure = StageError::new(
        ErrorKind::Network,
        format!("the download of {} broke off after {}{of}", shown(url), numbers::bytes(done)),
    );
    if let Some(error) = error {
        failure = failure.note(crate::stage::io_words(error));
    }
    Failed::maybe(failure)
}

/// A URL without the password that it may hold.
pub(super) fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            match rest[..end].rfind('@') {
                Some(at) => format!("`{scheme}://…@{}`", &rest[at + 1..]),
                None => format!("`{url}`"),
            }
        }
        None => format!("`{url}`"),
    }
}

/// The host of a URL.
pub(super) fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

/// A link on a page, made whole.
pub(super) fn join(page: &str, link: &str) -> String {
    if link.contains("://") {
        return link.to_owned();
    }
    let (scheme, rest) = page.split_once("://").unwrap_or(("https", page));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(other) = link.strip_prefix("//") {
        return format!("{scheme}://{other}");
    }
    if link.starts_with('/') {
        return format!("{scheme}://{host}{link}");
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    let mut link = link;
    loop {
        if let Some(rest) = link.strip_prefix("../") {
            folders.pop();
            link = rest;
        } else if let Some(rest) = link.strip_prefix("./") {
            link = rest;
        } else {
            break;
        }
    }
    folders.push(link);
    format!("{scheme}://{host}/{}", folders.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_made_whole() {
        let page = "https://index.example/simple/pkg/";
        assert_eq!(join(page, "https://files.example/a.whl"), "https://files.example/a.whl");
        assert_eq!(join(page, "../../files/a.whl"), "https://index.example/files/a.whl");
        assert_eq!(join(page, "a.whl"), "https://index.example/simple/pkg/a.whl");
        assert_eq!(join(page, "/files/a.whl"), "https://index.example/files/a.whl");
        assert_eq!(join(page, "//cdn.example/a.whl"), "https://cdn.example/a.whl");
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("https://me:secret@host.example/a@b"), "`https://…@host.example/a@b`");
        assert_eq!(shown("https://host.example/a@b"), "`https://host.example/a@b`");
        assert_eq!(host_of("https://me:secret@host.example:8080/a"), "host.example:8080");
    }
}
