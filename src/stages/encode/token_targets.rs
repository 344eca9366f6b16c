//! Targets that are made of the tokens of a feature, before the data is seen: the next token, hidden tokens.

use super::{EncodeSpec, Feature, Target};
use crate::diag::{codes, list};
use crate::path;
use crate::stage::CheckCx;
use crate::types::{ArtifactType, TargetType, TokenizerType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The next token: what a causal language model predicts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NextTokenTarget {}

/// Hidden tokens: what a masked language model predicts. They are chosen anew in every epoch of a training; 80 % of them
/// are replaced by the mask token, 10 % by any that is not special, and 10 % are left as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MaskedTokenTarget {
    /// How probable it is that a token is one to guess; 0.15 by default. Special tokens never are.
    #[serde(default = "usual_probability")]
    pub probability: f64,
}

fn usual_probability() -> f64 {
    0.15
}

impl Default for MaskedTokenTarget {
    fn default() -> Self {
        Self { probability: usual_probability() }
    }
}

/// The target's type. Reports one that names no feature of tokens, and a tokenizer that cannot hide anything.
pub(super) fn target_type(name: &str, target: &Target, spec: &EncodeSpec, cx: &mut CheckCx<'_>) -> TargetType {
    let unknown = TargetType { name: name.to_owned(), task: target.task(TokenizerType::default()) };
    if let Target::MaskedToken(masked) = target
        && !(masked.probability > 0.0 && masked.probability < 1.0)
    {
        let message = format!("`probability` lies between 0 and 1, found {}", masked.probability);
        cx.error(path!["target", name, "masked_token", "probability"], codes::OUT_OF_RANGE, message);
    }
    let Some(Feature::Tokens(tokens)) = spec.features.get(name) else {
        let known = || spec.features.iter().filter(|(_, feature)| matches!(feature, Feature::Tokens(_)));
        let names = list(known().map(|(name, _)| name.as_str()), 6);
        let finding = cx.error(
            path!["target", name],
            codes::UNKNOWN_FEATURE,
            format!("`{name}` is no feature of tokens, so there are none to predict"),
        );
        finding.at_key().label("a target of tokens has the name of their feature");
        match known().next() {
            Some(_) => finding.hint(format!("the features of tokens are {names}")),
            None => finding
                .hint(format!("features.{name} = {{ tokens = \"COLUMN\", tokenizer = \"STAGE\", max_length = 128 }}")),
        };
        return unknown;
    };
    let ArtifactType::Tokenizer(ty) = cx.input(&tokens.tokenizer) else { return unknown };
    let hides = matches!(target, Target::MaskedToken(_));
    if hides && ty.vocabulary.is_some() && ty.special.mask.is_none() {
        let message = format!("`{}` has no token to hide others behind", tokens.tokenizer);
        cx.error(path!["target", name], codes::MISSING_FIELD, message)
            .label("needs a `mask`")
            .from_stage(&tokens.tokenizer, "the tokenizer")
            .hint("special.mask = \"<mask>\" in that stage adds one");
    }
    TargetType { name: name.to_owned(), task: target.task(*ty) }
}

/// Packed texts are no rows of the table: nothing else can stand beside them.
pub(super) fn check(spec: &EncodeSpec, cx: &mut CheckCx<'_>) {
    let packed = |feature: &Feature| matches!(feature, Feature::Tokens(tokens) if tokens.layout.pack);
    let Some((name, _)) = spec.features.iter().find(|(_, feature)| packed(feature)) else { return };
    let place = path!["features", name, "pack"];
    if let Some(other) = spec.features.keys().find(|other| *other != name) {
        let message = format!("packed texts are blocks and no rows, so feature `{other}` cannot stand beside `{name}`");
        cx.error(place, codes::CONFLICT, message)
            .label("a row would be a block of several texts")
            .related(path!["features", other], "has a row for each text")
            .hint("leave out `pack`, or encode the other features in a stage of their own");
    } else if let Some((target, _)) = spec.target.iter().find(|(_, target)| !target.is_tokens()) {
        let message = format!("packed texts are blocks and no rows, so they cannot have the target `{target}`");
        cx.error(place, codes::CONFLICT, message)
            .label("a row would be a block of several texts")
            .related(path!["target", target], "has a value for each text")
            .hint("leave out `pack` to classify texts");
    }
}
