//! Results do not follow the threads or the engine: `read`, every table stage and every step give the same digests and the same
//! bytes with 1, 2 and 8 threads, whole in memory and in pieces by the streaming engine, and again.
//!
//! polars fixes the size of its pool when it is first used, so the stages run in processes of their own: this test
//! binary starts itself with another number of threads and compares what the ignored test below prints.

use super::expect::Expect;
use super::profile::Profile;
use super::redact::Redact;
use super::split::Split;
use super::sql::Sql;
use super::stepwise::Table;
use super::testing::table_input;
use crate::frame::engine::IN_MEMORY;
use crate::stage::testing::Bench;
use crate::stage::{Kind, ProducedPort};
use crate::stages::source::read::Read;
use crate::types::ArtifactType;
use polars::prelude::*;
use std::process::Command;

const ROWS: u64 = 200_000;

/// Numbers from a linear congruential generator: the same everywhere, in no order.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let step =
        |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    std::iter::successors(Some(seed), step).map(|state| state >> 20).skip(1)
}

fn frame(rows: u64) -> DataFrame {
    let take = |seed: u64| numbers(seed).take(usize::try_from(rows).expect("small"));
    let float = |bits: u64| (bits as f64 / 7.0 - 1e12) * 10_f64.powi((bits % 31) as i32 - 15);
    df![
        "row" => (0..rows.cast_signed()).collect::<Vec<_>>(),
        "key" => take(1).map(|bits| format!("key {}", bits % 700)).collect::<Vec<_>>(),
        "few" => take(2).map(|bits| (bits % 3) as i64).collect::<Vec<_>>(),
        "x" => take(3).map(|bits| (bits % 17 != 0).then(|| float(bits))).collect::<Vec<_>>(),
        "y" => take(4).map(|bits| (bits % 1_000_003) as f32 / 3.0).collect::<Vec<_>>(),
        "n" => take(5).map(|bits| (bits % 1000) as i64).collect::<Vec<_>>(),
        "zero" => take(9).map(|bits| if bits.is_multiple_of(2) { 0.0 } else { -0.0 }).collect::<Vec<_>>(),
    ]
    .expect("a frame")
}

/// Prints the digests of what a stage makes, in each engine; of memory there is less than the large table takes.
fn print<K: Kind>(bench: &mut Bench, name: &str, fields: &str) {
    print_within::<K>(bench, 8 << 20, name, fields);
}

fn print_within<K: Kind>(bench: &mut Bench, memory: u64, name: &str, fields: &str) {
    bench.memory = None;
    IN_MEMORY.set(true);
    let in_memory = digests_of::<K>(bench, name, fields);
    IN_MEMORY.set(false);
    bench.memory = Some(memory);
    if in_memory != digests_of::<K>(bench, name, fields) {
        println!("differs: {name} by the streaming engine, or in pieces");
    }
    in_memory.iter().for_each(|line| println!("{line}"));
}

fn digests_of<K: Kind>(bench: &Bench, name: &str, fields: &str) -> Vec<String> {
    let (outputs, findings) = bench.check::<K>(fields);
    assert!(findings.is_empty(), "{name}: {findings:?}");
    let produced = bench.run::<K>(fields).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    super::testing::tables(bench, &outputs, &produced);
    let line = |port: &ProducedPort| {
        let files = bench.output(&port.port);
        let bytes = crate::digest::Digest::of(&files[0].1);
        let content = port.table.as_ref().map_or(bytes, |table| table.whole);
        format!("digest {name}.{} {content} {}", port.port, bytes.short())
    };
    produced.ports.iter().map(line).collect()
}

