//! Queries that are put around others.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    GroupByExpr, Ident, Query, Select, SelectFlavor, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins,
    Values, WildcardAdditionalOptions,
};

/// `SELECT * FROM (query) AS __kilter_rows`
pub(super) fn all_of(query: Query) -> Select {
    let relation = derived(query, Ident::new("__kilter_rows"));
    all_from(TableWithJoins { relation, joins: Vec::new() })
}

/// `SELECT * FROM table`
pub(super) fn all_from(table: TableWithJoins) -> Select {
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
        exclude: None,
        into: None,
        from: vec![table],
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}

/// `(query) AS name`
pub(super) fn derived(query: Query, name: Ident) -> TableFactor {
    let alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
    TableFactor::Derived { lateral: false, subquery: Box::new(query), alias, sample: None }
}

/// A query of nothing but this `SELECT`.
pub(super) fn of_select(select: Select) -> Query {
    of_body(SetExpr::Select(Box::new(select)))
}

/// A query of nothing but this.
pub(super) fn of_body(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// What stands for a body while it is taken out.
pub(super) fn nothing() -> SetExpr {
    SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::{all_of, of_select};
    use sqlparser::ast::Statement;

    #[test]
    fn a_query_of_all_rows_is_what_it_says() {
        let Statement::Query(query) = parse("SELECT a FROM t ORDER BY a").expect("a query") else { unreachable!() };
        let around = of_select(all_of(*query)).to_string();
        assert_eq!(around, "SELECT * FROM (SELECT a FROM t ORDER BY a) AS __kilter_rows");
        assert_eq!(parse(&around).expect("a query").to_string(), around);
    }
}
