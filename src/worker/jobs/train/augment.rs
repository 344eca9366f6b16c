//! Varies images: mirrored, moved, with a hole. Computed for a whole batch by one gather, on any device and for any
//! stored type; the choices come from the epoch's own generator, row by row.

use super::order::below;
use crate::failure::Failure;
use crate::tensors::moved;
use kilter::job::Augment;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// The choices for one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    flip: bool,
    /// How far the image moves down and right.
    down: i64,
    right: i64,
}

/// Changes every image feature (`[rows, channels, height, width]`) of a batch in place; others stay.
///
/// # Errors
/// What libtorch says.
pub fn apply(spec: Augment, rng: &mut ChaCha8Rng, features: &mut BTreeMap<String, Tensor>) -> Result<(), Failure> {
    for image in features.values_mut().filter(|tensor| tensor.dim() == 4) {
        let rows = image.size()[0];
        let choices: Vec<Choice> = (0..rows).map(|_| choose(spec, rng)).collect();
        if spec.flip || spec.shift > 0 {
            *image = shifted(image, &choices, spec.shift.cast_signed())?;
        }
        if spec.erase > 0 {
            *image = erased(image, spec.erase, rng)?;
        }
    }
    Ok(())
}

fn choose(spec: Augment, rng: &mut ChaCha8Rng) -> Choice {
    let mut offset = || below(rng, 2 * spec.shift + 1).cast_signed() - spec.shift.cast_signed();
    let (down, right) = if spec.shift > 0 { (offset(), offset()) } else { (0, 0) };
    Choice { flip: spec.flip && rng.next_u64() & 1 == 1, down, right }
}

/// Row `y`, column `x` of the result is row `y - down`, column `x - right` of the (mirrored) image, or 0 outside of it.
fn shifted(image: &Tensor, choices: &[Choice], shift: i64) -> Result<Tensor, Failure> {
    let size = image.size();
    let (rows, height, width) = (size[0], size[2], size[3]);
    let mut from_y = Vec::with_capacity((rows * height) as usize);
    let mut from_x = Vec::with_capacity((rows * width) as usize);
    for choice in choices {
        from_y.extend((0..height).map(|y| y - choice.down + shift));
        from_x.extend((0..width).map(|x| {
            let x = x - choice.right;
            (if choice.flip { width - 1 - x } else { x }) + shift
        }));
    }
    let device = image.device();
    let row = Tensor::f_arange(rows, (Kind::Int64, device))?.f_view([rows, 1, 1])?;
    let y = moved(Tensor::f_from_slice(&from_y)?.f_view([rows, height, 1])?, device)?;
    let x = moved(Tensor::f_from_slice(&from_x)?.f_view([rows, 1, width])?, device)?;
    let padded = if shift > 0 { image.f_constant_pad_nd([shift, shift, shift, shift])? } else { image.shallow_clone() };
    // Indexing with a gap puts the channels last: [rows, height, width, channels].
    let gathered = padded.f_index(&[Some(row), None, Some(y), Some(x)])?;
    Ok(gathered.f_permute([0, 3, 1, 2])?)
}

/// Sets a square at a random place of each image to 0; its edge is 1 to `most` pixels, and it may reach over the border.
fn erased(image: &Tensor, most: u64, rng: &mut ChaCha8Rng) -> Result<Tensor, Failure> {
    let size = image.size();
    let (rows, height, width) = (size[0], size[2], size[3]);
    let mut keep_y = Vec::with_capacity((rows * height) as usize);
    let mut keep_x = Vec::with_capacity((rows * width) as usize);
    for _ in 0..rows {
        let edge = below(rng, most).cast_signed() + 1;
        let (top, left) = (below(rng, height as u64).cast_signed(), below(rng, width as u64).cast_signed());
        keep_y.extend((0..height).map(|y| y < top || y >= top + edge));
        keep_x.extend((0..width).map(|x| x < left || x >= left + edge));
    }
    let device = image.device();
    let y = moved(Tensor::f_from_slice(&keep_y)?.f_view([rows, 1, height, 1])?, device)?;
    let x = moved(Tensor::f_from_slice(&keep_x)?.f_view([rows, 1, 1, width])?, device)?;
    Ok(image.f_mul(&y.f_logical_or(&x)?.f_to_kind(image.kind())?)?)
}

#[cfg(test)]
mod tests {
    use super::super::order::generator;
    use super::*;

    fn numbers(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor.to_kind(Kind::Int64).contiguous().view(-1)).expect("numbers")
    }

    #[test]
    fn an_image_moves_and_is_mirrored() {
        let image = Tensor::from_slice(&[1_u8, 2, 3, 4, 5, 6]).view([1, 1, 2, 3]);
        let choice = |flip, down, right| [Choice { flip, down, right }];
        assert_eq!(numbers(&shifted(&image, &choice(false, 0, 0), 0).expect("moved")), [1, 2, 3, 4, 5, 6]);
        assert_eq!(numbers(&shifted(&image, &choice(true, 0, 0), 0).expect("moved")), [3, 2, 1, 6, 5, 4]);
        assert_eq!(numbers(&shifted(&image, &choice(false, 1, -1), 1).expect("moved")), [0, 0, 0, 2, 3, 0]);
        assert_eq!(numbers(&shifted(&image, &choice(true, 0, 1), 1).expect("moved")), [0, 3, 2, 0, 6, 5]);
    }

    #[test]
    fn the_same_epoch_makes_the_same_choices_and_vectors_stay() {
        let batch = || {
            let image = Tensor::arange(2 * 3 * 8 * 8, (Kind::Float, tch::Device::Cpu)).view([2, 3, 8, 8]);
            BTreeMap::from([
                ("image".to_owned(), image),
                ("width".to_owned(), Tensor::ones([2, 4], (Kind::Float, tch::Device::Cpu))),
            ])
        };
        let vary = |epoch| {
            let mut features = batch();
            let spec = Augment { flip: true, shift: 2, erase: 3, mixup: 0.0 };
            apply(spec, &mut generator(7, epoch, "augment"), &mut features).expect("varied");
            assert_eq!(features["width"], batch()["width"]);
            assert_eq!(features["image"].size(), [2, 3, 8, 8]);
            numbers(&features["image"])
        };
        assert_eq!(vary(1), vary(1));
        assert_ne!(vary(1), vary(2));
    }

    #[test]
    fn a_hole_is_a_square_of_zeros() {
        let image = Tensor::ones([1, 2, 9, 9], (Kind::Float, tch::Device::Cpu));
        let holed = erased(&image, 4, &mut generator(7, 1, "augment")).expect("erased");
        let zeros = 2 * 81 - holed.sum(Kind::Int64).int64_value(&[]);
        assert!((2..=2 * 16).contains(&zeros) && zeros % 2 == 0, "{zeros}");
    }
}
