//! The database: opening it, its tables, waiting for other writers, setting a damaged one aside.

use crate::env;
use crate::stage::io_words;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the tables, as SQLite's `user_version`.
const VERSION: i64 = 1;

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    pipeline TEXT NOT NULL,
    manifest TEXT NOT NULL,     -- relative to the workspace
    started INTEGER NOT NULL,   -- seconds since 1970
    seconds REAL,
    state TEXT NOT NULL,        -- running, done, failed, interrupted
    process INTEGER NOT NULL,
    boot TEXT NOT NULL,
    params TEXT NOT NULL,       -- a JSON object
    targets TEXT NOT NULL,      -- a JSON list
    revision TEXT,
    branch TEXT,
    dirty INTEGER,
    ran INTEGER NOT NULL DEFAULT 0,
    cached INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    snapshot INTEGER REFERENCES snapshots (id)
);
CREATE INDEX runs_by_time ON runs (started);
-- Stages that did something in a run: ran, failed, gate, skipped.
CREATE TABLE attempts (
    run TEXT NOT NULL,
    stage TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    seconds REAL NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (run, stage)
) WITHOUT ROWID;
-- The stages of a run with their results: a compressed JSON list of [stage, result].
CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    stages BLOB NOT NULL
);
-- Results: compressed JSON. A key has several where its stage was forced to run again.
CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    made INTEGER NOT NULL,
    took INTEGER NOT NULL,      -- the bits of the seconds
    json BLOB NOT NULL,
    UNIQUE (key, made, took)
);
";

/// Why the history cannot be used. Never a reason for a run to fail.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// SQLite says so.
    #[error("{}", words(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// It was written by a newer kilter.
    #[error("it was written by a newer kilter (its version is {0}, this one knows {VERSION})")]
    Newer(i64),
    /// A file or folder cannot be used.
    #[error("cannot use `{}`: {why}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// What is in it cannot be read.
    #[error("an entry cannot be read: {0}")]
    Entry(String),
}

fn words(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another process keeps it locked".to_owned(),
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "it may not be written".to_owned(),
        Some(ErrorCode::CannotOpen) => "it cannot be opened".to_owned(),
        _ => error.to_string(),
    }
}

impl HistoryError {
    /// Whether the database itself is damaged, rather than busy or out of reach.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
                    // A table that is not there, in a database that says it has all of them.
                    || error.to_string().contains("no such table")
            }
            Self::Entry(_) => true,
            Self::Newer(_) | Self::File { .. } => false,
        }
    }

    /// Whether it can be read perhaps, but nothing written there.
    fn is_read_only(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        let codes = [ErrorCode::ReadOnly, ErrorCode::PermissionDenied, ErrorCode::CannotOpen];
        error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
    }
}

/// The open history.
#[derive(Debug)]
pub struct History {
    pub(super) db: Connection,
}

