//! Optimizers on tensors: the twins of `nn/optim`, as fused steps over all parameters.

mod parameters;
mod state;

pub use parameters::{layers, parameters};

use crate::failure::Failure;
use crate::shim::{self, Parameter, Rates, Rule};
use kilter::nn::optim::Optimizer as Spec;

/// The optimizer of a spec over these parameters.
///
/// # Errors
/// What libtorch says.
pub fn build(spec: &Spec, params: &[Parameter]) -> Result<shim::Optimizer, Failure> {
    let (rule, rates) = match spec {
        Spec::Sgd(sgd) => (
            Rule::Sgd,
            Rates {
                momentum: sgd.momentum,
                dampening: sgd.dampening,
                weight_decay: sgd.weight_decay,
                nesterov: i32::from(sgd.nesterov),
                ..Rates::default()
            },
        ),
        Spec::Adam(adam) => (Rule::Adam, adam_rates(adam.betas, adam.eps, adam.weight_decay)),
        Spec::AdamW(adamw) => (Rule::AdamW, adam_rates(adamw.betas, adamw.eps, adamw.weight_decay)),
        Spec::RmsProp(rmsprop) => (
            Rule::RmsProp,
            Rates {
                momentum: rmsprop.momentum,
                beta2: rmsprop.alpha,
                eps: rmsprop.eps,
                weight_decay: rmsprop.weight_decay,
                centered: i32::from(rmsprop.centered),
                ..Rates::default()
            },
        ),
        Spec::Muon(muon) => (
            Rule::Muon,
            Rates {
                momentum: muon.momentum,
                nesterov: i32::from(muon.nesterov),
                ns_steps: i32::try_from(muon.ns_steps).unwrap_or(i32::MAX),
                ..adam_rates(muon.betas, muon.eps, muon.weight_decay)
            },
        ),
    };
    shim::Optimizer::new(rule, rates, params)
}

