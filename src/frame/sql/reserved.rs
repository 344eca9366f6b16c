//! Words of SQL that tables have columns of. `user` asks databases who is logged in, and nobody is here: it is a column without quotes
//! too. What else the parser cannot take for one stands in quotes, and that is said.

use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

/// Words that a column may be called, and that begin or end something else where they stand without quotes.
const WORDS: [&str; 15] = [
    "case", "cluster", "end", "exists", "fetch", "group", "interval", "limit", "offset", "order", "sort", "struct",
    "top", "values", "view",
];

/// The tokens of a text with every `user` in quotes; `None` where there is none.
pub(super) fn users_in_quotes(text: &str) -> Option<Vec<TokenWithSpan>> {
    // Most texts have not even the letters.
    if !text.as_bytes().windows(4).any(|letters| letters.eq_ignore_ascii_case(b"user")) {
        return None;
    }
    let mut tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location().ok()?;
    let mut any = false;
    for token in &mut tokens {
        if let Token::Word(word) = &mut token.token
            && word.keyword == Keyword::USER
        {
            (word.keyword, word.quote_style) = (Keyword::NoKeyword, Some('"'));
            any = true;
        }
    }
    any.then_some(tokens)
}

/// What to do about a word that was found where something else was expected. In capitals it is meant as it stands.
pub(super) fn in_quotes(found: &str) -> Option<String> {
    let is_one = WORDS.iter().any(|word| word.eq_ignore_ascii_case(found));
    let is_name = is_one && found.bytes().any(|letter| letter.is_ascii_lowercase());
    is_name.then(|| format!("a column that is called so stands in double quotes, \"{found}\""))
}

#[cfg(test)]
mod tests {
    use super::super::{FloatSums, Problem, check_expr, check_query, parse, parse_expr};
    use crate::types::{Column, DType, TableSchema};
    use std::collections::BTreeMap;

    fn events() -> TableSchema {
        TableSchema::new(["user", "end", "order", "n"].map(|name| Column::new(name, DType::I64)).to_vec())
    }

    fn of_query(query: &str) -> Result<Vec<String>, Vec<Problem>> {
        let tables = BTreeMap::from([("events".to_owned(), events()), ("user".to_owned(), events())]);
        let schema = check_query(query, &tables, FloatSums::Exact)?;
        Ok(schema.columns.into_iter().map(|column| column.name).collect())
    }

    #[test]
    fn a_column_is_called_user() {
        assert_eq!(parse_expr("user + USER").expect("an expression").to_string(), "\"user\" + \"USER\"");
        assert_eq!(parse_expr("'user' || users").expect("an expression").to_string(), "'user' || users");
        for query in [
            "SELECT user, n FROM events",
            "SELECT e.user, n FROM events AS e WHERE e.user > 1",
            "SELECT user.user, n FROM user",
            "SELECT user, count(*) AS n FROM events GROUP BY user ORDER BY user",
            "SELECT user, sum(n) OVER (PARTITION BY user ORDER BY n) AS n FROM events",
            "SELECT user, a.n FROM events AS a JOIN (SELECT user, n AS m FROM events) AS b USING (user)",
        ] {
            assert_eq!(of_query(query), Ok(vec!["user".to_owned(), "n".to_owned()]), "{query}");
        }
        assert_eq!(check_expr("user - 1", &events(), FloatSums::Exact), Ok(Some(DType::I64)));
    }

    #[test]
    fn what_follows_an_end_is_not_dropped() {
        let query = "SELECT n FROM events END WHERE n > 3";
        let problem = parse(query).expect_err("two ends");
        assert_eq!(&query[problem.range.expect("a place")], "END");
        let query = "SELECT n, end FROM events";
        let problem = parse(query).expect_err("no column");
        assert_eq!(&query[problem.range.expect("a place")], "end");
        assert!(problem.message.contains("stands in double quotes, \"end\""), "{}", problem.message);
        assert_eq!(of_query("SELECT n, \"end\" FROM events"), Ok(vec!["n".to_owned(), "end".to_owned()]));
    }

    #[test]
    fn a_word_of_sql_that_is_no_column_is_told() {
        for text in ["end - n", "n - coalesce(n, end)", "order + 1"] {
            let [problem] = check_expr(text, &events(), FloatSums::Exact).expect_err(text).try_into().expect("one");
            assert!(problem.message.contains("stands in double quotes"), "{text}: {}", problem.message);
        }
    }
}
