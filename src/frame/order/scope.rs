//! What expressions are evaluated over.

use super::Scalar;
use super::scalars::with_scalars;
use polars::prelude::*;
use polars_plan::plans::{AExpr, IR};
use polars_plan::prelude::Arena;
use std::cell::{OnceCell, RefCell};

/// The plan that expressions are evaluated over; its schema is resolved only if an aggregate asks for it.
pub(super) struct Scope<'a> {
    input: RefCell<DslPlan>,
    schema: OnceCell<SchemaRef>,
    scalars: &'a [Scalar],
    resolved: &'a RefCell<Resolved>,
}

/// The plans whose schemas were resolved, so that the schema of a plan over one of them does not begin anew.
pub type Resolved = (Arena<IR>, Arena<AExpr>);

impl<'a> Scope<'a> {
    pub(super) fn new(input: DslPlan, scalars: &'a [Scalar], resolved: &'a RefCell<Resolved>) -> Self {
        Self { input: RefCell::new(input), schema: OnceCell::new(), scalars, resolved }
    }

    pub(super) fn schema(&self) -> PolarsResult<&SchemaRef> {
        if let Some(schema) = self.schema.get() {
            return Ok(schema);
        }
        let mut lf = LazyFrame::from(self.input.take());
        let (plans, exprs) = &mut *self.resolved.borrow_mut();
        let schema = lf.schema_with_arenas(plans, exprs);
        // It knows now where it stands among the plans that were resolved.
        self.input.replace(lf.logical_plan);
        let schema = with_scalars(schema?, self.scalars);
        Ok(self.schema.get_or_init(|| schema))
    }

    pub(super) fn into_input(self) -> DslPlan {
        self.input.into_inner()
    }
}
