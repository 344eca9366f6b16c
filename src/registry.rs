//! Everything that a manifest can name. Nothing exists that is not listed here, and everything that users see of it
//! (schema, reference, completion, suggestions) is generated from here.

use crate::stage::{Erased, Stage};
use crate::stages::deliver::{Bundle, Export, Release};
use crate::stages::encode::Encode;
use crate::stages::judge::{Evaluate, Generate, Predict};
use crate::stages::model::Model;
use crate::stages::open::exec::Exec;
use crate::stages::source::database::Database;
use crate::stages::source::fetch::Fetch;
use crate::stages::source::pick::Pick;
use crate::stages::source::read::Read;
use crate::stages::table::expect::Expect;
use crate::stages::table::profile::Profile;
use crate::stages::table::redact::Redact;
use crate::stages::table::split::Split;
use crate::stages::table::sql::Sql;
use crate::stages::table::stepwise::Table;
use crate::stages::text::tokenizer::Tokenizer;
use crate::stages::train::Train;

/// Every stage kind, in the order of the reference.
pub const STAGES: &[&dyn Stage] = &[
    // source
    &Erased::<Fetch>::NEW,
    &Erased::<Read>::NEW,
    &Erased::<Database>::NEW,
    &Erased::<Pick>::NEW,
    // table
    &Erased::<Sql>::NEW,
    &Erased::<Table>::NEW,
    &Erased::<Split>::NEW,
    &Erased::<Expect>::NEW,
    &Erased::<Profile>::NEW,
    &Erased::<Redact>::NEW,
    // text
    &Erased::<Tokenizer>::NEW,
    // encode
    &Erased::<Encode>::NEW,
    // model
    &Erased::<Model>::NEW,
    // train
    &Erased::<Train>::NEW,
    // judge
    &Erased::<Evaluate>::NEW,
    &Erased::<Predict>::NEW,
    &Erased::<Generate>::NEW,
    // deliver
    &Erased::<Release>::NEW,
    &Erased::<Bundle>::NEW,
    &Erased::<Export>::NEW,
    // open
    &Erased::<Exec>::NEW,
];

pub use crate::metrics::METRICS;

/// The kind of this name.
#[must_use]
pub fn stage(name: &str) -> Option<&'static dyn Stage> {
    STAGES.iter().copied().find(|stage| stage.info().name == name)
}
