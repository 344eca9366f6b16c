//! What polars says of a query, in words that help who wrote it.

/// What polars calls the column that it makes of a query in an IN.
pub(super) const OF_A_SUBQUERY: &str = "_POLARS_TMP_";

/// Without the advice that polars gives to users of Python, and without its view of what it cannot read.
pub(super) fn plain(message: &str) -> String {
    if message.contains(OF_A_SUBQUERY) {
        return "IN over a query is known in WHERE alone: join the tables instead, and ask whether there was a pair"
            .to_owned();
    }
    if message.starts_with("expression Exists ") {
        return "an EXISTS that asks of the row around it compares a column of each, `a.id = b.id`, and as a part of WHERE by itself also with `<` and its like: join the tables instead".to_owned();
    }
    if let Some(rest) = message.strip_prefix("expression ").filter(|rest| rest.contains("not currently supported")) {
        let sort: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        return format!("an expression of this sort ({sort}) is not known");
    }
    if message.starts_with("unsupported SQL join constraint")
        || message.starts_with("unsupported join constraint operator")
    {
        return "the condition of a join is made of comparisons and AND: write others into WHERE, after a CROSS JOIN"
            .to_owned();
    }
    if let Some(keys) = message.strip_prefix("datatypes of join keys don't match - ")
        && let Some((keys, _)) = keys.split_once(" on right")
    {
        let keys = keys.replace(" on left does not match ", " and ").replace(": ", " of ");
        return format!("a join compares keys of one type, found {keys}: CAST one of them");
    }
    if let Some((_, name)) = message.split_once("duplicate output name '")
        && let Some((name, _)) = name.split_once('\'')
    {
        return format!("two columns are called `{name}`: call one of them otherwise, with AS");
    }
    if message.starts_with("'is_in' cannot check for ") {
        return "IN compares values of one type: CAST one side to the type of the other".to_owned();
    }
    if message.starts_with("operator BitwiseXor is not") {
        return "`^` is a power to some databases and a comparison of bits to others: write `power(a, b)` or `xor(a, b)`".to_owned();
    }
    if message.starts_with("+ not allowed on date and") || message.starts_with("- not allowed on date and") {
        return format!("{message}: write `INTERVAL '1 day'` for a number of days");
    }
    if let Some(name) = message.strip_prefix("unsupported function ") {
        return format!("there is no function {}", name.replace('\'', "`"));
    }
    message.split("\n").next().unwrap_or(message).trim_end_matches(['.', ' ']).to_owned()
}
