//! `database` on SQLite files. A PostgreSQL server is asked in `tests/it/database.rs`.

use super::*;
use crate::frame::read_table;
use crate::stage::testing::Bench;
use crate::stage::{Input, InputFile};
use rusqlite::Connection;

/// A bench with `shop.db` in its workspace.
fn bench() -> Bench {
    let bench = Bench::default();
    let path = bench.file("shop.db", "");
    std::fs::remove_file(&path).expect("was there");
    let connection = Connection::open(&path).expect("a new database");
    connection
        .execute_batch(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, day TEXT, total REAL, note TEXT, raw BLOB);
             INSERT INTO orders VALUES (1, '2026-01-02', 9.5, 'it''s', x'00ff'), (2, '2026-01-03', 10, NULL, NULL),
                                       (3, NULL, NULL, '', x'');
             CREATE TABLE mixed (a);
             INSERT INTO mixed VALUES (1), ('x');",
        )
        .expect("filled");
    bench
}

fn run(bench: &Bench, fields: &str) -> Result<(Produced, DataFrame), StageError> {
    let produced = bench.run::<Database>(fields)?;
    let path = bench.place("staging").join(TABLE).join("table.parquet");
    let file = InputFile { name: "table.parquet".into(), path, size: 0, digest: crate::digest::Digest::of(b"") };
    let df = read_table(&Input::new(produced.ports[0].ty.clone(), file.digest, vec![file]))?;
    Ok((produced, df))
}

fn failure(fields: &str) -> StageError {
    run(&bench(), fields).expect_err("it fails")
}

#[test]
fn rows_have_the_types_of_their_values() {
    let bench = bench();
    let (produced, df) =
        run(&bench, "path = \"shop.db\"\nquery = \"SELECT * FROM orders ORDER BY id DESC\"").expect("run");
    assert_eq!(produced.summary, "3 rows x 5 columns");
    let types: Vec<String> =
        crate::frame::schema_of(&df).columns.iter().map(|c| format!("{} {}", c.name, c.dtype)).collect();
    assert_eq!(types, ["id i64", "day str", "total f64", "note str", "raw binary"]);
    assert_eq!(
        df.column("id").expect("id").i64().expect("i64").iter().collect::<Vec<_>>(),
        [Some(3), Some(2), Some(1)]
    );
    assert_eq!(df.column("note").expect("note").str().expect("str").get(0), Some(""));
    let (_, typed) = run(
        &bench,
        "path = \"shop.db\"\nquery = \"SELECT day, total FROM orders\"\ntypes = { day = \"date\", total = \"f32\" }",
    )
    .expect("run");
    let types: Vec<String> = crate::frame::schema_of(&typed).columns.iter().map(|c| c.dtype.to_string()).collect();
    assert_eq!(types, ["date", "f32"]);
    assert!(!bench.place("workspace").join("shop.db-wal").exists());
}

#[test]
fn a_column_without_values_has_the_type_that_it_is_declared_as() {
    let bench = bench();
    let types = |fields: &str| {
        let fields = format!("path = \"shop.db\"\n{fields}");
        let (outputs, findings) = bench.check::<Database>(&fields);
        assert!(findings.is_empty(), "{findings:?}");
        let Some(ArtifactType::Table(promised)) = outputs.get(TABLE) else { panic!("a table") };
        let (_, df) = run(&bench, &fields).expect("run");
        let types = |schema: &TableSchema| -> Vec<String> {
            schema.columns.iter().map(|column| column.dtype.to_string()).collect()
        };
        let found = types(&crate::frame::schema_of(&df));
        assert_eq!(types(promised), found);
        found
    };
    assert_eq!(
        types("query = \"SELECT *, id + 1 AS n FROM orders WHERE id > 9\""),
        ["i64", "str", "f64", "str", "binary", "str"]
    );
    assert_eq!(types("query = \"SELECT total, raw FROM orders WHERE id = 3\""), ["f64", "binary"], "of null and x''");
    assert_eq!(
        types("query = \"SELECT id, total FROM orders WHERE id > 9\"\ntypes = { total = \"date\" }"),
        ["i64", "date"]
    );
}

