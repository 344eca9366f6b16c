//! How weights start, where a layer says so: PyTorch's `torch.nn.init`, by its names.

use super::choice::{Entry, Problem, choice};
use super::layer::ShapeError;
use crate::diag::codes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

choice! {
    /// How weights start.
    "an initialisation" "initialisation" Init {
        KaimingUniform(KaimingUniform),
        KaimingNormal(KaimingNormal),
        XavierUniform(XavierUniform),
        XavierNormal(XavierNormal),
        Normal(Normal),
        TruncNormal(TruncNormal),
        Uniform(Uniform),
        Orthogonal(Orthogonal),
        Constant(Constant),
        Zeros(Zeros),
        Ones(Ones),
    }
}

/// Which end of a layer keeps its variance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Fan {
    /// The way forward: by the number of inputs.
    #[default]
    FanIn,
    /// The way back: by the number of outputs.
    FanOut,
}

/// What follows the layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Nonlinearity {
    /// Nothing, or a sigmoid: gain 1.
    Linear,
    /// `relu`: gain √2.
    Relu,
    /// `leaky_relu` of slope `a`: gain √(2 / (1 + a²)).
    #[default]
    LeakyRelu,
    /// `tanh`: gain 5/3.
    Tanh,
    /// `selu`: gain 3/4.
    Selu,
}

/// Uniform or normal, by the number of inputs or outputs and by what follows.
macro_rules! kaiming {
    ($Name:ident, $name:literal, $formula:literal) => {
        #[doc = concat!("`", $name, "`.")]
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct $Name {
            /// The slope below 0 of the `leaky_relu` that follows.
            pub a: f64,
            /// Which end keeps its variance.
            pub mode: Fan,
            /// What follows the layer.
            pub nonlinearity: Nonlinearity,
        }

        impl $Name {
            /// What the reference says.
            pub const ENTRY: Entry = Entry {
                name: $name,
                summary: "By the number of inputs, for layers that `relu` follows.",
                formula: $formula,
                source: concat!("as torch.nn.init.", $name, "_; He et al., Delving Deep into Rectifiers (2015)"),
                example: concat!("init = \"", $name, "\""),
                schema: |generator| generator.subschema_for::<$Name>(),
            };

            /// The gain for what follows.
            #[must_use]
            pub fn gain(&self) -> f64 {
                match self.nonlinearity {
                    Nonlinearity::Linear => 1.0,
                    Nonlinearity::Relu => 2_f64.sqrt(),
                    Nonlinearity::LeakyRelu => (2.0 / (1.0 + self.a * self.a)).sqrt(),
                    Nonlinearity::Tanh => 5.0 / 3.0,
                    Nonlinearity::Selu => 0.75,
                }
            }

            fn problems(&self) -> Vec<Problem> {
                Problem::unless(self.a.is_finite(), "a", || format!("a slope is a number, found {}", self.a))
                    .into_iter()
                    .collect()
            }
        }
    };
}

kaiming!(KaimingUniform, "kaiming_uniform", "uniform in +-gain sqrt(3 / fan)");
kaiming!(KaimingNormal, "kaiming_normal", "normal with standard deviation gain / sqrt(fan)");

