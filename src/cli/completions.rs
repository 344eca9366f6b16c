//! `kilter completions`

use super::{Exit, Outcome, Output, args};

pub(super) fn run(options: args::Completions, output: Output) -> Outcome {
    output.data(&args::completions(options.shell))?;
    Ok(Exit::Done)
}