#[test]
fn whole_numbers_that_floats_do_not_hold_are_told() {
    let warned = |types: &str| {
        let bench = bench();
        let query = "SELECT 9007199254740993 AS x UNION ALL VALUES (0.5), (9007199254740992), (-9007199254740995)";
        run(&bench, &format!("path = \"shop.db\"\nquery = \"{query}\"\n{types}")).expect("run");
        let warnings = bench.warnings.lock().expect("no panic").clone();
        warnings.join("; ")
    };
    let told = "2 whole numbers among fractions lose digits as f64; the first is 9007199254740993 in row 1, column `x`: \
                `types = { \"x\" = \"str\" }` keeps all";
    assert_eq!(warned(""), told);
    assert_eq!(warned("types = { x = \"f64\" }"), "");
    assert_eq!(warned("types = { x = \"str\" }"), "");
}

#[test]
fn digits_of_a_time_that_are_not_kept_are_told() {
    let bench = bench();
    let query = "SELECT '2026-01-02 10:00:00.5' AS at UNION ALL VALUES ('2026-01-02 10:00:00.1234567')";
    run(&bench, &format!("path = \"shop.db\"\nquery = \"{query}\"\ntypes = {{ at = \"datetime\" }}")).expect("run");
    let warnings = bench.warnings.lock().expect("no panic").clone();
    let told = "1 time has more than six digits behind the point, of which six are kept; the first is \
                `2026-01-02 10:00:00.1234567` in row 2, column `at`: `types = { \"at\" = \"str\" }` keeps all";
    assert_eq!(warnings, [told]);
}

#[test]
fn a_definition_that_is_no_text_is_told() {
    let bench = bench();
    let path = bench.place("workspace").join("shop.db");
    let connection = Connection::open(&path).expect("opened");
    connection
        .execute_batch(
            "CREATE TABLE odd (a INTEGER); PRAGMA writable_schema = ON;
             UPDATE sqlite_master SET sql = CAST(x'435245415445205441424c45206f646420286120ff29' AS TEXT) WHERE name = 'odd'",
        )
        .expect("changed");
    drop(connection);
    let error = run(&bench, "path = \"shop.db\"\nquery = \"SELECT a FROM odd\"").expect_err("no text");
    assert_eq!(error.message, "`shop.db` has tables whose definition is not UTF-8");
}

#[test]
fn a_value_that_is_not_of_its_declared_type_is_told_where_that_stands() {
    let error = failure("path = \"shop.db\"\nquery = \"SELECT note FROM orders\"\ntypes = { note = \"date\" }");
    assert!(error.message.starts_with("row 1, column `note`: found `it's`"), "{}", error.message);
    assert_eq!(crate::digest::dotted(&error.at.expect("a place")), "types");
}

#[test]
fn a_misspelt_name_is_no_text() {
    let bench = bench();
    for (query, part) in [("SELECT \"nore\" FROM orders", 7..13), ("SELECT id FROM orders ORDER BY \"nore\"", 31..37)] {
        let fields = format!("path = \"shop.db\"\nquery = '{query}'");
        let findings = bench.check::<Database>(&fields).1;
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(finding.diagnostic.message.starts_with("no such column: \"nore\""), "{}", finding.diagnostic.message);
        assert_eq!(finding.part, Some(part), "{query}");
    }
    let fields = "path = \"shop.db\"\nquery = \"SELECT id FROM orders ORDER BY nore\"";
    assert_eq!(bench.check::<Database>(fields).1[0].part, Some(31..35));
    let fields = "path = \"shop.db\"\nquery = 'SELECT \"note\" FROM orders'";
    assert!(bench.check::<Database>(fields).1.is_empty());
}

#[test]
fn a_float_as_text_is_written_as_one() {
    let query = "SELECT 10.0 AS a UNION ALL VALUES (2.5), (7), ('x'), (1e300)";
    let (_, df) =
        run(&bench(), &format!("path = \"shop.db\"\nquery = \"{query}\"\ntypes = {{ a = \"str\" }}")).expect("run");
    let texts: Vec<Option<&str>> = df.column("a").expect("a").str().expect("str").iter().collect();
    assert_eq!(texts, [Some("10.0"), Some("2.5"), Some("7"), Some("x"), Some("1e300")]);
}

#[test]
fn a_long_read_tells_how_far_it_is() {
    let bench = bench();
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) SELECT i FROM n";
    run(&bench, &format!("path = \"shop.db\"\nquery = \"{numbers}\"")).expect("run");
    let told = bench.progress.lock().expect("no panic");
    assert_eq!(told.iter().map(|progress| progress.done).collect::<Vec<_>>(), [65_536, 70_000]);
    assert!(told.iter().all(|progress| progress.unit == "row" && progress.detail.ends_with(" rows/s")), "{told:?}");
}

