//! SQL queries over tables, and SQL expressions over the columns of one: what they will give, what is wrong with them
//! and where, and their plans with a fixed row order and exact sums.

mod aggregates;
mod around;
mod calls;
mod clashes;
mod columns;
mod compared;
mod conditions;
mod constants;
mod correlated;
mod distinct;
mod distinct_on;
mod exists;
mod fitting;
mod forms;
mod frames;
mod groups;
mod holds;
mod matches;
mod meanings;
mod moments;
mod names;
mod no_table;
mod on;
mod place;
mod qualify;
mod ranks;
mod refused;
mod regroup;
mod reserved;
mod rows;
mod said;
mod scalars;
mod scope;
mod semi;
mod sets;
mod smallest;
mod trial;
mod unnest;
mod using;
mod walks;
mod windows;

pub use groups::window_problems;
pub use windows::function_problems;

use super::order::{Resolved, Scalar, fixed_with};
use super::schema::{from_polars_schema, polars_schema};
use super::{FloatSums, fixed_expr, polars_words};
use crate::types::{DType, TableSchema};
use holds::Holds;
use names::Names;
use polars::prelude::*;
use polars::sql::SQLContext;
use said::{innermost, plain, problem_of};
use sqlparser::ast::Statement;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

/// What sort of mistake it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// It cannot be read or resolved, or does what is not allowed here.
    Syntax,
    /// No such column; the names that it could have been.
    UnknownColumn {
        /// What is written.
        name: String,
        /// The one table that was meant, where that is clear.
        table: Option<String>,
        /// The columns there are.
        candidates: Vec<String>,
    },
    /// No such table among the inputs.
    UnknownTable {
        /// What is written.
        name: String,
    },
    /// Columns of types that do not go together.
    Type,
    /// Two columns of the result have one name.
    Duplicate,
}

/// A mistake in a query or expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What sort.
    pub kind: ProblemKind,
    /// One line, lower case.
    pub message: String,
    /// The bytes of the text that it is about, where they are known.
    pub range: Option<Range<usize>>,
}

impl Problem {
    fn syntax(message: impl Into<String>, range: Option<Range<usize>>) -> Self {
        Self { kind: ProblemKind::Syntax, message: message.into(), range }
    }
}

