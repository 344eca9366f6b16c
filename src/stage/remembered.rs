//! What was found out once of what a stage reads. A table that is not kept is asked again by every stage that stands on it, directly
//! or not, and an answer can need several plans.

use super::{InputTypes, Reads};
use crate::types::ArtifactType;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// So many answers are kept; stages that stand on one table mostly ask the same of it.
const MOST: usize = 16;

/// Answers by question, the newest last.
#[derive(Default)]
pub(super) struct Remembered(Mutex<VecDeque<Answer>>);

struct Answer {
    inputs: Vec<(String, ArtifactType)>,
    wanted: Option<Vec<String>>,
    reads: Reads,
}

impl Answer {
    fn is_of(&self, inputs: &InputTypes<'_>, wanted: Option<&[String]>) -> bool {
        let same =
            |((name, ty), (known, of)): ((&&str, &&ArtifactType), &(String, ArtifactType))| *name == known && *ty == of;
        self.wanted.as_deref() == wanted
            && self.inputs.len() == inputs.len()
            && inputs.iter().zip(&self.inputs).all(same)
    }
}

impl Remembered {
    /// What is read of these inputs where these columns are wanted, or all; `find` finds out.
    pub(super) fn reads(
        &self,
        inputs: &InputTypes<'_>,
        wanted: Option<&[String]>,
        find: impl FnOnce() -> Reads,
    ) -> Reads {
        let known = |answers: &VecDeque<Answer>| {
            answers.iter().rev().find(|answer| answer.is_of(inputs, wanted)).map(|answer| answer.reads.clone())
        };
        if let Some(reads) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return reads;
        }
        let reads = find();
        let inputs = inputs.iter().map(|(name, ty)| ((*name).to_owned(), (*ty).clone())).collect();
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() == MOST {
            answers.pop_front();
        }
        answers.push_back(Answer { inputs, wanted: wanted.map(<[String]>::to_vec), reads: reads.clone() });
        reads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Ref;
    use crate::types::{Column, DType, TableSchema};
    use std::cell::Cell;

    #[test]
    fn an_answer_is_found_once_for_each_question() {
        let table = |dtype| ArtifactType::Table(TableSchema::new(vec![Column::new("a", dtype)]));
        let (whole, text) = (table(DType::I64), table(DType::Str));
        let (remembered, asked) = (Remembered::default(), Cell::new(0));
        let ask = |ty: &ArtifactType, wanted: Option<&[String]>| {
            remembered.reads(&InputTypes::from([("t", ty)]), wanted, || {
                asked.set(asked.get() + 1);
                Reads::everything().only(&Ref("t".to_owned()), wanted.unwrap_or_default().to_vec())
            })
        };
        let a = ["a".to_owned()];
        for _ in 0..2 {
            assert_eq!(ask(&whole, Some(&a)).of("t").map(|columns| columns.names().len()), Some(1));
            assert_eq!(ask(&whole, None).of("t").map(|columns| columns.names().len()), Some(0));
            ask(&text, Some(&a));
        }
        assert_eq!(asked.get(), 3);
    }
}
