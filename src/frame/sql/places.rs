//! Mistakes of types, and where they are shown.

use super::*;
use crate::types::Column as ColumnType;

fn table(columns: &[(&str, &str)]) -> TableSchema {
    let column = |(name, dtype): &(&str, &str)| ColumnType::new(*name, dtype.parse().expect("a type"));
    TableSchema::new(columns.iter().map(column).collect())
}

fn tables() -> BTreeMap<String, TableSchema> {
    let flights = [
        ("carrier", "str"),
        ("delay", "f64"),
        ("day", "i64"),
        ("price", "decimal(10, 2)"),
        ("at", "datetime"),
        ("small", "i16"),
        ("single", "f32"),
        ("tags", "list(str)"),
    ];
    BTreeMap::from([
        ("flights".to_owned(), table(&flights)),
        ("airlines".to_owned(), table(&[("carrier", "str"), ("name", "str"), ("founded", "i64")])),
    ])
}

/// What is shown of a query, and what is said of it.
fn shown(query: &str) -> (String, String) {
    let problems = check_query(query, &tables(), FloatSums::Exact).expect_err(query);
    let [problem] = <[Problem; 1]>::try_from(problems).expect("one");
    let place = problem.range.map_or_else(|| "(the whole query)".to_owned(), |range| query[range].to_owned());
    (place, problem.message)
}

#[test]
fn mistakes_of_types_are_shown_in_the_query() {
    for (query, wanted) in [
        ("SELECT carrier FROM flights WHERE carrier > 5", "carrier > 5"),
        ("SELECT carrier FROM flights WHERE delay > 1 AND (day = 2 OR carrier > 5)", "carrier > 5"),
        ("SELECT day, day + carrier AS x FROM flights", "day + carrier"),
        ("SELECT day, (day + 1) * (delay - carrier) AS x FROM flights", "delay - carrier"),
        ("SELECT sum(carrier) AS s FROM flights", "sum(carrier)"),
        ("SELECT count(*) AS n, avg(delay) AS d, sum( carrier ) AS s FROM flights GROUP BY day", "sum( carrier )"),
        ("SELECT upper(carrier) AS c, upper(day) AS d FROM flights", "upper(day)"),
        ("SELECT abs(delay) AS a, abs(carrier) AS d FROM flights", "abs(carrier)"),
        ("SELECT f.day FROM flights f JOIN airlines a ON f.carrier = a.carrier WHERE a.name > f.day", "a.name > f.day"),
        ("SELECT day FROM flights WHERE carrier", "carrier"),
        ("SELECT day FROM flights WHERE delay > 1 AND carrier IN (1, 2)", "carrier IN (1, 2)"),
        (
            "WITH late AS (SELECT carrier, day FROM flights), odd AS (SELECT day FROM late WHERE carrier > 5) SELECT day FROM odd",
            "carrier > 5",
        ),
        ("SELECT n FROM (SELECT day - carrier AS n FROM flights) AS t WHERE n > 1", "day - carrier"),
        ("SELECT day FROM flights UNION ALL SELECT founded - name FROM airlines", "founded - name"),
        ("SELECT name FROM airlines WHERE founded IN (SELECT day - carrier FROM flights)", "day - carrier"),
        ("SELECT CASE WHEN carrier > 5 THEN 1 ELSE 2 END AS c FROM flights", "carrier > 5"),
        ("SELECT f.day FROM flights f JOIN airlines a ON f.carrier = a.carrier AND f.day = a.name", "f.day = a.name"),
        ("SELECT carrier FROM flights GROUP BY carrier HAVING sum(day) > 'x'", "sum(day) > 'x'"),
        (
            "SELECT day FROM flights WHERE delay > 1 AND day > (SELECT min(name) FROM airlines)",
            "day > (SELECT min(name) FROM airlines)",
        ),
        ("SELECT day FROM flights WHERE delay > (SELECT day, delay FROM flights)", "SELECT day, delay FROM flights"),
        (
            "SELECT day FROM flights f WHERE day > (SELECT founded FROM airlines a WHERE a.name = f.carrier)",
            "SELECT founded FROM airlines a WHERE a.name = f.carrier",
        ),
        ("SELECT day FROM flights WHERE day > (SELECT max(founded - name) FROM airlines)", "founded - name"),
    ] {
        let (place, message) = shown(query);
        assert_eq!(place, wanted, "{query}: {message}");
    }
}

#[test]
fn an_expression_s_mistake_is_shown_inside_of_it() {
    let schema = &tables()["flights"];
    for (text, wanted) in [
        ("delay > 15 AND carrier > 5", "carrier > 5"),
        ("delay * 2 + upper(day)", "upper(day)"),
        ("CAST(ROUND(delay) AS INT) + CAST(price AS INT)", "CAST"),
    ] {
        let problem = check_expr(text, schema, FloatSums::Exact).expect_err(text).remove(0);
        assert_eq!(&text[problem.range.clone().expect("a place")], wanted, "{text}: {problem:?}");
    }
}