#[test]
fn a_query_without_rows_ends_when_its_time_is_up() {
    let mut bench = bench();
    bench.cancel = bench.cancel.within(Some(std::time::Duration::from_millis(300)));
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS most FROM n";
    let error = run(&bench, &format!("path = \"shop.db\"\nquery = \"{endless}\"")).expect_err("it is ended");
    assert_eq!(error.kind, crate::stage::ErrorKind::Cancelled, "{error}");
}

#[test]
fn a_column_of_several_types_is_an_error_or_text() {
    let error = failure("path = \"shop.db\"\nquery = \"SELECT a FROM mixed\"");
    assert_eq!(error.message, "row 2, column `a`: found a text, and a number before");
    assert!(error.hints[0].contains("types"), "{error:?}");
    let fields = "path = \"shop.db\"\nquery = \"SELECT a FROM mixed\"\ntypes = { a = \"str\" }";
    let (_, df) = run(&bench(), fields).expect("run");
    assert_eq!(df.column("a").expect("a").str().expect("str").iter().collect::<Vec<_>>(), [Some("1"), Some("x")]);
}

#[test]
fn a_text_in_another_encoding_is_told() {
    let error = failure("path = \"shop.db\"\nquery = \"SELECT CAST(x'636166e9' AS TEXT) AS a\"");
    assert_eq!(error.message, "row 1, column `a`: the text is not UTF-8: found the byte 0xe9 after 3 others");
    assert!(error.hints[0].contains("CAST(a AS BLOB)"), "{error:?}");
}

#[test]
fn what_is_no_query_is_refused() {
    let message = |query: &str| failure(&format!("path = \"shop.db\"\nquery = \"{query}\"")).message;
    assert_eq!(message("DELETE FROM orders"), "the query cannot be run: it does not read");
    assert!(message("SELECT * FROM orders WHERE id = ?").contains("placeholders"));
    assert!(message("SELECT id, id FROM orders").contains("two columns of the name `id`"));
    let error = failure("path = \"shop.db\"\nquery = \"\"\"SELECT id,\n  totl FROM orders\"\"\"");
    assert_eq!(error.message, "the query cannot be run: no such column: totl");
    assert_eq!(error.notes, ["line 2, column 3 of the query: totl FROM orders"]);
    let error = failure("path = \"shop.db\"\nquery = \"SELECT id FROM orders\"\ntypes = { day = \"date\" }");
    assert_eq!(error.message, "the query returns no column `day`");
}

#[test]
fn what_is_no_database_is_told() {
    let bench = bench();
    bench.file("a.csv", "a,b\n1,2\n");
    let error = run(&bench, "path = \"a.csv\"\nquery = \"SELECT 1\"").expect_err("no database");
    assert!(error.message.contains("`a.csv` cannot be read as an SQLite database"), "{error}");
    let whole = std::fs::read(bench.place("workspace").join("shop.db")).expect("readable");
    bench.file("cut.db", &whole[..5000]);
    let error = run(&bench, "path = \"cut.db\"\nquery = \"SELECT * FROM orders\"").expect_err("cut off");
    assert!(error.message.contains("malformed") || error.message.contains("disk I/O"), "{error}");
    bench.file("shop.db-wal", "changes");
    let error = run(&bench, "path = \"shop.db\"\nquery = \"SELECT 1\"").expect_err("changes beside it");
    assert!(error.message.contains("changes that are not in it yet"), "{error}");
}

#[test]
fn half_a_transaction_is_not_read() {
    let bench = bench();
    let fields = "path = \"shop.db\"\nquery = \"SELECT count(*) AS n FROM orders\"";
    bench.file("shop.db-journal", [0_u8; 512]);
    run(&bench, fields).expect("a journal that is done with");
    std::fs::remove_file(bench.place("workspace").join("shop.db-journal")).expect("was there");
    let writer = Connection::open(bench.place("workspace").join("shop.db")).expect("opened");
    // So few pages fit into the cache that the file is written to before the transaction ends.
    writer.execute_batch("PRAGMA cache_size = 5; CREATE TABLE large (a)").expect("set");
    let fill =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT zeroblob(1000) FROM n";
    writer.execute_batch(&format!("INSERT INTO large {fill}")).expect("filled");
    run(&bench, fields).expect("nothing is open");
    writer.execute_batch("BEGIN; UPDATE large SET a = randomblob(1000)").expect("begun");
    let error = run(&bench, fields).expect_err("half a transaction");
    assert!(error.message.starts_with("`shop.db` has half a transaction in it"), "{error}");
    assert_eq!(bench.check::<Database>(fields).1.len(), 1);
    writer.execute_batch("ROLLBACK").expect("taken back");
    run(&bench, fields).expect("whole again");
}

