//! Computing in fewer bits: what can be is cast while the loss is computed (libtorch's autocast), and in f16, whose smallest
//! numbers are large, the loss is scaled up so that gradients do not vanish.

use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use crate::shim::{self, Bits, Optimizer};
use kilter::job::Precision;
use tch::{Device, Tensor};

/// Casts what can be cast.
#[derive(Clone, Copy)]
pub struct Casting {
    device: Device,
    bits: Bits,
}

impl Casting {
    /// For a precision on a device.
    pub fn new(precision: Precision, device: Device) -> Self {
        let bits = match precision {
            Precision::F32 | Precision::Tf32 => Bits::All,
            Precision::Bf16 => Bits::Bf16,
            Precision::F16 => Bits::F16,
        };
        Self { device, bits }
    }

    /// Computes something in these bits.
    ///
    /// # Errors
    /// Those of `compute`.
    pub fn within<T>(self, compute: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        if self.bits == Bits::All {
            return compute();
        }
        shim::autocast(self.device, self.bits)?;
        let _off = Off(self.device);
        compute()
    }
}

/// Ends the casting, also where libtorch throws.
struct Off(Device);

impl Drop for Off {
    fn drop(&mut self) {
        // It takes numbers alone; there is nothing that could fail.
        let _ = shim::autocast(self.0, Bits::All);
    }
}

/// How much the loss is scaled, as torch.amp.GradScaler: halved when gradients overflow, doubled after 2,000 steps without. It lies
/// on the device, so that no step waits to hear whether they did.
pub struct LossScale {
    scale: Tensor,
    /// Steps since it changed.
    steps: Tensor,
}

/// Steps without an overflow after which the scale is doubled.
const GROWTH: i64 = 2000;
/// A scale below it is none that gradients could do with.
const LEAST: f64 = 1e-4;
/// It is looked at after so many steps: rarely enough to cost nothing, and before steps that all overflow could have halved it to 0.
/// Divided by that, gradients of 0 would be no numbers, and nothing would hold back their step.
pub const LOOKED_AT: u64 = 100;

impl LossScale {
    /// The scale that is begun with; `None` for precisions that need none.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(precision: Precision, device: Device) -> Result<Option<Self>, Failure> {
        if precision != Precision::F16 {
            return Ok(None);
        }
        let (scale, steps) = (Tensor::from(65_536.0_f32), Tensor::from(0_i32));
        Ok(Some(Self { scale: scale.f_to_device(device)?, steps: steps.f_to_device(device)? }))
    }

    /// A loss, scaled.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn times(&self, loss: &Tensor) -> Result<Tensor, Failure> {
        Ok(loss.f_mul(&self.scale)?)
    }

    /// Takes itself out of the gradients of a scaled loss. Where they overflowed the optimizer's next step is not made, and the
    /// next loss is scaled less.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn unscale(&mut self, optimizer: &mut Optimizer) -> Result<(), Failure> {
        let overflow = optimizer.unscale(&self.scale)?;
        let _ = self.scale.f_internal_amp_update_scale_(&self.steps, &overflow, 2.0, 0.5, GROWTH)?;
        Ok(())
    }

    /// Looks whether there is a scale to go on with; waits for the device.
    ///
    /// # Errors
    /// When the gradients overflowed whatever it was.
    pub fn check(&self) -> Result<(), Failure> {
        if self.scale.f_double_value(&[])? >= LEAST {
            return Ok(());
        }
        Err(Failure::new("the gradients overflow in f16 however much the loss is scaled down")
            .hint("`precision = \"bf16\"` has the range of f32"))
    }
}

impl Stateful for LossScale {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        into.number("scale", self.scale.f_double_value(&[])?)?;
        into.value("steps", &self.steps.f_int64_value(&[])?)
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        let (scale, steps): (f64, i64) = (from.get_number("scale")?, from.get("steps")?);
        // In their own memory, which recorded steps read.
        let _ = self.scale.f_fill_(scale)?;
        let _ = self.steps.f_fill_(steps)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim;
    use crate::shim::Parameter;
    use serde_json::{Value, json};
    use tch::Kind;

    #[test]
    fn products_are_cast_and_sums_are_not_and_it_ends() {
        let _turn = crate::numerics::seeded(1);
        let matrix = Tensor::rand([8, 8], (Kind::Float, Device::Cpu));
        let (product, loss) = Casting::new(Precision::Bf16, Device::Cpu)
            .within(|| {
                let product = matrix.f_matmul(&matrix)?;
                let loss = product.f_cross_entropy_loss(
                    &Tensor::zeros([8], (Kind::Int64, Device::Cpu)),
                    None::<&Tensor>,
                    tch::Reduction::Mean,
                    -100,
                    0.0,
                )?;
                Ok((product.kind(), loss.kind()))
            })
            .expect("computed");
        assert_eq!((product, loss), (Kind::BFloat16, Kind::Float));
        assert_eq!(matrix.matmul(&matrix).kind(), Kind::Float);
    }