#[test]
fn each_lossy_cast_is_shown_itself() {
    for (cast, says) in [
        ("CAST(delay AS INT)", "f64 to i32 cuts fractions off"),
        ("CAST(price AS BIGINT)", "decimal(10, 2) to i64 cuts fractions off"),
        ("CAST(price AS DECIMAL(10, 1))", "decimal(10, 2) to decimal(10, 1) cuts fractions off"),
        ("CAST(day AS REAL)", "i64 to f32 rounds"),
    ] {
        let query = format!(
            "SELECT CAST(ROUND(delay) AS INT) AS a, CAST(small AS REAL) AS b, {cast} AS c, CAST(delay AS REAL) AS d, CAST(at AS DATE) AS e FROM flights"
        );
        let problem = check_query(&query, &tables(), FloatSums::Exact).expect_err(cast).remove(0);
        assert_eq!(problem.range.expect("a place").start, query.find(cast).expect("there"), "{cast}");
        assert!(problem.message.contains(says), "{cast}: {}", problem.message);
        let meant = query.replace(cast, &cast.replace("CAST", "TRY_CAST"));
        check_query(&meant, &tables(), FloatSums::Exact).expect("said so");
    }
    let query = "SELECT day::DOUBLE AS a, delay::INT AS b FROM flights";
    let problem = check_query(query, &tables(), FloatSums::Exact).expect_err("lossy").remove(0);
    assert_eq!(problem.range.expect("a place").start, query.rfind("::").expect("there"));
    let query = "SELECT CAST(CAST(day AS DOUBLE) AS INT) AS a, CAST(CAST(delay AS INT) AS DOUBLE) AS b FROM flights";
    let places: Vec<usize> = query.match_indices("CAST").map(|(at, _)| at).collect();
    let problem = check_query(query, &tables(), FloatSums::Exact).expect_err("lossy").remove(0);
    assert_eq!(problem.range.expect("a place").start, places[0]);
    let query = query.replace("CAST(CAST(day AS DOUBLE) AS INT) AS a, ", "");
    let problem = check_query(&query, &tables(), FloatSums::Exact).expect_err("lossy").remove(0);
    assert_eq!(problem.range.expect("a place").start, query.rfind("CAST").expect("there"));
    for fine in ["CAST(small AS REAL)", "CAST(single AS DOUBLE)", "CAST(day AS DOUBLE)", "CAST(TRUNC(price) AS INT)"] {
        check_query(&format!("SELECT {fine} AS x FROM flights"), &tables(), FloatSums::Exact).expect(fine);
    }
}

#[test]
fn a_column_is_not_compared_with_nothing() {
    for condition in ["carrier = NULL", "carrier <> NULL", "NULL = f.day", "f.day != NULL"] {
        let (place, message) = shown(&format!("SELECT carrier FROM flights AS f WHERE delay > 1 AND {condition}"));
        assert_eq!(place, condition);
        assert!(message.contains("`a IS NOT NULL`"), "{message}");
    }
    let found = check_expr("delay != NULL", &tables()["flights"], FloatSums::Exact).expect_err("no row passes");
    assert_eq!(found.len(), 1, "{found:?}");
    for fine in ["carrier IS NULL", "carrier IS DISTINCT FROM NULL", "NULL = NULL"] {
        check_query(&format!("SELECT day FROM flights WHERE {fine}"), &tables(), FloatSums::Exact).expect(fine);
    }
}

#[test]
fn a_number_is_no_time_by_itself() {
    for cast in [
        "CAST(day AS DATE)",
        "CAST(20240131 AS DATE)",
        "CAST(day AS TIMESTAMP)",
        "TRY_CAST(delay AS DATE)",
        "CAST(price AS TIME)",
    ] {
        let (place, message) = shown(&format!("SELECT carrier, {cast} AS c FROM flights"));
        assert_eq!(Some(place.as_str()), cast.split('(').next(), "{message}");
        assert!(message.contains("`to_timestamp(a)` is of seconds since 1970"), "{cast}: {message}");
    }
    for fine in ["CAST(at AS DATE)", "CAST(TRY_CAST(carrier AS TIMESTAMP) AS DATE)", "epoch(at)", "to_timestamp(day)"] {
        check_query(&format!("SELECT {fine} AS c FROM flights"), &tables(), FloatSums::Exact).expect(fine);
    }
}

#[test]
fn keys_that_a_made_table_has_too_are_ambiguous() {
    let late = "WITH late AS (SELECT carrier, count(*) AS n FROM flights GROUP BY carrier) ";
    for (query, both) in [
        (format!("{late}SELECT a.name FROM late JOIN airlines a ON carrier = a.carrier"), ["late", "a"]),
        (
            "SELECT a.name FROM (SELECT f.carrier, day FROM flights f) AS t JOIN airlines a ON t.day = founded AND carrier = a.carrier"
                .to_owned(),
            ["t", "a"],
        ),
        (
            "SELECT a.name FROM (SELECT * FROM flights) AS t JOIN airlines a ON carrier = a.carrier".to_owned(),
            ["t", "a"],
        ),
        (
            "WITH o AS (SELECT f.day FROM flights f JOIN airlines a ON carrier = a.carrier) SELECT day FROM o".to_owned(),
            ["f", "a"],
        ),
        (format!("{late}, more (carrier, m) AS (SELECT carrier, n FROM late) SELECT m FROM late l JOIN more ON carrier = more.carrier").replace(") , more", "), more"), ["l", "more"]),
    ] {
        let (place, message) = shown(&query);
        assert_eq!(place, "carrier", "{query}: {message}");
        let [one, other] = both;
        assert!(message.starts_with(&format!("`carrier` is in `{one}` and in `{other}`")), "{message}");
    }
    let renamed =
        "WITH late (c, n) AS (SELECT carrier, day FROM flights) SELECT name FROM late JOIN airlines ON c = carrier";
    check_query(renamed, &tables(), FloatSums::Exact).expect("one table has it");
}
