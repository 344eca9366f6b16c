//! Where windows fit: the size rule that convolutions and pools share.

use crate::diag::codes;
use crate::nn::layer::ShapeError;
use crate::nn::values::{Padding, Size};
use crate::types::{Dim, Shape};

/// A sliding window over `N` spatial dimensions.
pub(super) struct Window<'a, const N: usize> {
    /// The layer's name, for messages.
    pub layer: &'a str,
    /// Its extent.
    pub kernel: Size<N>,
    /// The step between two places.
    pub stride: Size<N>,
    /// What is added at both sides.
    pub padding: Padding<N>,
    /// The distance between two of its elements.
    pub dilation: Size<N>,
    /// Whether what is left over at the end is a window too.
    pub ceil: bool,
}

/// `[channels, length]` or `[channels, height, width]`.
pub(super) fn dims_text<const N: usize>() -> &'static str {
    if N == 1 { "channels, length" } else { "channels, height, width" }
}

/// The channels and the spatial dimensions of an input.
pub(super) fn split<'a, const N: usize>(layer: &str, input: &'a Shape) -> Result<(&'a Dim, [&'a Dim; N]), ShapeError> {
    let error = || {
        let error = ShapeError::rank(layer, dims_text::<N>(), input);
        match (N, input.rank()) {
            (2, 2) => error.hint("`{ reshape = [1, height, width] }` adds a channel"),
            (1, 1) => error.hint("`{ reshape = [1, length] }` adds a channel"),
            (2, 1) => error.hint(
                "put it before `\"flatten\"`; `{ reshape = [channels, height, width] }` makes an image of a vector",
            ),
            _ => error,
        }
    };
    let (channels, spatial) = input.0.split_first().ok_or_else(error)?;
    let spatial: Vec<&Dim> = spatial.iter().collect();
    Ok((channels, spatial.try_into().map_err(|_| error())?))
}

impl<const N: usize> Window<'_, N> {
    /// What is left of the spatial dimensions: `floor((size + 2 padding − dilation (kernel − 1) − 1) / stride) + 1`,
    /// rounded up where what is left over counts, or the same size for `"same"`.
    pub fn infer(&self, spatial: [&Dim; N], input: &Shape) -> Result<Vec<Dim>, ShapeError> {
        self.check_numbers()?;
        let padding = match self.padding {
            Padding::Size(padding) => padding,
            Padding::Same if self.stride.is_all(1) => return Ok(spatial.into_iter().cloned().collect()),
            Padding::Same => return Err(self.same_with_stride()),
        };
        (0..N).map(|axis| self.along(axis, spatial[axis], padding.0[axis], input)).collect()
    }

    fn along(&self, axis: usize, dim: &Dim, padding: u64, input: &Shape) -> Result<Dim, ShapeError> {
        let Some(size) = dim.size() else { return Ok(Dim::Unknown) };
        let (kernel, stride, dilation) = (self.kernel.0[axis], self.stride.0[axis], self.dilation.0[axis]);
        let padded = size.saturating_add(padding.saturating_mul(2));
        let extent = dilation.saturating_mul(kernel - 1).saturating_add(1);
        let reached = padded.saturating_add(if self.ceil { stride - 1 } else { 0 });
        if reached < extent {
            return Err(self.too_large(axis, size, reached, extent, input));
        }
        let places = (reached - extent) / stride + 1;
        // As in PyTorch: a window that would begin behind the input, in the padding or beyond, is none.
        let begins_behind = (places - 1).saturating_mul(stride) >= size.saturating_add(padding);
        Ok(Dim::Fixed(if self.ceil && begins_behind { places - 1 } else { places }))
    }

    fn check_numbers(&self) -> Result<(), ShapeError> {
        let fields = [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)];
        match fields.iter().find(|(_, size)| size.0.contains(&0)) {
            Some((field, _)) => Err(ShapeError::zero(self.layer, field)),
            None => Ok(()),
        }
    }

    fn same_with_stride(&self) -> ShapeError {
        ShapeError::new(codes::CONFLICT, "padding \"same\" needs a stride of 1")
            .at("padding")
            .label(format!("the stride is {}", self.stride))
            .hint(format!(
                "`padding = {}` keeps the size with stride 1 and divides it with a larger one",
                self.kernel.0[0] / 2
            ))
    }

    /// `reached` is how far windows reach: over the padding, and over what is left over where that counts.
    fn too_large(&self, axis: usize, size: u64, reached: u64, extent: u64, input: &Shape) -> ShapeError {
        let what = match (N, axis) {
            (1, _) => "length",
            (_, 0) => "height",
            _ => "width",
        };
        let with_more = match (reached == size, self.ceil) {
            (true, _) => String::new(),
            (_, false) => format!(", {reached} with padding"),
            (_, true) => format!(", {reached} with padding and `ceil_mode`"),
        };
        let message =
            format!("{} has a window of {extent}, but the {what} it receives is {size}{with_more}", self.layer);
        ShapeError::new(codes::KERNEL, message)
            .at("kernel")
            .label(format!("receives {input}"))
            .hint(format!("use a kernel of at most {reached}, more padding, or fewer pools before it"))
    }
}
