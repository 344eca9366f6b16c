//! The fields of `database`, and what can be said of them without the database.

use super::tls::SslMode;
use crate::diag::{codes, list};
use crate::numbers::parse_seconds;
use crate::path;
use crate::stage::{CheckCx, FilePath, Ref};
use crate::types::{Column, DType, TableSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A query, and the database that it is asked of: exactly one of `url`, `path` and `from`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// A PostgreSQL server: `postgres://USER@HOST:PORT/DATABASE`. No password stands here: see `password_variable`.
    pub url: Option<String>,
    /// The environment variable that holds the password; without it `PGPASSWORD`, where that is set. Neither its value
    /// nor whether there is one is in keys, locks or logs.
    pub password_variable: Option<String>,
    /// PostgreSQL: how the connection is protected; `verify_full` with `ssl_root_cert`, `prefer` without it. Not part of the
    /// stage's key: it does not change what the server answers.
    // Left out of the canonical form, and so out of the key; `ssl_root_cert` as well.
    #[serde(default, skip_serializing)]
    pub ssl_mode: Option<SslMode>,
    /// PostgreSQL: a PEM file of the workspace with the certificate authorities that are trusted to sign the server's
    /// certificate; without it those that the system trusts. Not part of the stage's key.
    #[serde(default, skip_serializing)]
    pub ssl_root_cert: Option<FilePath>,
    /// An SQLite file of the workspace, relative to the manifest's folder. Its content decides what reruns.
    pub path: Option<FilePath>,
    /// An SQLite file that another stage gives.
    pub from: Option<Ref>,
    /// The query, one statement that reads. PostgreSQL runs it in a transaction that can only read, and sees one state of
    /// the database throughout; without an `ORDER BY` at its end the rows come sorted by all columns, and an `ORDER BY`
    /// should leave no two rows equal. The rows of SQLite come as it gives them.
    pub query: String,
    /// Column types, by name or pattern, where they are not to be those of the database. A value that is not of its
    /// column's type is an error.
    #[serde(default)]
    pub types: BTreeMap<String, DType>,
    /// PostgreSQL: how long a result is believed: `"1h"`, `"1d"`, `"7d"`. After that the next run asks again; where the
    /// rows are the same, nothing after this stage reruns. Without it a result is kept until `run --force` asks again.
    pub refresh: Option<String>,
}

impl Spec {
    /// How the connection is protected.
    pub(super) fn ssl_mode(&self) -> SslMode {
        let default = if self.ssl_root_cert.is_some() { SslMode::VerifyFull } else { SslMode::Prefer };
        self.ssl_mode.unwrap_or(default)
    }

    /// Reports what no database could make right.
    pub(super) fn check_values(&self, cx: &mut CheckCx<'_>) -> bool {
        let before = cx.count();
        let places = [("url", self.url.is_some()), ("path", self.path.is_some()), ("from", self.from.is_some())];
        let given: Vec<&str> = places.iter().filter(|(_, given)| *given).map(|(field, _)| *field).collect();
        match given.as_slice() {
            [_] => {}
            [] => {
                cx.error(path![], codes::CONFLICT, "this stage does not say which database it asks").hint(
                    "give one of `url` (a PostgreSQL server), `path` (an SQLite file of the workspace) and `from` (one \
                     that a stage gives)",
                );
            }
            [first, .., last] => {
                let all = list(given.iter().copied(), 3);
                cx.error(path![*last], codes::CONFLICT, format!("{all} exclude each other"))
                    .at_key()
                    .label("one database is enough")
                    .related(path![*first], "the other");
            }
        }
        self.check_server(cx);
        if self.query.trim().is_empty() {
            cx.error(path!["query"], codes::OUT_OF_RANGE, "the query is empty").label("asks nothing");
        }
        super::super::types::check(&self.types, cx);
        cx.count() == before
    }

    fn check_server(&self, cx: &mut CheckCx<'_>) {
        if let Some(url) = &self.url {
            match super::postgres::address(url) {
                Err(why) => {
                    cx.error(
                        path!["url"],
                        codes::BAD_URL,
                        format!("`url` is not the address of a PostgreSQL server: {why}"),
                    )
                    .label("cannot be read")
                    .hint("it is written `postgres://USER@HOST:PORT/DATABASE`");
                }
                Ok(true) => {
                    cx.error(
                        path!["url"],
                        codes::BAD_URL,
                        "`url` holds a password, which everybody who has the manifest can read",
                    )
                    .label("a password")
                    .hint("put it into an environment variable, and name that: `password_variable = \"DB_PASSWORD\"`");
                }
                Ok(false) => {}
            }
        }
        let server_only = [
            ("password_variable", self.password_variable.is_some()),
            ("ssl_mode", self.ssl_mode.is_some()),
            ("ssl_root_cert", self.ssl_root_cert.is_some()),
            ("refresh", self.refresh.is_some()),
        ];
        for (field, _) in server_only.into_iter().filter(|(_, given)| *given && self.url.is_none()) {
            cx.error(path![field], codes::CONFLICT, format!("`{field}` goes with `url`, but this database is a file"))
                .at_key()
                .label("a file changes when its content does");
        }
        if let Some(root) = &self.ssl_root_cert {
            cx.workspace_file(root, path!["ssl_root_cert"]);
            if self.ssl_mode() != SslMode::VerifyFull {
                cx.error(path!["ssl_mode"], codes::CONFLICT, "authorities are named, and no certificate is looked at")
                    .label("does not look at the server's certificate")
                    .related(path!["ssl_root_cert"], "named here")
                    .hint("write `ssl_mode = \"verify_full\"`, or leave it out");
            }
        }
        if let Some(text) = &self.refresh
            && parse_seconds(text).is_none()
        {
            cx.error(path!["refresh"], codes::OUT_OF_RANGE, "`refresh` is a duration")
                .label("not a duration")
                .hint("write `\"1h\"`, `\"1d\"` or `\"7d\"`; to ask in every run, `cache = false`");
        }
    }

    /// What is known although the database is not.
    pub(super) fn declared(&self) -> TableSchema {
        let rules = crate::frame::file::TypeRules::new(self.types.clone());
        let known = |column: &Column| !matches!(column.dtype, DType::Other(_));
        TableSchema { columns: rules.named().into_iter().filter(known).collect(), complete: false, rows: None }
    }
}