const QUERIES: &[(&str, &str)] = &[
    ("whole", "SELECT sum(x) AS s, avg(x) AS m, stddev(x) AS d, variance(y) AS v, sum(y) AS sy, avg(n) AS mn FROM t"),
    (
        "few",
        "SELECT few, sum(x) AS s, avg(x) AS m, stddev(y) AS d, corr(x, y) AS c, covar_samp(x, y) AS cv FROM t GROUP BY few",
    ),
    (
        "many",
        "SELECT key, few, sum(x) AS s, avg(y) AS m, count(*) AS n, first(row) AS f, median(x) AS md FROM t GROUP BY key, few HAVING sum(y) > 0",
    ),
    (
        "moments",
        "SELECT key, few, corr(x, y) AS c, covar_pop(y, n) AS cv, variance(x) AS v, stddev(n) AS d, sum(x * y) AS xy, avg(n) AS mn, avg(few) AS mf FROM t GROUP BY key, few",
    ),
    (
        "some",
        "SELECT few, sum(x) FILTER (WHERE n > 500) AS s, sum(CASE WHEN n > 500 THEN x END) AS c FROM t GROUP BY few",
    ),
    (
        "decimals",
        "SELECT row, CAST(n AS DECIMAL(15, 2)) * few AS p, few - CAST(n AS DECIMAL(9, 3)) AS m, CAST(n AS DECIMAL(15, 2)) / 4 + 1 AS q FROM t",
    ),
    (
        "decimal_sums",
        "SELECT few, sum(CAST(n AS DECIMAL(15, 2)) * few) AS s, avg(CAST(n AS DECIMAL(15, 2)) * (1 - CAST(few AS DECIMAL(5, 2)))) AS m FROM t GROUP BY few",
    ),
    ("hidden_key", "SELECT avg(x) AS m FROM t GROUP BY key"),
    (
        "over",
        "SELECT row, sum(x) OVER (PARTITION BY key) AS s, x - avg(x) OVER (PARTITION BY few) AS d, row_number() OVER (PARTITION BY key ORDER BY n) AS r FROM t",
    ),
    ("running", "SELECT row, sum(y) OVER (PARTITION BY few ORDER BY n) AS s FROM t"),
    ("ties", "SELECT key, n FROM t ORDER BY n DESC LIMIT 5000"),
    ("by_expression", "SELECT row, n FROM t ORDER BY n % 7 DESC, key, x"),
    ("by_zeros", "SELECT zero FROM t ORDER BY zero DESC"),
    ("by_hidden", "SELECT row AS r, few + 1 AS f FROM t ORDER BY x DESC, few"),
    (
        "sorted_inside",
        "SELECT t.row, o.n FROM (SELECT row, n FROM t ORDER BY key DESC, n) AS o JOIN t ON o.row = t.row WHERE few = 1",
    ),
    ("sorted_groups", "SELECT key, count(*) AS c, sum(x) AS s FROM t GROUP BY key ORDER BY c DESC, s LIMIT 50"),
    ("zeros", "SELECT few, min(zero) AS lo, max(zero) AS hi, median(zero) AS m FROM t GROUP BY few"),
    ("zeros_whole", "SELECT min(zero) AS lo, max(zero) AS hi, sum(DISTINCT zero) AS s FROM t"),
    ("zeros_middle", "SELECT median(zero) AS m, quantile_cont(zero, 0.3) AS c, quantile_disc(zero, 0.4) AS d FROM t"),
    ("zeros_over", "SELECT row, min(zero) OVER (PARTITION BY few) AS lo FROM t"),
    ("zero_keys", "SELECT zero, count(*) AS c, first(row) AS f FROM t GROUP BY zero"),
    ("zero_rows", "SELECT DISTINCT zero FROM t"),
    ("distinct", "SELECT DISTINCT key, few FROM t"),
    ("distinct_on", "SELECT DISTINCT ON (key) row, x FROM t ORDER BY key, few DESC, n"),
    ("join", "SELECT t.row, u.row AS other, t.x + u.x AS s FROM t JOIN u ON t.n = u.n AND t.few = u.few"),
    ("left", "SELECT t.row, u.row AS other FROM t LEFT JOIN u ON t.n = u.row ORDER BY t.few"),
    ("full", "SELECT t.row, u.row AS other FROM t FULL JOIN u ON t.row = u.row"),
    ("semi", "SELECT row FROM t WHERE n IN (SELECT n FROM u WHERE few = 1)"),
    ("between", "SELECT u.row, v.row AS other FROM u JOIN v ON u.n < v.n AND u.x > v.x"),
    ("in", "SELECT row, x FROM t WHERE key IN (SELECT key FROM u GROUP BY key HAVING avg(x) > 0)"),
    (
        "scalar",
        "SELECT row, x - (SELECT avg(x) FROM u) AS d FROM t WHERE n > (SELECT avg(n) FROM t) AND few = (SELECT max(few) FROM u)",
    ),
    (
        "scalar_groups",
        "SELECT few, sum(x - (SELECT min(x) FROM u)) AS s FROM t GROUP BY few HAVING sum(x) > (SELECT min(x) FROM t)",
    ),
    (
        "mixed_order",
        "SELECT row, row_number() OVER (PARTITION BY few ORDER BY key, n DESC) AS r, sum(y) OVER (PARTITION BY few ORDER BY key DESC, n) AS s FROM t",
    ),
    (
        "remainder",
        "SELECT row, (n - 500) % 7 AS a, x % 3 AS b, CAST(n - 500 AS DECIMAL(9, 2)) % 7 AS c FROM t WHERE n % 2 = 1",
    ),
    (
        "whole",
        "SELECT few, sum(n * n - few) AS s, count(*) * 3000000000 AS c, sum(CAST(n AS INT)) + 1 AS i FROM t WHERE n * 2 + few > 100 GROUP BY few",
    ),
    (
        "quotients",
        "SELECT row, x / 3 AS a, y / 7 AS b, n / 49 AS c, -zero AS d, x / (SELECT max(n) FROM u) AS e FROM t WHERE row % 9973 = 7",
    ),
    ("words", "SELECT row, initcap(key) AS k, strpos(key, '1') AS p FROM t WHERE position(' 6' IN key) > 0"),
    ("union", "SELECT key, n FROM t UNION SELECT key, n FROM u"),
    ("except", "SELECT key FROM t EXCEPT SELECT key FROM u"),
    (
        "with",
        "WITH g AS (SELECT key, sum(x) AS s FROM t GROUP BY key) SELECT t.row, t.x / g.s AS share FROM t JOIN g ON t.key = g.key",
    ),
    (
        "frames",
        "SELECT row, sum(x) OVER (PARTITION BY few ORDER BY n ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS s, avg(y) OVER (PARTITION BY key ORDER BY n RANGE BETWEEN 50 PRECEDING AND 3 PRECEDING) AS m, max(x) OVER (ORDER BY row ROWS BETWEEN 99 PRECEDING AND 99 FOLLOWING) AS hi FROM t WHERE few <> 1",
    ),
    ("listed", "SELECT few, string_agg(key, ',' ORDER BY row) AS keys FROM u GROUP BY few"),
];

