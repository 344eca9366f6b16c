//! Tables larger than the memory that their stages may use.

use crate::sandbox::Sandbox;
use std::fmt::Write as _;
use std::time::Duration;

/// What the stages say that they need.
const MEMORY: u64 = 448 << 20;

/// The large table has the square of this many rows, of five columns of 8 bytes.
const ROWS: u64 = 3600;

const STAGES: &str = r#"
[pipeline]
name = "memory"
edition = "2026"

[stage.raw]
kind = "fetch"
path = "small.csv"

[stage.small]
kind = "read"
from = "raw"

[stage.large]
kind = "sql"
needs = { memory = "448MiB" }
inputs = { a = "small", b = "small" }
query = """
SELECT a.id * 3600 + b.id AS id, (a.part + b.part) % 1000 AS part, a.x + b.y AS x, a.y / (b.x + 1.0) AS y, a.x - b.x AS z
FROM a CROSS JOIN b
"""

[stage.groups]
kind = "sql"
needs = { memory = "448MiB" }
inputs = { t = "large" }
query = "SELECT part, count(*) AS n, avg(x) AS m, stddev(x) AS d, corr(x, y) AS c, max(z) AS most FROM t GROUP BY part"

[stage.again]
kind = "sql"
needs = { memory = "448MiB" }
inputs = { t = "large", g = "groups" }
query = "SELECT t.id, (t.x - g.m) / g.d AS x, t.y, t.z, g.n FROM t JOIN g ON t.part = g.part"

[stage.sorted]
kind = "table"
needs = { memory = "448MiB" }
from = "large"
steps = [{ sort = { by = ["part", "y"], descending = [true, false] } }]

[stage.queried]
kind = "sql"
needs = { memory = "448MiB" }
inputs = { t = "large" }
query = "SELECT id, x, y, z FROM t ORDER BY part % 10, z DESC"

[stage.alone]
kind = "table"
needs = { memory = "448MiB" }
from = "large"
steps = [{ dedupe = { by = ["part", "y"], keep = "none" } }]
"#;

fn rows() -> String {
    let mut text = String::from("id,part,x,y\n");
    for row in 0..ROWS {
        let (part, x, y) = (row * 7919 % 1000, row * 104_729 % 1_000_003, row * 31 % 997);
        let _ = writeln!(text, "{row},{part},{},{}", x as f64 / 8.0, y as f64 / 4.0);
    }
    text
}

/// Runs a stage in a process of its own: the most memory that was seen to be the process's own. What it maps of files the system takes
/// back when it needs it.
fn most_memory(sandbox: &Sandbox, stage: &str) -> u64 {
    let mut child = sandbox.command(&["run", "pipeline.toml", stage, "--quiet"]).spawn().expect("kilter starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().expect("a child") {
            break ended;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let kibibytes =
            text.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(kibibytes.unwrap_or(0_u64) * 1024);
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success(), "{stage}");
    most
}

#[test]
fn a_table_larger_than_its_memory_goes_through_in_pieces() {
    if !cfg!(target_os = "linux") {
        return;
    }
    const { assert!(ROWS * ROWS * 5 * 8 > MEMORY) };
    let sandbox = Sandbox::with_manifest(STAGES)
        .file("small.csv", rows())
        .env("POLARS_MAX_THREADS", "2")
        .env("RAYON_NUM_THREADS", "2");
    for stage in ["large", "groups", "again", "sorted", "queried", "alone"] {
        let most = most_memory(&sandbox, stage);
        assert!(most > 0 && most < MEMORY, "{stage}: {most} bytes, of {MEMORY}");
    }
    for (stage, columns) in [("again", 5), ("sorted", 5), ("queried", 4)] {
        let shown = format!("12,960,000 rows x {columns} columns");
        sandbox.kilter(&["show", "pipeline.toml", stage]).success().prints(&shown);
    }
}