#[test]
fn check_knows_the_columns_and_the_mistakes() {
    let bench = bench();
    let check = |fields: &str| bench.check::<Database>(fields);
    let (outputs, findings) =
        check("path = \"shop.db\"\nquery = \"SELECT id, day AS d FROM orders\"\ntypes = { d = \"date\" }");
    assert!(findings.is_empty(), "{findings:?}");
    let Some(ArtifactType::Table(schema)) = outputs.get(TABLE) else { panic!("a table") };
    assert_eq!(schema.columns, [Column::new("id", DType::I64), Column::new("d", DType::Date)]);
    let codes = |fields: &str| check(fields).1.iter().map(|finding| finding.diagnostic.code.id).collect::<Vec<_>>();
    let (outputs, findings) =
        check("path = \"shop.db\"\nquery = \"SELECT *, id + total AS s, id > 9 AS z FROM orders\"");
    assert!(findings.is_empty(), "{findings:?}");
    let Some(ArtifactType::Table(schema)) = outputs.get(TABLE) else { panic!("a table") };
    let types: Vec<String> = schema.columns.iter().map(|column| column.dtype.to_string()).collect();
    assert_eq!(types, ["i64", "str", "f64", "str", "binary", "f64", "i64"]);
    let mixed = check("path = \"shop.db\"\nquery = \"SELECT a FROM mixed\"").1;
    assert_eq!(mixed[0].diagnostic.message, "row 2, column `a`: found a text, and a number before");
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let (outputs, findings) = check(&format!("path = \"shop.db\"\nquery = \"{endless}\""));
    assert!(findings.is_empty(), "{findings:?}");
    let Some(ArtifactType::Table(schema)) = outputs.get(TABLE) else { panic!("a table") };
    assert_eq!(schema.columns, [Column::new("i", DType::Unknown)]);
    let findings = check("path = \"shop.db\"\nquery = \"SELECT idd FROM orders\"").1;
    assert_eq!((findings[0].diagnostic.code.id, findings[0].part.clone()), ("E0216", Some(7..10)));
    assert_eq!(codes("query = \"SELECT 1\""), ["E0135"]);
    assert_eq!(codes("query = \"SELECT 1\"\npath = \"shop.db\"\nurl = \"postgres://a@b/c\""), ["E0135"]);
    assert_eq!(codes("query = \"SELECT 1\"\npath = \"shop.db\"\nrefresh = \"1d\""), ["E0135"]);
    assert_eq!(codes("query = \"SELECT 1\"\npath = \"shop.db\"\ntypes = { z = \"int\" }"), ["E0218"]);
    assert_eq!(codes("query = \"SELECT 1 AS a\"\npath = \"shop.db\"\ntypes = { z = \"i64\" }"), ["E0213"]);
    assert_eq!(codes("query = \" \"\npath = \"shop.db\""), ["E0136"]);
    assert_eq!(codes("query = \"SELECT 1\"\nurl = \"mysql://a@b/c\""), ["E0225"]);
    assert_eq!(codes("query = \"SELECT 1\"\nurl = \"postgres://a:secret@b/c\""), ["E0225"]);
    assert_eq!(codes("query = \"SELECT 1\"\nurl = \"postgres://a@b/c\"\nrefresh = \"often\""), ["E0136"]);
    assert!(codes("query = \"SELECT 1\"\nurl = \"postgres://a@b/c\"\nrefresh = \"1d\"").is_empty());
}

#[test]
fn a_server_is_not_asked_offline_nor_without_its_password() {
    let mut bench = bench();
    let fields =
        "query = \"SELECT 1\"\nurl = \"postgres://a@127.0.0.1:1/c\"\npassword_variable = \"KILTER_NO_SUCH_VARIABLE\"";
    let error = bench.run::<Database>(fields).expect_err("no password");
    assert!(error.message.contains("`KILTER_NO_SUCH_VARIABLE`, which holds the password, is not set"), "{error}");
    let error =
        bench.run::<Database>("query = \"SELECT 1\"\nurl = \"postgres://a@127.0.0.1:1/c\"").expect_err("no server");
    assert_eq!(error.kind, crate::stage::ErrorKind::Network);
    assert!(error.message.starts_with("cannot connect to the server"), "{error}");
    bench.network = false;
    let error =
        bench.run::<Database>("query = \"SELECT 1\"\nurl = \"postgres://a@127.0.0.1:1/c\"").expect_err("offline");
    assert!(error.message.contains("may not use the network"), "{error}");
}
