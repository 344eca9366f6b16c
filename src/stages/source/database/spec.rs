//! The fields of `database`, and what can be said of them without the database.

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
        let server_only = [("password_variable", &self.password_variable), ("refresh", &self.refresh)];
        for (field, _) in server_only.iter().filter(|(_, value)| value.is_some() && self.url.is_none()) {
            cx.error(path![*field], codes::CONFLICT, format!("`{field}` goes with `url`, but this database is a file"))
                .at_key()
                .label("a file changes when its content does");
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
