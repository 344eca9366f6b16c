//! Numbers that follow from places alone: made once, where they are needed.

use std::cell::RefCell;
use tch::{TchError, Tensor};

/// What makes a table for so many places, in `f64` on the CPU.
type Make = dyn Fn(i64) -> Result<Tensor, TchError> + Send;

/// A tensor over places that grows when more of them are asked for, and lies where its user's tensors do.
pub(super) struct Table {
    /// The dimension of the places.
    dim: i64,
    make: Box<Make>,
    made: RefCell<Option<Tensor>>,
}

impl Table {
    pub fn new(dim: i64, make: impl Fn(i64) -> Result<Tensor, TchError> + Send + 'static) -> Self {
        Self { dim, make: Box::new(make), made: RefCell::new(None) }
    }

    /// The first `places`, of the kind and on the device of `like`.
    pub fn rows(&self, places: i64, like: &Tensor) -> Result<Tensor, TchError> {
        let mut made = self.made.borrow_mut();
        let fits = |table: &Tensor| {
            table.device() == like.device() && table.kind() == like.kind() && table.size()[self.dim as usize] >= places
        };
        let table = match made.take().filter(fits) {
            Some(table) => table,
            None => (self.make)(places)?.f_to_kind(like.kind())?.f_to_device(like.device())?,
        };
        let rows = table.f_narrow(self.dim, 0, places);
        *made = Some(table);
        rows
    }
}
