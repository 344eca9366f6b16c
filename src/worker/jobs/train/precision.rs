//! Computing in fewer bits: what can be is cast while the loss is computed (libtorch's autocast), and in f16, whose smallest
//! numbers are large, the loss is scaled up so that gradients do not vanish.

use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use crate::shim::{self, Bits};
use kilter::job::Precision;
use tch::Device;

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

/// How much the loss is scaled, as torch.amp.GradScaler: halved when gradients overflow, doubled after 2,000 steps without.
pub struct LossScale {
    scale: f64,
    steps: u64,
}

/// Steps without an overflow after which the scale is doubled.
const GROWTH: u64 = 2000;

impl LossScale {
    /// The scale that is begun with; `None` for precisions that need none.
    pub fn new(precision: Precision) -> Option<Self> {
        (precision == Precision::F16).then_some(Self { scale: 65_536.0, steps: 0 })
    }

    /// What the loss is multiplied with.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Hears whether a step's gradients overflowed.
    ///
    /// # Errors
    /// When they do whatever the scale is.
    pub fn hear(&mut self, overflow: bool) -> Result<(), Failure> {
        if !overflow {
            self.steps += 1;
            if self.steps == GROWTH {
                (self.scale, self.steps) = (self.scale * 2.0, 0);
            }
            return Ok(());
        }
        (self.scale, self.steps) = (self.scale / 2.0, 0);
        if self.scale < 1e-4 {
            return Err(Failure::new("the gradients overflow in f16 however much the loss is scaled down")
                .hint("`precision = \"bf16\"` has the range of f32"));
        }
        Ok(())
    }
}

impl Stateful for LossScale {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        into.number("scale", self.scale)?;
        into.value("steps", &self.steps)
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        (self.scale, self.steps) = (from.get_number("scale")?, from.get("steps")?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Kind, Tensor};

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

    #[test]
    fn the_scale_falls_at_once_and_rises_slowly() {
        let mut scale = LossScale::new(Precision::F16).expect("one");
        scale.hear(true).expect("goes on");
        assert_eq!(scale.scale(), 32_768.0);
        (0..GROWTH).for_each(|_| scale.hear(false).expect("goes on"));
        assert_eq!(scale.scale(), 65_536.0);
        let failure = (0..99).find_map(|_| scale.hear(true).err()).expect("gives up");
        assert!(failure.message.contains("overflow in f16"), "{failure}");
        assert!(LossScale::new(Precision::Bf16).is_none());
    }
}
