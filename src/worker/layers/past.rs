//! What layers keep of tokens that they have seen, so that a sequence can go on without being computed anew.

use tch::{Device, Kind, TchError, Tensor};

/// What was seen of some sequences, and what is new of them. Layers find what they kept in the order in which they compute.
pub struct Past {
    /// How many tokens of each row were seen.
    seen: Vec<i64>,
    /// How many of each row are new; in a batch others fill shorter rows up behind them.
    new: Vec<i64>,
    /// What each layer keeps, the rows first.
    kept: Vec<Vec<Tensor>>,
    /// The layer that is next.
    at: usize,
}

impl Past {
    /// Of sequences of which nothing was seen.
    pub fn new(rows: usize) -> Self {
        Self { seen: vec![0; rows], new: vec![0; rows], kept: Vec::new(), at: 0 }
    }

    /// Says how many tokens of each row come.
    pub(super) fn begin(&mut self, new: &[i64]) {
        self.new = new.to_vec();
        self.at = 0;
    }

    /// Says that they were seen.
    pub(super) fn end(&mut self) {
        self.seen.iter_mut().zip(&self.new).for_each(|(seen, new)| *seen += new);
    }

    /// How many tokens of each row were seen.
    pub fn seen(&self) -> &[i64] {
        &self.seen
    }

    /// Forgets all rows but some.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn retain(&mut self, rows: &[usize]) -> Result<(), TchError> {
        let index: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
        self.seen = rows.iter().filter_map(|row| self.seen.get(*row).copied()).collect();
        for tensor in self.kept.iter_mut().flatten() {
            *tensor = tensor.f_index_select(0, &Tensor::f_from_slice(&index)?.f_to_device(tensor.device())?)?;
        }
        Ok(())
    }

    /// How many tokens of each row are new.
    pub(super) fn new_tokens(&self) -> &[i64] {
        &self.new
    }

    /// The place of every new token in its sequence: `[rows, tokens]`, the places of what fills rows up counted on.
    pub(super) fn places(&self, tokens: i64, device: Device) -> Result<Tensor, TchError> {
        let first = Tensor::f_from_slice(&self.seen)?.f_unsqueeze(1)?.f_to_device(device)?;
        first.f_add(&Tensor::f_arange(tokens, (Kind::Int64, device))?)
    }

    /// How many places there are in all, with so many new tokens.
    pub(super) fn width(&self, tokens: i64) -> i64 {
        self.seen.iter().max().copied().unwrap_or(0) + tokens
    }

    /// How many tokens were seen of every row, where that is one number.
    pub(super) fn same(&self) -> Option<i64> {
        let first = self.seen.first().copied()?;
        self.seen.iter().all(|seen| *seen == first).then_some(first)
    }

    /// What the layer that asks has kept, nothing at first, and where to put what it keeps now.
    pub(super) fn take(&mut self) -> (usize, Vec<Tensor>) {
        let slot = self.at;
        self.at += 1;
        if slot == self.kept.len() {
            self.kept.push(Vec::new());
        }
        (slot, std::mem::take(&mut self.kept[slot]))
    }

    /// Keeps something there.
    pub(super) fn put(&mut self, slot: usize, kept: Vec<Tensor>) {
        self.kept[slot] = kept;
    }
}
