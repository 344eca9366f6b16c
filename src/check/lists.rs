//! Lists that stand where a table of fields is wanted. serde takes the fields of a struct from a list too, one after the other; in a
//! manifest they have names.

use super::schema::FieldSchema;
use crate::diag::list;
use crate::digest::Segment;
use crate::manifest::{Data, Node};

/// The paths of lists that serde could have taken for tables, as the text has them. One that holds tables is a list of them.
pub(super) fn lists(node: &Node) -> Vec<Vec<Segment>> {
    let mut found = Vec::new();
    collect(node, &mut Vec::new(), &mut found);
    found
}

fn collect(node: &Node, path: &mut Vec<Segment>, found: &mut Vec<Vec<Segment>>) {
    let mut below = |segment: Segment, inner: &Node| {
        path.push(segment);
        collect(inner, path, found);
        path.pop();
    };
    match &node.data {
        Data::Table(entries) => entries.iter().for_each(|(key, inner)| below(Segment::from(key), inner)),
        Data::List(items) => {
            items.iter().enumerate().for_each(|(index, inner)| below(Segment::Index(index), inner));
            if !items.iter().any(|item| matches!(item.data, Data::Table(_))) {
                found.push(path.clone());
            }
        }
        _ => {}
    }
}

/// What serde would say of a list where the schema wants a table; `None` where a list may stand.
pub(super) fn refused(schema: &FieldSchema, path: &[Segment]) -> Option<String> {
    let wanted = schema.refuses_lists(path).then(|| schema.fields(path))?;
    let names = list(wanted.iter().map(|field| field.name.as_str()), 6);
    Some(format!("invalid type: sequence, expected a table with {names}"))
}
