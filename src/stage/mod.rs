//! The contract between kinds and everything else.
//!
//! A [`Kind`] is one file: its spec (what the manifest may say), its `check` (what it will output, or what is wrong),
//! its `run`. It sees typed fields, its inputs and a [`RunCx`]; it knows nothing of manifests, plans, stores or
//! terminals, and cannot read what it did not declare.

mod by_port;
mod check_cx;
mod decode;
mod error;
pub mod files;
mod info;
mod input;
mod key_text;
mod kind;
mod limit;
mod marks;
mod outcome;
mod reads;
mod remembered;
mod run_cx;
mod seed;
mod series;
#[cfg(test)]
pub mod testing;
mod values;
mod view;

pub use by_port::ByPort;
pub use check_cx::{CheckCx, CheckInput, DiagBuilder, Finding, Path};
pub use error::{ErrorKind, StageError, io_words, tells_of_a_full_disk};
pub use info::{Family, Port, StageInfo};
pub use input::{ArtifactRecord, FileRecord, GateResult, Input, InputFile, StageResult};
pub use key_text::KeyText;
pub use kind::{DecodeError, Erased, Kind, Outputs, PortFiles, Stage, StageSpec};
pub use limit::Limit;
pub use marks::{FilePath, Ref};
pub use outcome::{Outcome, outcomes_digest};
pub use reads::{Columns, InputTypes, Reads};
pub use run_cx::{Ancestor, Produced, ProducedPort, Progress, RunCx, Services};
pub use seed::Seed;
pub use series::{Apart, Onward, Series};
pub use view::{Plan, View};
