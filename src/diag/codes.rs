//! Every diagnostic code: `E01xx` language, `E02xx` names and columns, `E03xx` models and shapes, `E04xx` kinds' own
//! rules, `W05xx` warnings. The reference page of codes is generated from here, and a test wants a fixture for each.

use super::Severity;
use std::fmt;

/// A diagnostic's code. Codes are compared by their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// `E0213`
    pub id: &'static str,
    /// What it is about, as a noun phrase.
    pub title: &'static str,
    /// What it means and how to mend it, for the reference.
    pub explain: &'static str,
}

impl Code {
    /// Errors begin with `E`, warnings with `W`.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.id.starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

macro_rules! codes {
    ($($name:ident = $id:literal, $title:literal, $explain:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code { id: $id, title: $title, explain: $explain };)*
        /// Every code, in order.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    // The language.
    SYNTAX = "E0101", "not valid TOML", "The file cannot be parsed. The label says what was expected at that place.";
    NO_PIPELINE = "E0102", "no pipeline name", "A manifest begins with `[pipeline]` and a `name`, which names the folder of its results.";
    UNKNOWN_TABLE = "E0103", "unknown top-level table", "The top level holds `pipeline`, `params`, `stage`, and in modules `inputs` and `outputs`.";
    EDITION = "E0104", "unknown edition", "The manifest asks for a version of the language that this kilter does not know.";
    BAD_NAME = "E0105", "a name that cannot be used", "Names of pipelines, stages and params consist of letters, digits, `_` and `-`, and begin with a letter.";
    ENVELOPE = "E0106", "a wrong value outside the stages", "A field of `[pipeline]`, `[params]`, `[inputs]` or `[outputs]` has a value of the wrong type.";
    UNKNOWN_PARAM = "E0110", "unknown param", "`${name}` names no entry of `[params]`.";
    BAD_REFERENCE_SYNTAX = "E0111", "a `${` that is not a param", "A param is written `${name}`; a dollar sign that is only a dollar sign is written `$$`.";
    PARAM_VALUE = "E0112", "a param with a value it does not allow", "The value does not have the param's declared type, or is outside its `min` and `max`, or not among its `choices`.";
    UNKNOWN_SET = "E0113", "`--set` of an unknown param", "`--set name=value` names no entry of `[params]`.";
    BAD_SET = "E0114", "`--set` without a value", "It is written `--set name=value`, with the value as TOML or as a bare string.";
    NO_MODULE = "E0120", "module not found", "`use` names a module of the standard library (`std/…`) or a file (`./…`) that does not exist.";
    MODULE_INPUT_MISSING = "E0121", "a module's input is missing", "The module declares an input without which it cannot be used.";
    MODULE_UNKNOWN_KEY = "E0122", "a key that the module does not take", "The module declares no input and no param of this name.";
    MODULE_RECURSION = "E0123", "a module that uses itself", "Modules cannot contain themselves, directly or through others.";
    MODULE_OUTPUT = "E0124", "a module's output names nothing", "An entry of `[outputs]` must name an output of a stage in the same module.";
    NO_KIND = "E0130", "a stage without a kind", "A stage needs `kind` (or `use`, for a module).";
    UNKNOWN_KIND = "E0131", "unknown kind", "No such stage kind. The reference lists them.";
    UNKNOWN_FIELD = "E0132", "unknown field", "The kind has no field of this name.";
    FIELD_TYPE = "E0133", "a field with a wrong value", "The field's value has the wrong type or form.";
    MISSING_FIELD = "E0134", "a missing field", "The kind cannot do without this field.";
    CONFLICT = "E0135", "fields that exclude each other", "Exactly one of these fields must be given.";
    OUT_OF_RANGE = "E0136", "a value out of range", "The number or text is outside of what the field allows.";
    AXIS = "E0137", "axes that do not fit", "`matrix` is a table of lists of values; a reference to a stage with axes leads to one stage on each axis, the user's own or one that it says: `stage[axis=value].port`.";
    // Names, files, columns.
    UNKNOWN_STAGE = "E0201", "unknown stage", "A reference names no stage of the manifest.";
    UNKNOWN_PORT = "E0202", "unknown output", "The stage exists, but has no output of this name.";
    AMBIGUOUS_PORT = "E0203", "which output is not said", "The stage has several outputs, so a reference must be `stage.output`.";
    CYCLE = "E0204", "a cycle", "Stages use each other's results in a circle; the path is shown.";
    WRONG_ARTIFACT = "E0205", "an input of the wrong type", "The field takes another type of artefact than the one the reference gives.";
    NO_FILE = "E0206", "a file that does not exist", "The stage names a workspace file that is not there.";
    OUTSIDE_WORKSPACE = "E0207", "a path out of the workspace", "Paths are relative to the manifest's folder and stay inside the workspace.";
    EMPTY_GLOB = "E0208", "a pattern that matches no file", "The stage names files by a pattern, and there is none.";
    UNKNOWN_COLUMN = "E0213", "unknown column", "The table has no column of this name.";
    COLUMN_TYPE = "E0214", "a column of the wrong type", "The column exists, but its type does not fit what is done with it.";
    DUPLICATE_COLUMN = "E0215", "two columns of one name", "The result would have two columns of the same name.";
    SQL_SYNTAX = "E0216", "an expression or query that cannot be read", "The SQL cannot be parsed or resolved; the label says where it stops making sense.";
    SQL_TABLE = "E0217", "unknown table in a query", "The query names a table that is not among the stage's `inputs`.";
    UNKNOWN_DTYPE = "E0218", "unknown column type", "No such column type.";
    EMPTY_SELECTION = "E0219", "a pattern that matches no column", "No column of the table has a name like that.";
    TARGET_AS_FEATURE = "E0220", "the target is also a feature", "A model that is shown its target learns to copy it.";
    FRACTIONS = "E0221", "parts that do not add up", "The parts of a split are fractions that sum to 1.";
    SHA256 = "E0222", "no usable sha256", "Anything remote is pinned by the 64 hexadecimal digits of its sha256.";
    PACKAGE = "E0223", "a package that cannot be read", "A package is written `pypi:name==version`, `npm:name@version` or `deb:name=version`.";
    BAD_DATA = "E0224", "data that cannot be read as declared", "The file is there, but its content does not fit the stage's description of it.";
    BAD_URL = "E0225", "a URL that cannot be fetched", "A URL begins with `https://` or `http://`. A file of the workspace is given by `path`.";
    BAD_MEMBER = "E0226", "a path inside an archive that cannot be", "Paths inside an archive are relative, written with `/`, and do not climb with `..`.";
    UNKNOWN_VALUE = "E0227", "a value that a file does not have", "The stage picks a value of a YAML or JSON file, and there is none at this path, or the file cannot be read.";
    // Models and shapes.
    LINEAR_IN = "E0341", "a layer that expects another width", "The declared number of inputs differs from what the layer before gives.";
    KERNEL = "E0342", "a kernel larger than its input", "The convolution or pooling window does not fit into what it receives.";
    RANK = "E0343", "a layer that cannot take this shape", "The layer needs another number of dimensions.";
    CLASS_COUNT = "E0344", "a class count that differs from the data's", "The model gives another number of outputs than the target has classes.";
    UNKNOWN_LAYER = "E0345", "unknown layer", "No such layer. The reference lists them.";
    LOSS_TASK = "E0346", "a loss that does not fit the target", "The loss is for another kind of target.";
    INDIVISIBLE = "E0347", "sizes that do not divide", "The sizes do not divide or multiply as the layer needs.";
    RESIDUAL = "E0348", "shapes that do not go together", "What is added has one shape: a residual block's input and its result (`shortcut` can adapt the input), what `add` adds, what towers give that are summed. What `concat` puts side by side differs in one dimension alone.";
    NO_TARGET = "E0350", "data without a target", "Training and judging need a dataset that has a target.";
    UNKNOWN_FEATURE = "E0351", "unknown feature", "The dataset has no feature of this name.";
    NEEDS_INDICES = "E0352", "category indices in the wrong place", "An embedding takes category indices and no numbers; every other layer takes numbers.";
    FEATURES_DO_NOT_JOIN = "E0353", "features that do not join", "Without towers, all features are joined into one vector, so each must be a vector of numbers.";
    DATASETS_DIFFER = "E0354", "data that the model was not made for", "The dataset's features or target differ from those that the model expects.";
    EMPTY_MODEL = "E0355", "a model without layers", "A model has at least one layer.";
    NOT_SAVED = "E0356", "nothing saved under a name", "`add`, `concat` and the `memory` of attention take what `{ save = … }` kept before them.";
    // The kinds' own rules.
    METRIC_TASK = "E0402", "a metric that does not fit the target", "The metric is for another kind of target.";
    GATE_METRIC = "E0403", "a gate on a metric that is not computed", "`require` names metrics from the stage's `metrics`.";
    LICENSE = "E0404", "unknown licence", "A release is under a licence that kilter has the text of, or brings its own `license_file`.";
    UNTRAINED = "E0405", "a model without weights", "The model has to be trained first.";
    COLUMN_COUNT = "E0406", "columns that do not fill the shape", "An image or a shape holds a fixed number of values, one per column, and the feature selects another number of columns.";
    UNKNOWN_METRIC = "E0407", "unknown metric", "No such metric. The reference lists them, and which targets they are for.";
    EARLY_STOP = "E0410", "a watched metric that is not computed", "What `early_stop` and the schedule `plateau` watch is a column of the history: `loss`, or with `validate` `val_loss` and the metrics of the target.";
    AUGMENT = "E0411", "features that cannot be varied", "`augment` changes features of the shape [channels, height, width]; `mixup` mixes any numbers, and no category indices.";
    MODEL_TASK = "E0415", "a model for something else", "The stage needs a model that predicts another sort of target.";
    EXEC_PLACEHOLDER = "E0420", "a placeholder that names nothing", "A command may hold `{inputs.NAME}`, `{outputs.NAME}` and `{threads}`; `{{word}}` stands for the text `{word}`.";
    EXEC_OUTPUT = "E0421", "an output path that cannot be", "An output is a path below the folder that the program runs in, not a place of an input, a file or another output.";
    EXEC_COMMAND = "E0422", "no command", "`command` is a list that begins with a program; there is no shell.";
    EXEC_INPUT = "E0423", "an input's place that cannot be", "An input lies at a path below the folder that the program runs in, where no file and no other input lies. So does a file, where no other lies.";
    // Warnings.
    UNUSED_PARAM = "W0501", "a param that nothing uses", "No stage mentions it.";
    VALIDATE_ON_TRAIN = "W0502", "validation on the training data", "What is measured on the data that a model learns from says little about other data.";
    NOT_LOOKED_INTO = "W0503", "columns that are not looked into", "`redact` looks into texts, and into lists and structs with texts in them. What is inside of binary columns stays as it is.";
    WARM_UP = "W0504", "a warm-up that does not end", "The learning rate rises for longer than the training lasts, or than the `horizon` of its schedule.";
    PROBABILITIES_TWICE = "W0505", "probabilities made twice", "`cross_entropy`, `binary_cross_entropy` and `focal` take a model's numbers and apply softmax or sigmoid themselves. A model that ends with one of them learns little.";
    TOKENS_AS_CHANNELS = "W0506", "tokens taken for channels", "Convolutions and pools over one dimension, `global_avg_pool` and `batch_norm` take `[channels, length]`. Tokens are `[seq, features]`, which `transpose` turns around.";
    UNDECLARED_FILE = "W0507", "a file that the program will not see", "A command names a file of the workspace, and a program finds only what stands in `files`, `inputs` and `outputs`.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_sorted() {
        assert!(CODES.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