fn adam_rates(betas: [f64; 2], eps: f64, weight_decay: f64) -> Rates {
    Rates { beta1: betas[0], beta2: betas[1], eps, weight_decay, ..Rates::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kilter::job::Clip;
    use tch::Tensor;

    fn parameter(tensor: &Tensor, decays: bool) -> Parameter {
        Parameter { tensor: tensor.shallow_clone(), decays, is_matrix: tensor.dim() > 1 }
    }

    /// Three steps of `sum((w - 1)^2 / 2)`-like descent on two weights of different size; the weights after it.
    fn three_steps(json: serde_json::Value, clip: Option<Clip>) -> Vec<f64> {
        let spec: Spec = serde_json::from_value(json).expect("decodes");
        let weights = Tensor::from_slice(&[1.0_f32, -2.0]).set_requires_grad(true);
        let mut optimizer = build(&spec, &[parameter(&weights, true)]).expect("built");
        for _ in 0..3 {
            let loss = (&weights * &weights * Tensor::from_slice(&[0.5_f32, 2.0])).sum(tch::Kind::Float);
            loss.backward();
            optimizer.step(spec.lr(), clip).expect("stepped");
            assert!(!weights.grad().defined());
        }
        rounded(&weights)
    }

    fn rounded(weights: &Tensor) -> Vec<f64> {
        let values = Vec::<f32>::try_from(weights.detach()).expect("floats");
        values.iter().map(|w| (f64::from(*w) * 1e5).round() / 1e5).collect()
    }

    #[test]
    fn plain_descent_is_what_the_formula_says() {
        // w -= lr * (w, 4 w): factors 0.9 and 0.6, three times.
        assert_eq!(three_steps(serde_json::json!({ "sgd": { "lr": 0.1 } }), None), [0.729, -0.432]);
        assert_eq!(three_steps(serde_json::json!({ "sgd": { "lr": 0.1 } }), Some(Clip::Norm(1e9))), [0.729, -0.432]);
        assert_eq!(three_steps(serde_json::json!({ "sgd": { "lr": 0.1 } }), Some(Clip::Value(0.5))), [0.85, -1.85]);
    }

    #[test]
    fn the_norm_is_of_all_gradients_before_they_are_clipped() {
        let spec: Spec = serde_json::from_value(serde_json::json!({ "sgd": { "lr": 0.1 } })).expect("decodes");
        let params = [3.0_f32, 2.0].map(|value| Tensor::from_slice(&[value]).set_requires_grad(true));
        let mut optimizer = build(&spec, &params.each_ref().map(|param| parameter(param, true))).expect("built");
        // The gradients are 3 and 4.
        (&params[0] * &params[0] * 0.5 + &params[1] * &params[1]).sum(tch::Kind::Float).backward();
        assert_eq!(optimizer.gradient_norm().expect("a norm").double_value(&[]), 5.0);
        optimizer.step(0.1, Some(Clip::Norm(1.0))).expect("stepped");
        assert_eq!(optimizer.gradient_norm().expect("a norm").double_value(&[]), 0.0);
    }

    // The numbers are those of torch.optim in torch 2.11.0 for Python.
    #[test]
    fn optimizers_are_pytorchs() {
        let sgd = serde_json::json!({ "sgd": { "lr": 0.1, "momentum": 0.9, "nesterov": true, "weight_decay": 0.01 } });
        assert_eq!(three_steps(sgd, None), SGD);
        let adam = serde_json::json!({ "adam": { "lr": 0.1, "weight_decay": 0.1 } });
        assert_eq!(three_steps(adam, None), ADAM);
        let adamw = serde_json::json!({ "adamw": { "lr": 0.1, "weight_decay": 0.1 } });
        assert_eq!(three_steps(adamw, None), ADAMW);
        let rmsprop = |fields| three_steps(serde_json::json!({ "rmsprop": fields }), None);
        assert_eq!(rmsprop(serde_json::json!({ "lr": 0.1 })), RMSPROP);
        let momentum = serde_json::json!({ "lr": 0.1, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.1 });
        assert_eq!(rmsprop(momentum), RMSPROP_MOMENTUM);
        assert_eq!(rmsprop(serde_json::json!({ "lr": 0.1, "alpha": 0.9, "centered": true })), RMSPROP_CENTERED);
        let both = serde_json::json!({ "lr": 0.1, "centered": true, "momentum": 0.5 });
        assert_eq!(rmsprop(both), RMSPROP_CENTERED_MOMENTUM);
        let clipped = serde_json::json!({ "sgd": { "lr": 0.1, "momentum": 0.9 } });
        assert_eq!(three_steps(clipped, Some(Clip::Norm(1.0))), CLIPPED);
    }

    #[test]
    fn a_decay_that_is_to_leave_a_parameter_alone_does() {
        // As torch.optim.AdamW with two groups, of weight_decay 0.1 and 0.
        let spec: Spec = serde_json::from_value(serde_json::json!({ "adamw": { "lr": 0.1, "weight_decay": 0.1 } }))
            .expect("decodes");
        let params = [true, false].map(|decays| (Tensor::from_slice(&[1.0_f32, -2.0]).set_requires_grad(true), decays));
        let mut optimizer =
            build(&spec, &params.each_ref().map(|(param, decays)| parameter(param, *decays))).expect("built");
        for _ in 0..3 {
            let squares = params.iter().map(|(param, _)| param * param).reduce(|a, b| a + b).expect("two");
            (squares * Tensor::from_slice(&[0.5_f32, 2.0])).sum(tch::Kind::Float).backward();
            optimizer.step(0.1, None).expect("stepped");
        }
        assert_eq!(params.each_ref().map(|(param, _)| rounded(param)), [ADAMW.to_vec(), vec![0.70159, -1.70062]]);
    }

    #[test]
    fn muons_matrices_step_as_pytorchs_and_the_rest_as_adamw() {
        let run = |fields: serde_json::Value| {
            let spec: Spec = serde_json::from_value(serde_json::json!({ "muon": fields })).expect("decodes");
            let matrix = ((Tensor::arange(6, (tch::Kind::Float, tch::Device::Cpu)) / 3.0) - 0.8).view([2, 3]);
            let matrix = matrix.set_requires_grad(true);
            let vector = Tensor::from_slice(&[1.0_f32, -2.0]).set_requires_grad(true);
            let params = [parameter(&matrix, true), parameter(&vector, true)];
            let mut optimizer = build(&spec, &params).expect("built");
            let goal = Tensor::from_slice2(&[[1.0_f32, 0.0, 0.0], [0.0, 1.0, 0.5]]);
            for _ in 0..3 {
                let far = (&matrix - &goal).square().sum(tch::Kind::Float);
                let loss = (&vector * &vector * Tensor::from_slice(&[0.5_f32, 2.0])).sum(tch::Kind::Float) + far;
                loss.backward();
                optimizer.step(0.1, None).expect("stepped");
            }
            // bf16 leaves about three digits.
            let matrix = Vec::<f32>::try_from(matrix.detach().view(-1)).expect("floats");
            (matrix.iter().map(|w| (f64::from(*w) * 1e3).round() / 1e3).collect::<Vec<_>>(), rounded(&vector))
        };
        let (matrix, vector) = run(serde_json::json!({}));
        assert_eq!(matrix, [-0.702, -0.429, -0.127, 0.173, 0.607, 0.776]);
        assert_eq!(vector, ADAMW);
        let plain = serde_json::json!({ "nesterov": false, "momentum": 0.5, "weight_decay": 0.0 });
        assert_eq!(run(plain).0, [-0.726, -0.443, -0.131, 0.179, 0.622, 0.801]);
    }

    const RMSPROP: [f64; 2] = [0.0, -0.30969];
    const RMSPROP_MOMENTUM: [f64; 2] = [-0.26826, -0.60412];
    const RMSPROP_CENTERED: [f64; 2] = [0.32357, -1.24534];
    const RMSPROP_CENTERED_MOMENTUM: [f64; 2] = [-0.29819, 0.45448];
    const SGD: [f64; 2] = [0.32186, 0.86701];
    const ADAM: [f64; 2] = [0.70159, -1.70062];
    const ADAMW: [f64; 2] = [0.6751, -1.64437];
    const CLIPPED: [f64; 2] = [0.92798, -1.44365];
}
