//! Optimizers on tensors: the twins of `nn/optim`, as fused steps over all parameters.

use crate::failure::Failure;
use crate::shim::{self, Rates, Rule};
use kilter::nn::optim::Optimizer as Spec;
use tch::Tensor;

/// The optimizer of a spec over these parameters.
///
/// # Errors
/// What libtorch says.
pub fn build(spec: &Spec, params: &[Tensor]) -> Result<shim::Optimizer, Failure> {
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

    /// Three steps of `sum((w - 1)^2 / 2)`-like descent on two weights of different size; the weights after it.
    fn three_steps(json: serde_json::Value, clip: Option<Clip>) -> Vec<f64> {
        let spec: Spec = serde_json::from_value(json).expect("decodes");
        let weights = Tensor::from_slice(&[1.0_f32, -2.0]).set_requires_grad(true);
        let mut optimizer = build(&spec, &[weights.shallow_clone()]).expect("built");
        for _ in 0..3 {
            let loss = (&weights * &weights * Tensor::from_slice(&[0.5_f32, 2.0])).sum(tch::Kind::Float);
            loss.backward();
            optimizer.step(spec.lr(), clip).expect("stepped");
            assert!(!weights.grad().defined());
        }
        Vec::<f32>::try_from(weights.detach())
            .expect("floats")
            .iter()
            .map(|w| (f64::from(*w) * 1e5).round() / 1e5)
            .collect()
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
        let mut optimizer = build(&spec, &params.each_ref().map(Tensor::shallow_clone)).expect("built");
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
        let clipped = serde_json::json!({ "sgd": { "lr": 0.1, "momentum": 0.9 } });
        assert_eq!(three_steps(clipped, Some(Clip::Norm(1.0))), CLIPPED);
    }

    const SGD: [f64; 2] = [0.32186, 0.86701];
    const ADAM: [f64; 2] = [0.70159, -1.70062];
    const ADAMW: [f64; 2] = [0.6751, -1.64437];
    const CLIPPED: [f64; 2] = [0.92798, -1.44365];
}
