//! Tables that are not kept: the plan of the stage that would make one becomes a part of the plan of each stage that
//! uses it.

use super::{Input, Seed, StageError, StageSpec};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A plan for a table, of whatever engine the kinds use. Only [`crate::frame`] and the kinds look inside.
pub struct Plan(pub Box<dyn Any + Send + Sync>);

/// A stage whose table is not kept, with what it is made of.
pub struct View {
    stage: String,
    spec: Arc<dyn StageSpec>,
    inputs: BTreeMap<String, Input>,
    seed: Seed,
    made: OnceLock<Plan>,
}

impl View {
    /// Of the stage of this name, with its inputs by reference text and its seed, as it would see them if it ran.
    #[must_use]
    pub fn new(
        stage: impl Into<String>,
        spec: Arc<dyn StageSpec>,
        inputs: BTreeMap<String, Input>,
        seed: Seed,
    ) -> Self {
        Self { stage: stage.into(), spec, inputs, seed, made: OnceLock::new() }
    }

    /// The name of its stage.
    #[must_use]
    pub fn stage(&self) -> &str {
        &self.stage
    }

    /// Its plan in the form that `form` gives it; made once.
    ///
    /// # Errors
    /// When its inputs cannot be opened, or `form` fails.
    pub fn plan_once(&self, form: &dyn Fn(Plan) -> Result<Plan, StageError>) -> Result<&Plan, StageError> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let plan = self.spec.plan(&self.inputs, self.seed).and_then(form);
        let plan = plan.map_err(|error| StageError { at: None, ..error }.note(self.note()))?;
        Ok(self.made.get_or_init(|| plan))
    }

    /// Where a failure comes from that its plan caused.
    #[must_use]
    pub fn note(&self) -> String {
        format!("in `{}`, whose table is not kept and is computed here", self.stage)
    }

    /// What it is made of.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.inputs.values()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("stage", &self.stage).finish_non_exhaustive()
    }
}