impl History {
    /// The history at `path`; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Option<Self>, HistoryError> {
        if !path.is_file() {
            return Ok(None);
        }
        let (history, version) = match Self::live(path) {
            Err(error) if error.is_read_only() && log_is_empty(path) => Self::frozen(path)?,
            opened => opened?,
        };
        match version {
            VERSION => Ok(Some(history)),
            // Somebody is just making it.
            0 => Ok(None),
            newer => Err(HistoryError::Newer(newer)),
        }
    }

    /// The history with the version of its tables, beside others that may write to it.
    fn live(path: &Path) -> Result<(Self, i64), HistoryError> {
        let history = Self { db: connect(path, false)? };
        let version = history.version()?;
        Ok((history, version))
    }

    /// The history where nothing can be made beside it, as readers of a write-ahead log need: in somebody else's folder, or on
    /// a read-only disk. Only the file itself is read, so its log must be empty.
    pub(super) fn frozen(path: &Path) -> Result<(Self, i64), HistoryError> {
        let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let history = Self { db: Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)? };
        let version = history.version()?;
        Ok((history, version))
    }

    /// The history at `path`, made where there is none. A damaged one is set aside; the second value says so.
    ///
    /// # Errors
    /// When it can neither be opened nor made.
    pub fn open_or_create(path: &Path) -> Result<(Self, Option<String>), HistoryError> {
        match Self::create(path) {
            Err(error) if error.is_damage() => {
                let told = set_aside(path)?;
                Ok((Self::create(path)?, told))
            }
            made => Ok((made?, None)),
        }
    }

    fn create(path: &Path) -> Result<Self, HistoryError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| file_error(folder, &error))?;
        }
        let mut history = Self { db: connect(path, true)? };
        match history.version()? {
            VERSION => {}
            0 => {
                let change = history.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
                // Another process may have made the tables while this one waited.
                if change.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? == 0 {
                    change.execute_batch(TABLES)?;
                    change.pragma_update(None, "user_version", VERSION)?;
                }
                change.commit()?;
            }
            newer => return Err(HistoryError::Newer(newer)),
        }
        Ok(history)
    }

    /// Whether all tables are there, and SQLite finds nothing wrong with them.
    fn is_sound(&self) -> Result<bool, HistoryError> {
        let names = "SELECT count(*) FROM sqlite_schema WHERE name IN ('runs', 'attempts', 'snapshots', 'results')";
        let tables: i64 = self.db.query_row(names, [], |row| row.get(0))?;
        let found: String = self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok(tables == 4 && found == "ok")
    }

    fn version(&self) -> Result<i64, HistoryError> {
        Ok(self.db.query_row("PRAGMA user_version", [], |row| row.get(0))?)
    }
}

/// Whether everything that was written stands in the database itself.
fn log_is_empty(path: &Path) -> bool {
    beside(path, "-wal").metadata().is_ok_and(|log| log.len() == 0) || !beside(path, "-wal").exists()
}

/// A file that SQLite keeps beside a database.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn file_error(path: &Path, error: &std::io::Error) -> HistoryError {
    HistoryError::File { path: path.to_owned(), why: io_words(error) }
}

/// Opens the database. With a write-ahead log where the file system can share memory between processes, so that readers
/// and writers do not wait for each other and a commit needs no sync: a power cut may lose the last runs, never more.
fn connect(path: &Path, write: bool) -> Result<Connection, HistoryError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if write {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    let mode = if env::is_network_file_system(path) { "DELETE" } else { "WAL" };
    let set = |mode: &str| db.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |row| row.get::<_, String>(0));
    let refused = match set(mode) {
        Ok(_) => false,
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => return Err(error.into()),
            // Reading needs no other mode than the one that it is in.
            _ => write,
        },
    };
    if refused {
        set("DELETE")?;
    }
    db.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF;")?;
    Ok(db)
}

/// Renames a damaged database and what belongs to it. Says what was done; `None` where another process did it already.
pub(super) fn set_aside(path: &Path) -> Result<Option<String>, HistoryError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let guard = File::open(folder).map_err(|error| file_error(folder, &error))?;
    guard.lock().map_err(|error| file_error(folder, &error))?;
    let sound = History::open(path).and_then(|history| match history {
        Some(history) => history.is_sound(),
        // Somebody is just making it.
        None => Ok(true),
    });
    if matches!(sound, Ok(true)) || !path.exists() {
        return Ok(None);
    }
    let aside = (1..)
        .map(|number| path.with_extension(format!("damaged-{number}.db")))
        .find(|aside| !aside.exists())
        .unwrap_or_else(|| path.with_extension("damaged.db"));
    std::fs::rename(path, &aside).map_err(|error| file_error(path, &error))?;
    for ending in ["-wal", "-shm", "-journal"] {
        // Mostly there is none.
        let _ = std::fs::rename(beside(path, ending), beside(&aside, ending));
    }
    Ok(Some(format!(
        "the history of runs was damaged; it was set aside as `{}`, and a new one begins",
        aside.display()
    )))
}