/// Every step, each of its ways.
const STEPS: &[(&str, &str)] = &[
    ("filter", r#"{ filter = "x > avg(x) OVER (PARTITION BY key) AND few <> 1" }"#),
    ("derive", r#"{ derive = { z = "x / 3 + y", s = "sum(x)", d = "x - avg(x)", k = "upper(key)" } }"#),
    ("cast", r#"{ cast = { n = "f32", few = "str" } }"#),
    (
        "clean",
        r#"{ clean = { columns = "*", form = "nfkc", lower = true, replace = [{ pattern = "[0-9]$" }], null_values = ["key 1"] } }"#,
    ),
    ("names", r#"{ names = "snake_case" }"#),
    ("rename", r#"{ rename = { key = "k", n = "key" } }"#),
    ("select", r#"{ select = ["y", "k*"] }"#),
    ("drop", r#"{ drop = ["x", "n"] }"#),
    ("fill_mean", r#"{ fill = { x = "mean" } }"#),
    ("fill_median", r#"{ fill = { x = "median" } }"#),
    ("fill_ends", r#"{ fill = { x = "min" } }"#),
    ("fill_next", r#"{ fill = { x = "forward" } }, { fill = { x = "backward" } }"#),
    (
        "fill_within",
        r#"{ fill = { x = { take = "forward", by = "few", order = ["n", "key"] } } }, { derive = { x = "CASE WHEN n > 500 THEN x END" } }, { fill = { x = { take = "mean", by = "key" } } }"#,
    ),
    ("fill_value", r#"{ fill = { x = 0.5 } }"#),
    ("dedupe_first", r#"{ dedupe = { by = ["key", "few"] } }"#),
    ("dedupe_last", r#"{ dedupe = { by = ["key", "few"], keep = "last" } }"#),
    ("dedupe_none", r#"{ dedupe = { by = ["key", "few", "n"], keep = "none" } }"#),
    ("dedupe_zeros", r#"{ dedupe = { by = ["zero", "n"], keep = "last" } }, { derive = { m = "n + few" } }"#),
    ("dedupe_all", r#"{ select = ["few", "n"] }, { dedupe = {} }"#),
    ("sort", r#"{ sort = { by = ["few", "x"], descending = [true, false] } }"#),
    ("sort_nulls_last", r#"{ sort = { by = ["x", "key"], nulls_last = true } }"#),
    ("sort_zeros", r#"{ sort = { by = ["zero", "few"], descending = true } }, { drop = "zero" }"#),
    ("sort_lone", r#"{ sort = { by = "zero" } }, { select = ["zero"] }"#),
    ("sort_then", r#"{ sort = { by = "key" } }, { derive = { m = "n + few" } }, { filter = "few <> 1" }"#),
    ("join_inner", r#"{ join = { with = "u", on = ["n", "few"] } }"#),
    ("join_left", r#"{ join = { with = "u", on = ["n", "few"], how = "left" } }"#),
    ("join_one", r#"{ join = { with = "u", on = "row", how = "left", matches = "one" } }"#),
    (
        "join_where_one",
        r#"{ filter = "row < 3000" }, { join = { with = "v", on = "few", where = "row = row_right + 1", matches = "one" } }"#,
    ),
    ("join_right", r#"{ join = { with = "u", on = ["n", "few"], how = "right" } }"#),
    ("join_full", r#"{ join = { with = "u", on = ["n", "few"], how = "full" } }"#),
    ("join_semi", r#"{ join = { with = "u", on = ["n", "few"], how = "semi" } }"#),
    ("join_anti", r#"{ join = { with = "u", on = ["n", "few"], how = "anti" } }"#),
    ("join_cross", r#"{ filter = "row < 3000" }, { join = { with = "v", how = "cross", suffix = "_2" } }"#),
    (
        "join_where_left",
        r#"{ filter = "row < 3000" }, { join = { with = "v", on = "few", where = "x > x_right AND n < n_right", how = "left" } }"#,
    ),
    (
        "join_where_semi",
        r#"{ filter = "row < 3000" }, { join = { with = "v", where = "x > x_right AND n < n_right AND n + 9 > n_right", how = "semi" } }"#,
    ),
    (
        "join_where_anti",
        r#"{ filter = "row < 3000" }, { join = { with = "v", on = "few", where = "n = n_right - 1", how = "anti" } }"#,
    ),
    ("join_asof", r#"{ sort = { by = "row" } }, { join = { with = "u", on = "row", by = "few", how = "asof" } }"#),
    ("concat", r#"{ concat = { with = ["u", "v", "t"] } }"#),
    (
        "group",
        r#"{ group = { by = ["key", "few"], agg = { c = "count(*)", s = "sum(x)", m = "avg(y)", d = "stddev(x)", md = "median(y)", f = "first(row)" } } }"#,
    ),
    ("group_zeros", r#"{ group = { by = "zero", agg = { lo = "min(zero)", f = "first(row)" } } }"#),
    (
        "pivot_zeros",
        r#"{ pivot = { on = "few", columns = ["0", "1", "2"], by = "zero", value = "zero", agg = "max" } }"#,
    ),
    ("fill_zero", r#"{ derive = { zero = "CASE WHEN n > 500 THEN zero END" } }, { fill = { zero = "min" } }"#),
    ("fill_zeros", r#"{ derive = { zero = "CASE WHEN n > 500 THEN zero END" } }, { fill = { zero = "median" } }"#),
    (
        "group_ends",
        r#"{ group = { by = "few", agg = { lo = "min(x)", hi = "max(y)", u = "count(DISTINCT key)", mn = "avg(n)" } } }"#,
    ),
    (
        "window",
        r#"{ window = { by = "key", order = "n", columns = { before = "lag(x)", place = "row_number()", total = "sum(y)", all = "count(*)" } } }"#,
    ),
    ("window_open", r#"{ window = { by = "few", columns = { m = "avg(x)", d = "stddev(y)" } } }"#),
    (
        "window_rows",
        r#"{ window = { by = "few", order = "n", rows = { from = -20, to = -1 }, columns = { m = "avg(x)", d = "stddev(y)", lo = "min(x)", c = "count(x)" } } }"#,
    ),
    (
        "window_range",
        r#"{ window = { by = "key", order = "n", descending = true, range = { from = -40, to = 2 }, columns = { s = "sum(x)", f = "first_value(row)", n = "count(*)" } } }"#,
    ),
    ("complete", r#"{ filter = "row < 3000" }, { complete = { by = "few", order = "n", every = 1 } }"#),
    ("explode", r#"{ derive = { parts = "string_to_array(key, ' ')" } }, { explode = "parts" }"#),
    (
        "explode_sorted",
        r#"{ derive = { parts = "string_to_array(key, ' ')" } }, { sort = { by = "parts" } }, { explode = "parts" }"#,
    ),
    ("pivot", r#"{ pivot = { on = "few", columns = ["0", "1", "2"], by = "key", value = "x", agg = "mean" } }"#),
    ("pivot_sum", r#"{ pivot = { on = "few", columns = ["0", "1", "2"], by = "key", value = "y", agg = "sum" } }"#),
    ("unpivot", r#"{ unpivot = { on = ["few", "n"], index = ["row", "key"], variable = "name", value = "v" } }"#),
    ("sample_rows", r#"{ sample = { rows = 5000 } }"#),
    ("sample_share", r#"{ sample = { fraction = 0.1, seed = 3 } }"#),
];

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn print_digests() {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", frame(ROWS));
    table_input(&mut bench, "u", frame(2_000));
    table_input(&mut bench, "v", frame(300).lazy().with_column(col("n") + lit(7)).collect().expect("a frame"));
    for (name, query) in QUERIES {
        let inputs = ["t", "u", "v"].into_iter().filter(|table| query.contains(&format!(" {table}")));
        let inputs: Vec<String> = inputs.map(|table| format!("{table} = \"{table}\"")).collect();
        print::<Sql>(&mut bench, name, &format!("inputs = {{ {} }}\nquery = \"{query}\"", inputs.join(", ")));
    }
    let steps = r#"from = "t"
        steps = [{ filter = "x < 100000000000000000000.0 OR x IS NULL" }, { fill = { x = "mean" } }, { derive = { z = "x - avg(x) OVER (PARTITION BY few)" } },
        { dedupe = { by = ["key", "n"], keep = "last" } }, { join = { with = "u", on = ["n", "few"], how = "full" } },
        { sort = { by = ["few", "n"], descending = true } }, { cast = { n = "f32" } }]"#;
    print::<Table>(&mut bench, "steps", steps);
    for (name, steps) in STEPS {
        print::<Table>(&mut bench, name, &format!("from = \"t\"\nsteps = [{steps}]"));
    }
    let parts = "from = \"t\"\nparts = { train = 0.8, val = 0.1, test = 0.1 }";
    print::<Split>(&mut bench, "random", parts);
    print::<Split>(&mut bench, "stratified", &format!("{parts}\nstratify = \"few\""));
    print::<Split>(&mut bench, "grouped", &format!("{parts}\ngroup = \"key\""));
    print::<Split>(&mut bench, "timed", &format!("{parts}\ntime = \"n\""));
    print::<Profile>(&mut bench, "profile", "from = \"t\"\ntarget = \"few\"");
    print::<Redact>(&mut bench, "redact", "from = \"t\"\nfind = { phone = \"mask\", email = \"drop\" }");
    table_input(&mut bench, "people", people());
    let found = "find = { email = \"hash\", phone = \"pseudonym\", cn_mobile = \"pseudonym\", card = \"hash\" }";
    print::<Redact>(&mut bench, "redact_keyed", &format!("from = \"people\"\n{found}"));
    let checks = r#"from = "t"
        reference = "u"
        checks.a = { unique = ["key", "n"] }
        checks.b = { holds = "x < avg(x) OVER (PARTITION BY few)" }
        checks.c = { drift = { columns = ["x", "y", "key"], psi = 1, ks = 1 } }"#;
    print::<Expect>(&mut bench, "expect", checks);
    for (name, file, text) in [("csv", "raw.csv", csv()), ("jsonl", "raw.jsonl", json_lines())] {
        bench.input(name, ArtifactType::File, &[(file, text.as_bytes())]);
        // So little that the text is read in pieces.
        print_within::<Read>(&mut bench, 32 << 20, name, &format!("from = \"{name}\"\nbad_lines = \"reject\""));
    }
}

/// Texts with addresses and numbers in them, some more than once.
fn people() -> DataFrame {
    let text = |bits: u64| match bits % 4 {
        0 => format!("write to user{}@example.org", bits % 97),
        1 => format!("call +44 20 7946 {:04} or 138{:08}", bits % 89, bits % 83),
        2 => "card 4111 1111 1111 1111".to_owned(),
        _ => "nothing".to_owned(),
    };
    df!["text" => numbers(6).take(2_000).map(text).collect::<Vec<_>>()].expect("a frame")
}

/// Some MB of delimited text: fields in quotes that go on in the next line, missing ones, and lines that are no rows.
fn csv() -> String {
    let line = |(row, bits): (usize, u64)| match bits % 50 {
        0 => format!("{row},\"two\nlines, \"\"quoted\"\"\",{},\n", bits % 7),
        1 if row > 1_000 => "no row\n".to_owned(),
        _ => format!("{row},key {},{},{}\n", bits % 700, bits as f64 / 7.0, bits.is_multiple_of(3)),
    };
    let lines: String = numbers(7).take(120_000).enumerate().map(line).collect();
    format!("row,key,x,flag\n{lines}")
}

/// Objects, each on a line, of which some lack a field or are none.
fn json_lines() -> String {
    let line = |(row, bits): (usize, u64)| match bits % 50 {
        0 => format!("{{\"row\": {row}}}\n"),
        1 if row > 1_000 => "{\"row\": \n".to_owned(),
        _ => format!("{{\"row\": {row}, \"x\": {}, \"tags\": [{}, {}]}}\n", bits as f64 / 7.0, bits % 5, bits % 3),
    };
    numbers(8).take(40_000).enumerate().map(line).collect()
}

#[test]
fn digests_do_not_follow_the_threads() {
    let digests = |threads: &str| {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["stages::table::threads::print_digests", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env("POLARS_MAX_THREADS", threads)
            .env("RAYON_NUM_THREADS", threads)
            .env("KILTER_REDACT_KEY", "a key that is long enough")
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let differing: Vec<&str> = text.lines().filter(|line| line.contains("differs: ")).collect();
        assert!(differing.is_empty(), "{differing:#?}");
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let lines = text.lines().filter_map(|line| line.find("digest ").map(|at| line[at..].to_owned()));
        lines.collect::<Vec<_>>()
    };
    let one = digests("1");
    assert!(one.len() > QUERIES.len() + STEPS.len() + 10, "{one:?}");
    for threads in ["2", "8", "8"] {
        for (expected, found) in one.iter().zip(digests(threads)) {
            assert_eq!(*expected, found, "with {threads} threads");
        }
    }
}

/// What exact aggregates cost, against polars' own in each engine: `cargo xtask bench tables`.
#[test]
#[ignore = "measures, asserts nothing"]
fn cost_of_exact_sums() {
    use crate::frame::engine::collect_streaming;
    use crate::frame::sql::plan_query;
    use crate::frame::{FloatSums, Frames};
    let prices = numbers(7).take(3_000_000).map(|bits| (bits % 10_000_000) as f64 / 100.0);
    let prices = Series::new("p".into(), prices.collect::<Vec<_>>());
    let table = frame(3_000_000).hstack(&[prices.into_column()]).expect("a frame");
    let tables = Frames::from([("t".to_owned(), table.lazy())]);
    println!("  3,000,000 rows, ms, least of 5: exact, polars in memory and streaming; exact to the faster of them");
    for (name, query) in [
        ("whole", "SELECT sum(p) AS s, avg(p * 1.1) AS m FROM t"),
        ("3 groups", "SELECT few, sum(p) AS s, avg(y) AS m FROM t GROUP BY few"),
        ("700 groups", "SELECT key, sum(p) AS s, avg(y) AS m FROM t GROUP BY key"),
        ("700,000 groups", "SELECT key, n, sum(p) AS s, avg(y) AS m FROM t GROUP BY key, n"),
        ("mean of whole numbers", "SELECT key, avg(n) AS m FROM t GROUP BY key"),
        ("deviations", "SELECT key, stddev(p) AS s FROM t GROUP BY key"),
        ("correlation", "SELECT key, corr(p, y) AS s FROM t GROUP BY key"),
        ("any magnitude", "SELECT key, sum(x) AS s FROM t GROUP BY key"),
        ("window", "SELECT p - avg(p) OVER (PARTITION BY key) AS d FROM t"),
    ] {
        let time = |run: &dyn Fn() -> PolarsResult<DataFrame>| {
            let runs = (0..5).map(|_| {
                let begin = std::time::Instant::now();
                run().expect("it runs");
                begin.elapsed().as_secs_f64() * 1000.0
            });
            runs.fold(f64::INFINITY, f64::min)
        };
        let plan = |sums| plan_query(query, &tables, sums);
        let exact = match name {
            "window" => time(&|| plan(FloatSums::Exact)?.collect()),
            _ => time(&|| collect_streaming(plan(FloatSums::Exact)?)),
        };
        let memory = time(&|| plan(FloatSums::Fast)?.collect());
        let streaming = time(&|| collect_streaming(plan(FloatSums::Fast)?));
        println!("  {name:<22} {exact:7.1} {memory:7.1} {streaming:7.1}   {:.2}", exact / memory.min(streaming));
    }
}