/// Defines an initialisation of numbers: its fields with their defaults and checks.
macro_rules! numbers {
    ($Name:ident = $name:literal, $summary:literal, $formula:literal, $source:literal, $example:literal;
     $($(#[$meta:meta])* $field:ident = $default:expr;)*
     $(@ $at:ident: $holds:expr, $message:literal;)*) => {
        #[doc = concat!("`", $name, "`.")]
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct $Name {
            $($(#[$meta])* pub $field: f64,)*
        }

        impl Default for $Name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        impl $Name {
            /// What the reference says.
            pub const ENTRY: Entry = Entry {
                name: $name,
                summary: $summary,
                formula: $formula,
                source: $source,
                example: $example,
                schema: |generator| generator.subschema_for::<$Name>(),
            };

            fn problems(&self) -> Vec<Problem> {
                let problems = [None, $({
                    let holds: fn(&Self) -> bool = $holds;
                    Problem::unless(holds(self), stringify!($at), || $message.to_owned())
                }),*];
                problems.into_iter().flatten().collect()
            }
        }
    };
}

numbers! {
    XavierUniform = "xavier_uniform", "By the numbers of inputs and outputs, for layers that `tanh` or nothing follows.",
    "uniform in +-gain sqrt(6 / (fan_in + fan_out))",
    "as torch.nn.init.xavier_uniform_; Glorot and Bengio (2010)", "init = \"xavier_uniform\"";
    /// What the spread is multiplied by.
    gain = 1.0;
    @ gain: |init| init.gain > 0.0, "a gain is above 0";
}

numbers! {
    XavierNormal = "xavier_normal", "By the numbers of inputs and outputs, normal.",
    "normal with standard deviation gain sqrt(2 / (fan_in + fan_out))",
    "as torch.nn.init.xavier_normal_; Glorot and Bengio (2010)", "init = \"xavier_normal\"";
    /// What the spread is multiplied by.
    gain = 1.0;
    @ gain: |init| init.gain > 0.0, "a gain is above 0";
}

numbers! {
    Normal = "normal", "Normal numbers.", "normal(mean, std)", "as torch.nn.init.normal_", "init.normal = { std = 0.02 }";
    /// Their mean.
    mean = 0.0;
    /// Their standard deviation.
    std = 1.0;
    @ std: |init| init.std >= 0.0, "a standard deviation is not below 0";
}

numbers! {
    TruncNormal = "trunc_normal", "Normal numbers, drawn again where they lie outside of bounds.",
    "normal(mean, std) within [a, b]", "as torch.nn.init.trunc_normal_", "init.trunc_normal = { std = 0.02 }";
    /// Their mean.
    mean = 0.0;
    /// Their standard deviation before the bounds.
    std = 1.0;
    /// The lower bound.
    a = -2.0;
    /// The upper bound.
    b = 2.0;
    @ std: |init| init.std > 0.0, "a standard deviation is above 0";
    @ b: |init| init.b > init.a, "the upper bound `b` lies above the lower one, `a`";
}

numbers! {
    Uniform = "uniform", "Numbers between two bounds.", "uniform in [a, b)", "as torch.nn.init.uniform_",
    "init.uniform = { a = -0.1, b = 0.1 }";
    /// The lower bound.
    a = 0.0;
    /// The upper bound.
    b = 1.0;
    @ b: |init| init.b >= init.a, "the upper bound `b` does not lie below the lower one, `a`";
}

numbers! {
    Orthogonal = "orthogonal", "A matrix whose rows or columns are orthogonal.", "Q of a QR decomposition of normal numbers, times gain",
    "as torch.nn.init.orthogonal_; Saxe et al. (2013)", "init = \"orthogonal\"";
    /// What the matrix is multiplied by.
    gain = 1.0;
    @ gain: |init| init.gain.is_finite(), "a gain is a number";
}

numbers! {
    Constant = "constant", "One number everywhere.", "value", "as torch.nn.init.constant_", "init.constant = { value = 0.1 }";
    /// The number.
    value = 0.0;
    @ value: |init| init.value.is_finite(), "a value is a number";
}

numbers! {
    Zeros = "zeros", "Zeros: a last layer that begins by giving nothing.", "0", "as torch.nn.init.zeros_", "init = \"zeros\"";
}

numbers! {
    Ones = "ones", "Ones.", "1", "as torch.nn.init.ones_", "init = \"ones\"";
}

/// Values out of the range of their fields, as a layer's mistake.
pub(crate) fn check(layer: &str, init: Option<&Init>) -> Result<(), ShapeError> {
    let Some(init) = init else { return Ok(()) };
    let Some(problem) = init.problems().into_iter().next() else { return Ok(()) };
    let message = format!("the initialisation {} of {layer}: {}", init.name(), problem.message);
    let error = ShapeError::new(codes::OUT_OF_RANGE, message);
    let field = ["init", init.name(), problem.field].map(Into::into).to_vec();
    Err(ShapeError { field, ..error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::infer_error;
    use crate::path;

    #[test]
    fn every_example_decodes_to_what_it_stands_for() {
        for entry in Init::ENTRIES {
            let table: toml::Table = entry.example.parse().expect(entry.example);
            let init: Init = table["init"].clone().try_into().expect(entry.example);
            assert_eq!(init.name(), entry.name);
            assert!(init.problems().is_empty());
        }
    }

    #[test]
    fn gains_are_those_of_pytorch() {
        let gain = |nonlinearity, a| KaimingNormal { a, nonlinearity, ..KaimingNormal::default() }.gain();
        assert_eq!(gain(Nonlinearity::Relu, 0.0), 2_f64.sqrt());
        assert_eq!(gain(Nonlinearity::LeakyRelu, 1.0), 1.0);
        assert_eq!(gain(Nonlinearity::Tanh, 0.0), 5.0 / 3.0);
    }

    #[test]
    fn what_is_out_of_range_is_told_at_the_number() {
        let error = infer_error(r#"{"linear":{"out":3,"init":{"normal":{"std":-1.0}}}}"#, &[4]);
        assert_eq!(error.message, "the initialisation normal of linear: a standard deviation is not below 0");
        assert_eq!(error.field, path!["init", "normal", "std"]);
    }
}