    fn scale() -> LossScale {
        LossScale::new(Precision::F16, Device::Cpu).expect("made").expect("one")
    }

    /// A weight and its optimizer.
    struct Trial {
        weight: Tensor,
        optimizer: Optimizer,
    }

    impl Trial {
        fn new(rule: &Value) -> Self {
            let weight = Tensor::from_slice2(&[[1.0_f32, -2.0], [0.5, 3.0]]).set_requires_grad(true);
            let spec = serde_json::from_value(rule.clone()).expect("a rule");
            Self { optimizer: optim::build(&spec, &[Parameter::plain(&weight)]).expect("built"), weight }
        }

        /// A step of a loss whose gradients are all this.
        fn step(&mut self, gradient: f64, scale: Option<&mut LossScale>) {
            let loss = (&self.weight * gradient).sum(Kind::Float);
            match scale {
                None => loss.backward(),
                Some(scale) => {
                    scale.times(&loss).expect("scaled").backward();
                    scale.unscale(&mut self.optimizer).expect("unscaled");
                }
            }
            self.optimizer.step(0.1, None).expect("stepped");
        }
    }

    #[test]
    fn the_scale_falls_at_once_and_rises_slowly() {
        let (mut scale, mut trial) = (scale(), Trial::new(&json!({ "sgd": { "lr": 0.1 } })));
        let value = |scale: &LossScale| scale.scale.double_value(&[]);
        trial.step(f64::INFINITY, Some(&mut scale));
        assert_eq!(value(&scale), 32_768.0);
        (1..GROWTH).for_each(|_| trial.step(1e-3, Some(&mut scale)));
        assert_eq!(value(&scale), 32_768.0);
        // A checkpoint holds how long it has been.
        let mut part = Part::default();
        scale.save(&mut part).expect("saved");
        scale = self::scale();
        scale.restore(&part).expect("restored");
        trial.step(1e-3, Some(&mut scale));
        assert_eq!(value(&scale), 65_536.0);
        scale.check().expect("goes on");
        (0..99).for_each(|_| trial.step(f64::NAN, Some(&mut scale)));
        let failure = scale.check().expect_err("gives up");
        assert!(failure.message.contains("overflow in f16"), "{failure}");
        assert!(LossScale::new(Precision::Bf16, Device::Cpu).expect("made").is_none());
    }

    #[test]
    fn a_scale_that_falls_with_every_step_is_looked_at_before_it_is_0() {
        let (scale, mut trial) = (scale(), Trial::new(&json!({ "sgd": { "lr": 0.1 } })));
        let mut least = LossScale { scale: Tensor::from(LEAST as f32), ..scale };
        (0..LOOKED_AT).for_each(|_| trial.step(f64::NAN, Some(&mut least)));
        assert!(least.scale.double_value(&[]) >= f64::from(f32::MIN_POSITIVE));
        // The gradient itself vanishes, and a step of nothing is made.
        let before = trial.weight.detach().copy();
        trial.step(1e-30, Some(&mut least));
        assert_eq!(trial.weight.detach(), before);
    }

    /// Before the first step and between others: as if the steps that overflow had never been asked for.
    #[test]
    fn steps_that_overflow_are_not_made_by_any_rule() {
        let rules = [
            json!({ "sgd": { "lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1 } }),
            json!({ "adam": { "lr": 0.1 } }),
            json!({ "adamw": { "lr": 0.1, "weight_decay": 0.1 } }),
            json!({ "rmsprop": { "lr": 0.1, "momentum": 0.5, "centered": true } }),
            json!({ "muon": { "lr": 0.1 } }),
        ];
        for rule in rules {
            let (mut plain, mut scaled, mut scale) = (Trial::new(&rule), Trial::new(&rule), scale());
            for gradient in [f64::INFINITY, 0.5, 0.25, f64::NAN, f64::INFINITY, 1.0, 2.0] {
                if gradient.is_finite() {
                    plain.step(gradient, None);
                }
                scaled.step(gradient, Some(&mut scale));
                assert_eq!(scaled.weight.detach(), plain.weight.detach(), "{rule}, {gradient}");
            }
            let (mut made, mut wanted) = (Part::default(), Part::default());
            scaled.optimizer.save(&mut made).expect("saved");
            plain.optimizer.save(&mut wanted).expect("saved");
            assert!(made.tensors.iter().eq(&wanted.tensors), "{rule}");
        }
    }
}