/// What a query over tables of these schemas gives; open where an input's types are not all known yet.
///
/// # Errors
/// Everything that is wrong with it, as far as that can be told apart.
pub fn check_query(
    query: &str,
    tables: &BTreeMap<String, TableSchema>,
    sums: FloatSums,
) -> Result<TableSchema, Vec<Problem>> {
    let statement = parse(query).map_err(|problem| vec![problem])?;
    let holds = Holds::of(&statement);
    let mut problems = Names::new(query, tables).check(&statement);
    let others = clashes::problems(query, &statement, holds, tables).into_iter();
    // What is wrong with a name is told alone.
    for other in others.chain(forms::query_problems(query, &statement, holds, tables)) {
        if other.range.is_none() || problems.iter().all(|known| known.range != other.range) {
            problems.push(other);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let frames: Option<BTreeMap<String, LazyFrame>> =
        tables.iter().map(|(name, schema)| Some((name.clone(), empty(schema)?))).collect();
    let Some(frames) = frames else { return Ok(TableSchema::unknown()) };
    let run = |query: &str, statement, holds| {
        fitting::tried(|| plan_statement(query, statement, holds, &frames, &|| Ok(tables), sums))
    };
    run(query, statement, holds).map(|schema| from_polars_schema(&schema)).map_err(|error| {
        let said = |query: &str| {
            let planned = parse_statement(query).and_then(|(statement, holds)| run(query, statement, holds));
            planned.err().map(|error| plain(&polars_words(&error)))
        };
        vec![problem_of(query, &error, |message| smallest::in_query(query, &parse(query).ok()?, message, &said))]
    })
}

/// The plan of a query over these tables.
///
/// # Errors
/// What polars says of it; [`check_query`] says it better.
pub fn plan_query(query: &str, tables: &BTreeMap<String, LazyFrame>, sums: FloatSums) -> PolarsResult<LazyFrame> {
    let (statement, holds) = parse_statement(query)?;
    let known = OnceCell::new();
    let schemas = || match known.get() {
        Some(known) => Ok(known),
        None => schemas_of(tables).map(|schemas| known.get_or_init(|| schemas)),
    };
    plan_statement(query, statement, holds, tables, &schemas, sums).map(|(lf, _)| lf)
}

fn schemas_of(tables: &BTreeMap<String, LazyFrame>) -> PolarsResult<BTreeMap<String, TableSchema>> {
    let mut schemas = BTreeMap::new();
    for (name, table) in tables {
        let schema = table.clone().collect_schema()?;
        schemas.insert(name.clone(), from_polars_schema(&schema));
    }
    Ok(schemas)
}

fn parse_statement(query: &str) -> PolarsResult<(Statement, Holds)> {
    let statement = parse(query).map_err(|problem| polars_err!(SQLSyntax: "{}", problem.message))?;
    let holds = Holds::of(&statement);
    Ok((statement, holds))
}

fn plan_statement(
    query: &str,
    statement: Statement,
    holds: Holds,
    tables: &BTreeMap<String, LazyFrame>,
    schemas: forms::Schemas<'_>,
    sums: FloatSums,
) -> PolarsResult<(LazyFrame, Resolved)> {
    match plan_as_held(query, statement, holds, tables, schemas, sums) {
        Err(error) if !holds.types && compared::are_refused(&error) => {
            let (statement, holds) = parse_statement(query)?;
            plan_as_held(query, statement, Holds { types: true, ..holds }, tables, schemas, sums)
        }
        planned => planned,
    }
}

fn plan_as_held(
    query: &str,
    statement: Statement,
    holds: Holds,
    tables: &BTreeMap<String, LazyFrame>,
    schemas: forms::Schemas<'_>,
    sums: FloatSums,
) -> PolarsResult<(LazyFrame, Resolved)> {
    without_advice();
    let mut context = SQLContext::new();
    for (name, table) in tables {
        context.register(name, table.clone());
    }
    let mut scalars: Vec<Scalar> = Vec::new();
    let query = forms::query(query, statement, holds, schemas, &mut |subquery| {
        let planned = context.execute(subquery).and_then(|lf| fixed_with(lf, sums, &scalars));
        let scalar = planned
            .and_then(|(lf, _)| Scalar::new(scalars.len(), lf))
            .map_err(|error| by_itself(&error).unwrap_or(error))?;
        let dtype = scalar.dtype.clone();
        scalars.push(scalar);
        Ok(dtype)
    })?;
    fixed_with(context.execute(&query)?, sums, &scalars)
}

/// What is wrong with a subquery in the place of a value that uses columns of the query around it.
fn by_itself(error: &PolarsError) -> Option<PolarsError> {
    let message = polars_words(error);
    let unknown = matches!(innermost(error), PolarsError::ColumnNotFound(_) | PolarsError::SchemaFieldNotFound(_))
        || message.contains("no table or struct column");
    let name = place::quoted(&message).filter(|_| unknown)?;
    Some(polars_err!(
        SQLInterface: "a subquery in the place of a value stands by itself, and cannot use `{name}` of the query around it: join its table instead"
    ))
}

/// What is said of a query in an expression.
const NO_QUERY: &str = "an expression cannot hold a query: use a stage of kind `sql`";

/// The type of an expression over a table of this schema; `None` where it cannot be known yet.
///
/// # Errors
/// Everything that is wrong with it, as far as that can be told apart.
pub fn check_expr(text: &str, schema: &TableSchema, sums: FloatSums) -> Result<Option<DType>, Vec<Problem>> {
    let expr = parse_expr(text).map_err(|problem| vec![problem])?;
    let tables = BTreeMap::from([(String::new(), schema.clone())]);
    let mut problems = Names::new(text, &tables).check_expr(&expr);
    let holds = Holds::of(&expr);
    if holds.queries && problems.is_empty() {
        problems.push(Problem::syntax(NO_QUERY, place::word_like(text, "select")));
    }
    problems.extend(forms::problems(text, &expr, holds));
    if holds.unnest {
        let message =
            "`unnest` makes several rows of one, which an expression cannot: the step `explode` does, and a query";
        problems.push(Problem::syntax(message, place::word_like(text, "unnest")));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let Some(table) = polars_schema(schema) else { return Ok(None) };
    let table = Arc::new(table);
    let run = |text: &str| {
        let plan = |expr: polars::prelude::Expr| {
            (DataFrame::empty_with_schema(&table).lazy().select([expr.alias("value")]), Resolved::default())
        };
        fitting::tried(|| plan_expr(text, &table, sums).map(plan))
    };
    run(text).map(|found| found.get("value").map(super::from_polars)).map_err(|error| {
        let said = |text: &str| run(text).err().map(|error| plain(&polars_words(&error)));
        vec![problem_of(text, &error, |message| smallest::in_expr(text, &expr, message, &said))]
    })
}

/// The polars expression of a SQL expression over a table of this schema.
///
/// # Errors
/// What polars says of it; [`check_expr`] says it better.
pub fn plan_expr(text: &str, schema: &SchemaRef, sums: FloatSums) -> PolarsResult<Expr> {
    without_advice();
    let ast = parse_expr(text).map_err(|problem| polars_err!(SQLSyntax: "{}", problem.message))?;
    fixed_expr(&polars::sql::sql_expr(forms::expr(text, ast)?)?, schema, sums)
}

/// What polars itself writes to standard error is advice to those who call it from Python.
fn without_advice() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| polars::error::set_warning_function(|_, _| {}));
}

fn empty(schema: &TableSchema) -> Option<LazyFrame> {
    polars_schema(schema).map(|schema| DataFrame::empty_with_schema(&schema).lazy())
}

fn parser(text: &str) -> Result<Parser<'static>, Problem> {
    let options = ParserOptions { trailing_commas: true, ..Default::default() };
    let parser = Parser::new(&GenericDialect).with_options(options);
    match reserved::users_in_quotes(text) {
        Some(tokens) => Ok(parser.with_tokens_with_locations(tokens)),
        None => parser.try_with_sql(text).map_err(|error| place::parse_problem(text, &error)),
    }
}

