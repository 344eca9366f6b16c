//! Calls of functions: what they are called, and of what they are.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName,
};
use std::borrow::Cow;

/// What a function is called, in small letters.
pub(super) fn name_of(call: &Function) -> Cow<'_, str> {
    match written_name(call) {
        Some(name) if !name.bytes().any(|letter| letter.is_ascii_uppercase()) => Cow::Borrowed(name),
        Some(name) => Cow::Owned(name.to_ascii_lowercase()),
        None => Cow::Owned(call.name.to_string().to_ascii_lowercase()),
    }
}

/// Whether it is one of these functions.
pub(super) fn is_one_of(call: &Function, names: &[&str]) -> bool {
    written_name(call).is_some_and(|name| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

fn written_name(call: &Function) -> Option<&str> {
    match call.name.0.as_slice() {
        [name] => name.as_ident().map(|name| name.value.as_str()),
        _ => None,
    }
}

/// The arguments of a call, where they are plain expressions.
pub(super) fn arguments(call: &Function) -> Option<Vec<&Expr>> {
    fn expression(argument: &FunctionArg) -> Option<&Expr> {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument),
            _ => None,
        }
    }
    match &call.args {
        FunctionArguments::List(list) => list.args.iter().map(expression).collect(),
        _ => None,
    }
}

/// Whether a call is of rows, as `count(*)` is.
pub(super) fn has_wildcard(call: &Function) -> bool {
    matches!(&call.args, FunctionArguments::List(list) if matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]))
}

/// Whether a call is of different values alone.
pub(super) fn is_distinct(call: &Function) -> bool {
    matches!(&call.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

/// The same call of different values alone.
pub(super) fn distinct(mut call: Function) -> Function {
    if let FunctionArguments::List(list) = &mut call.args {
        list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
    }
    call
}

/// The same call by another name and of other arguments, plain ones.
pub(super) fn of(call: &Function, name: &str, arguments: Vec<Expr>) -> Function {
    // The name keeps its place.
    let ident = match call.name.0.first().and_then(|part| part.as_ident()) {
        Some(old) => Ident { value: name.to_owned(), quote_style: None, span: old.span },
        None => Ident::new(name),
    };
    Function { name: ObjectName::from(ident), args: list(arguments), ..call.clone() }
}

/// A call of these arguments, of which nothing more is said.
pub(super) fn plain(name: &str, arguments: Vec<Expr>) -> Function {
    Function {
        name: ObjectName::from(Ident::new(name)),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: list(arguments),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}

fn list(arguments: Vec<Expr>) -> FunctionArguments {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() })
}