fn parse(query: &str) -> Result<Statement, Problem> {
    let mut parser = parser(query)?;
    let mut statements = parser.parse_statements().map_err(|error| place::parse_problem(query, &error))?;
    // For the parser a statement ends before an END, whatever follows.
    ends(query, &parser, "query")?;
    let whole = Some(0..query.len());
    match (statements.pop(), statements.is_empty()) {
        (None, _) => Err(Problem::syntax("the query is empty", whole)),
        (Some(_), false) => Err(Problem::syntax("there is more than one statement, expected one query", whole)),
        (Some(mut statement @ Statement::Query(_)), true) => {
            distinct::apart(query, &mut statement);
            Ok(statement)
        }
        (Some(_), true) => Err(Problem::syntax("only a query (`SELECT …`) can stand here", whole)),
    }
}

fn parse_expr(text: &str) -> Result<sqlparser::ast::Expr, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::syntax("the expression is empty", Some(0..text.len())));
    }
    let mut parser = parser(text)?;
    let mut expr = parser.parse_expr().map_err(|error| place::parse_problem(text, &error))?;
    distinct::apart(text, &mut expr);
    ends(text, &parser, "expression")?;
    Ok(expr)
}

/// That nothing follows what was read.
fn ends(text: &str, parser: &Parser<'_>, what: &str) -> Result<(), Problem> {
    let rest = parser.peek_token();
    if rest.token == sqlparser::tokenizer::Token::EOF {
        return Ok(());
    }
    let found = rest.token.to_string();
    let remedy = reserved::in_quotes(&found).map_or_else(String::new, |remedy| format!(": {remedy}"));
    let range = place::range(text, rest.span);
    Err(Problem::syntax(format!("expected the end of the {what}, found `{found}`{remedy}"), range))
}

#[cfg(test)]
mod mixed;
#[cfg(test)]
mod places;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Column as ColumnType;

    fn tables() -> BTreeMap<String, TableSchema> {
        let table = |columns: &[(&str, DType)]| {
            TableSchema::new(columns.iter().map(|(name, dtype)| ColumnType::new(*name, dtype.clone())).collect())
        };
        BTreeMap::from([
            ("flights".to_owned(), table(&[("carrier", DType::Str), ("dep_delay", DType::F64), ("day", DType::I64)])),
            ("airlines".to_owned(), table(&[("carrier", DType::Str), ("name", DType::Str)])),
        ])
    }

    fn problems(query: &str) -> Vec<Problem> {
        check_query(query, &tables(), FloatSums::Exact).expect_err("wrong")
    }

    #[test]
    fn the_result_s_schema_is_known_without_data() {
        let query = "SELECT f.carrier, a.name, avg(dep_delay) AS mean, count(*) AS n, sum(day) AS days
            FROM flights f JOIN airlines a ON f.carrier = a.carrier
            WHERE dep_delay > 15 GROUP BY f.carrier, a.name HAVING count(*) > 3 ORDER BY mean DESC LIMIT 5";
        let schema = check_query(query, &tables(), FloatSums::Exact).expect("a schema");
        let found: Vec<String> =
            schema.columns.iter().map(|column| format!("{} {}", column.name, column.dtype)).collect();
        assert_eq!(found, ["carrier str", "name str", "mean f64", "n u32", "days i64"]);
    }

    #[test]
    fn an_unknown_column_is_pointed_at() {
        let query = "SELECT carrier, avg(dep_delya) AS m FROM flights GROUP BY carrier";
        let [problem] = problems(query).try_into().expect("one");
        assert_eq!(&query[problem.range.expect("a place")], "dep_delya");
        assert!(matches!(problem.kind, ProblemKind::UnknownColumn { ref name, .. } if name == "dep_delya"));
        let query = "SELECT a.name, a.dep_delay FROM airlines AS a WHERE \"é\" = 1";
        let found = problems(query);
        let places: Vec<&str> = found.iter().map(|p| &query[p.range.clone().expect("a place")]).collect();
        assert_eq!(places, ["dep_delay", "\"é\""]);
    }

    #[test]
    fn unknown_tables_and_table_functions_are_refused() {
        let query = "SELECT * FROM fligths JOIN airlines USING (carrier)";
        let [problem] = problems(query).try_into().expect("one");
        assert_eq!(problem.kind, ProblemKind::UnknownTable { name: "fligths".into() });
        assert_eq!(&query[problem.range.expect("a place")], "fligths");
        let query = "SELECT * FROM read_csv('/etc/passwd')";
        assert!(problems(query)[0].message.contains("read_csv"), "{:?}", problems(query));
        let query = "SELECT * FROM generate_series(1, 9)";
        assert!(problems(query)[0].message.contains("come from a table that has them"), "{:?}", problems(query));
        assert_eq!(problems("DROP TABLE flights").len(), 1);
        let with = "WITH late AS (SELECT carrier FROM flights WHERE dep_delay > 15) SELECT count(*) AS n FROM late";
        check_query(with, &tables(), FloatSums::Exact).expect("a query over its own table");
        let twice =
            "SELECT p.day FROM (SELECT a.day FROM flights a) AS p CROSS JOIN (SELECT a.name FROM airlines a) AS q";
        check_query(twice, &tables(), FloatSums::Exact).expect("two tables of one name, each in its place");
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let query = "SELECT carrier,\n  dep_delay WHERE FROM flights";
        let [problem] = problems(query).try_into().expect("one");
        assert_eq!(problem.kind, ProblemKind::Syntax);
        assert!(problem.range.is_some_and(|range| range.start >= 18), "{:?}", problems(query));
        assert!(problems("SELECT 'open FROM flights")[0].range.is_some());
    }

    #[test]
    fn types_that_do_not_go_together_show_at_check_time() {
        let problem = &problems("SELECT carrier FROM flights WHERE carrier > 5")[0];
        assert_eq!(problem.kind, ProblemKind::Type, "{problem:?}");
        let problem = &problems("SELECT sum(carrier) AS s FROM flights")[0];
        assert_eq!(problem.kind, ProblemKind::Type, "{problem:?}");
    }

    #[test]
    fn a_cast_that_cuts_off_and_a_key_that_two_tables_have_are_pointed_at() {
        let query = "SELECT day, cast(dep_delay AS INT) AS d FROM flights";
        let [problem] = problems(query).try_into().expect("one");
        assert_eq!(&query[problem.range.expect("a place")], "cast");
        assert!(problem.message.contains("f64 to i32 cuts fractions off"), "{}", problem.message);
        for said in
            ["CAST(ROUND(dep_delay) AS INT)", "TRY_CAST(dep_delay AS INT)", "CAST(day AS TINYINT)", "CAST(7.5 AS INT)"]
        {
            check_query(&format!("SELECT {said} AS d FROM flights"), &tables(), FloatSums::Exact).expect(said);
        }
        let problem = &problems("SELECT CAST(TRY_CAST(carrier AS DATE) AS INT) AS d FROM flights")[0];
        assert!(problem.message.contains("date to i32 gives days since 1970"), "{problem:?}");
        let query = "SELECT a.name FROM flights f JOIN airlines a ON carrier = a.carrier AND dep_delay > 1";
        let [problem] = problems(query).try_into().expect("one");
        assert_eq!(&query[problem.range.expect("a place")], "carrier");
        assert_eq!(problem.message, "`carrier` is in `f` and in `a`: write `f.carrier` or `a.carrier`");
    }

    #[test]
    fn expressions_have_types() {
        let schema = &tables()["flights"];
        let dtype = |text| check_expr(text, schema, FloatSums::Exact);
        assert_eq!(dtype("dep_delay > 15 AND carrier = 'UA'"), Ok(Some(DType::Bool)));
        assert_eq!(dtype("dep_delay - avg(dep_delay)"), Ok(Some(DType::F64)));
        assert_eq!(dtype("upper(carrier) || '!'"), Ok(Some(DType::Str)));
        let text = "dep_delay > 15 AND carier = 'UA'";
        let problem = dtype(text).expect_err("wrong").remove(0);
        assert_eq!(&text[problem.range.expect("a place")], "carier");
        assert_eq!(check_expr("anything > 1", &TableSchema::unknown(), FloatSums::Exact), Ok(None));
        assert!(dtype("dep_delay >").is_err());
        assert!(dtype("dep_delay FROM flights").is_err());
    }
}
