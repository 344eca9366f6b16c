//! A dataset in batches. Rows in their own order are views, which cost next to nothing. Rows in another order are gathered in
//! the type they are stored in: on the CPU by a thread ahead of their use, on a GPU, where the data lies, for several batches at
//! once. The same thread makes sparse features dense, and sends to a GPU what does not lie there.

use super::loader::Loader;
use super::mixup::Mix;
use crate::failure::Failure;
use crate::tensors::{Dataset, moved};
use std::collections::BTreeMap;
use std::time::Duration;
use tch::{Device, Tensor};

/// How many bytes are gathered at once, at most, where a batch is not larger.
const CHUNK_BYTES: i64 = 4 << 20;

/// Some rows.
pub struct Batch {
    /// The features by name, as stored; sparse ones dense.
    pub features: BTreeMap<String, Tensor>,
    /// The target, where the dataset has one.
    pub target: Option<Tensor>,
    /// How many rows.
    pub rows: i64,
    /// What the rows were mixed with.
    pub mix: Option<Mix>,
}

impl Batch {
    /// Some of its rows.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn narrow(&self, start: i64, rows: i64) -> Result<Self, Failure> {
        let part = |tensor: &Tensor| tensor.f_narrow(0, start, rows);
        let features = self.features.iter().map(|(name, tensor)| Ok((name.clone(), part(tensor)?)));
        let features = features.collect::<Result<_, Failure>>()?;
        let mix = match &self.mix {
            Some(mix) => Some(Mix { share: mix.share, target: part(&mix.target)? }),
            None => None,
        };
        Ok(Self { features, target: self.target.as_ref().map(part).transpose()?, rows, mix })
    }

    /// The same in memory of its own.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn copied(&self) -> Result<Self, Failure> {
        let copy = |tensor: &Tensor| -> Result<Tensor, Failure> {
            let mut to = tensor.f_empty_like()?;
            to.f_copy_(tensor)?;
            Ok(to)
        };
        let features = self.features.iter().map(|(name, tensor)| Ok((name.clone(), copy(tensor)?)));
        let features = features.collect::<Result<_, Failure>>()?;
        let target = self.target.as_ref().map(copy).transpose()?;
        Ok(Self { features, target, rows: self.rows, mix: None })
    }

    /// The same on a device.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn on(self, device: Device) -> Result<Self, Failure> {
        let features = self.features.into_iter().map(|(name, tensor)| Ok((name, moved(tensor, device)?)));
        let features = features.collect::<Result<_, Failure>>()?;
        let target = self.target.map(|target| moved(target, device)).transpose()?;
        Ok(Self { features, target, ..self })
    }

    /// The target of a dataset that must have one.
    ///
    /// # Errors
    /// When it has none.
    pub fn target(&self) -> Result<&Tensor, Failure> {
        self.target.as_ref().ok_or_else(|| Failure::new("the dataset has no target"))
    }
}

/// The batches of one epoch.
pub struct Batches<'a> {
    data: &'a Dataset,
    /// The rows in the epoch's order; `None`: in theirs.
    order: Option<Order>,
    batch_size: i64,
    /// Rows of the epoch: fewer than there are where the last batch is dropped.
    rows: i64,
    at: i64,
    chunk: Option<Chunk>,
    /// What gathers ahead.
    loader: Option<Loader>,
}

/// An order of rows, where it is needed.
struct Order {
    rows: Vec<i64>,
    /// The same on the data's device.
    tensor: Tensor,
}

/// Gathered rows.
struct Chunk {
    features: BTreeMap<String, Tensor>,
    target: Option<Tensor>,
    start: i64,
    rows: i64,
}

/// All rows, in their order.
pub fn in_order(data: &Dataset, batch_size: usize) -> Batches<'_> {
    let batch_size = i64::try_from(batch_size.max(1)).unwrap_or(i64::MAX);
    Batches { data, order: None, batch_size, rows: data.rows, at: 0, chunk: None, loader: None }
}

/// The same, put together by a thread ahead of their use where they are no views.
///
/// # Errors
/// When no thread can be started.
pub fn ahead(data: &Dataset, batch_size: usize) -> Result<Batches<'_>, Failure> {
    let batches = in_order(data, batch_size);
    if !data.is_put_together() {
        return Ok(batches);
    }
    let rows = data.rows;
    Ok(batches.loaded(Loader::start(data, move || (0..rows).collect(), batch_size)?))
}

/// How many batches an epoch has.
pub fn count(rows: i64, batch_size: usize, drop_last: bool) -> u64 {
    let (rows, size) = (rows.unsigned_abs(), batch_size.max(1) as u64);
    if drop_last { rows / size } else { rows.div_ceil(size) }
}

impl<'a> Batches<'a> {
    /// Rows in an order of its own, on the data's device.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn ordered(mut self, order: &[i64]) -> Result<Self, Failure> {
        let tensor = Tensor::f_from_slice(order)?.f_to_device(self.device())?;
        self.order = Some(Order { rows: order.to_vec(), tensor });
        Ok(self)
    }

    /// Batches that are gathered ahead: those from where this is on.
    #[must_use]
    pub fn loaded(mut self, loader: Loader) -> Self {
        self.loader = Some(loader);
        self
    }

    /// Where the data lies.
    fn device(&self) -> Device {
        self.data.home()
    }

    /// How long batches that were not ready were waited for.
    pub fn waited(&self) -> Duration {
        self.loader.as_ref().map_or(Duration::ZERO, |loader| loader.waited)
    }

    /// Leaves out the rows that do not fill a batch.
    #[must_use]
    pub fn drop_last(mut self, drop: bool) -> Self {
        if drop {
            self.rows -= self.rows % self.batch_size;
        }
        self
    }

    /// Leaves out the first so many batches.
    #[expect(clippy::wrong_self_convention, reason = "read as `batches.from_batch(3)`")]
    #[must_use]
    pub fn from_batch(mut self, batch: u64) -> Self {
        self.at = batch.cast_signed().saturating_mul(self.batch_size).min(self.rows);
        self
    }

    /// The numbers of the rows of the next batch.
    pub fn next_rows(&self) -> Vec<i64> {
        let range = self.at..(self.at + self.batch_size).min(self.rows);
        match &self.order {
            Some(order) => range.filter_map(|at| order.rows.get(at as usize).copied()).collect(),
            None => range.collect(),
        }
    }

    /// The tensors that hold the rows from `self.at` on, and where in them those begin.
    fn chunk(&mut self) -> (&BTreeMap<String, Tensor>, Option<&Tensor>, i64) {
        let Some(order) = &self.order else { return (&self.data.features, self.data.target.as_ref(), self.at) };
        let stale = self.chunk.as_ref().is_none_or(|chunk| self.at >= chunk.start + chunk.rows);
        if stale {
            let batches = (CHUNK_BYTES / self.data.row_bytes().saturating_mul(self.batch_size).max(1)).max(1);
            // Always the same chunks, also where an epoch is entered in its middle: a batch has the same alignment then,
            // which kernels may treat differently.
            let start = self.at - self.at % (batches * self.batch_size);
            let rows = (batches * self.batch_size).min(self.rows - start);
            let wanted = order.tensor.narrow(0, start, rows);
            let gather = |tensor: &Tensor| tensor.index_select(0, &wanted);
            let features = self.data.features.iter().map(|(name, tensor)| (name.clone(), gather(tensor))).collect();
            self.chunk = Some(Chunk { features, target: self.data.target.as_ref().map(gather), start, rows });
        }
        match &self.chunk {
            Some(chunk) => (&chunk.features, chunk.target.as_ref(), self.at - chunk.start),
            None => (&self.data.features, self.data.target.as_ref(), self.at),
        }
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.batch_size.min(self.rows - self.at);
        (rows > 0).then(|| self.batch(rows))
    }
}

impl Batches<'_> {
    /// The next so many rows.
    fn batch(&mut self, rows: i64) -> Result<Batch, Failure> {
        if let Some(loader) = &mut self.loader {
            self.at += rows;
            return loader.next();
        }
        let at = self.at;
        let (features, target, start) = self.chunk();
        let view = |tensor: &Tensor| tensor.narrow(0, start, rows);
        let mut features: BTreeMap<String, Tensor> =
            features.iter().map(|(name, tensor)| (name.clone(), view(tensor))).collect();
        let target = target.map(view);
        for (name, sparse) in &self.data.sparse {
            let dense = match &self.order {
                Some(order) => sparse.dense(order.rows[at as usize..(at + rows) as usize].iter().copied())?,
                None => sparse.dense(at..at + rows)?,
            };
            features.insert(name.clone(), dense);
        }
        self.at += rows;
        Batch { features, target, rows, mix: None }.on(self.data.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn dataset(rows: i64, width: i64) -> Dataset {
        let numbers = Tensor::arange(rows * width, (Kind::Float, Device::Cpu)).reshape([rows, width]);
        let target = Tensor::arange(rows, (Kind::Int64, Device::Cpu));
        Dataset::of(BTreeMap::from([("x".to_owned(), numbers)]), Some(target)).expect("dataset")
    }

    #[test]
    fn every_row_comes_once_with_its_target() {
        // Wide rows, so that a chunk holds a few batches only.
        let data = dataset(100, 30_000);
        let order = super::super::order::shuffled(100, 3, 1);
        let mut seen = Vec::new();
        for batch in in_order(&data, 8).ordered(&order).expect("ordered") {
            let batch = batch.expect("a batch");
            let targets = Vec::<i64>::try_from(batch.target().expect("target")).expect("numbers");
            for (row, target) in targets.iter().enumerate() {
                assert_eq!(batch.features["x"].double_value(&[row as i64, 0]), *target as f64 * 30_000.0);
            }
            seen.extend(targets);
        }
        assert_eq!(seen, order);
        for entered in [0, 1, 5, 12, 13] {
            let rest = in_order(&data, 8).ordered(&order).expect("ordered").from_batch(entered);
            let rest: Vec<i64> = rest
                .flat_map(|batch| {
                    Vec::<i64>::try_from(batch.expect("a batch").target().expect("target")).expect("numbers")
                })
                .collect();
            assert_eq!(rest, order[(entered as usize * 8).min(100)..], "batch {entered}");
        }
    }

    #[test]
    fn sparse_rows_are_put_together_ahead_and_counted_as_they_are_then() {
        let numbers = |values: &[f32]| Tensor::from_slice(values);
        let tensors = BTreeMap::from([
            ("csr.indptr.words".to_owned(), Tensor::from_slice(&[0_i64, 1, 1, 3])),
            ("csr.indices.words".to_owned(), Tensor::from_slice(&[2_i32, 0, 4])),
            ("csr.values.words".to_owned(), numbers(&[1.0, 2.0, 3.0])),
            ("csr.columns.words".to_owned(), Tensor::from_slice(&[5_i64])),
        ]);
        let sparse = crate::tensors::Sparse::of(&tensors).expect("sparse");
        let features = BTreeMap::from([("x".to_owned(), numbers(&[7.0, 8.0, 9.0]).reshape([3, 1]))]);
        let data = Dataset::with_sparse(features, sparse, None, None).expect("dataset");
        assert!(data.is_put_together() && !dataset(3, 1).is_put_together());
        assert_eq!(data.row_bytes(), 4 + 5 * 4);
        let all: Vec<Batch> = ahead(&data, 2).expect("begun").map(|batch| batch.expect("a batch")).collect();
        assert_eq!(all.iter().map(|batch| batch.rows).collect::<Vec<_>>(), [2, 1]);
        let words = Tensor::cat(&[&all[0].features["words"], &all[1].features["words"]], 0);
        let wanted = [[0.0_f32, 0.0, 1.0, 0.0, 0.0], [0.0; 5], [2.0, 0.0, 0.0, 0.0, 3.0]];
        assert_eq!(words, Tensor::from_slice2(&wanted));
        assert_eq!(all[1].features["x"].double_value(&[0, 0]), 9.0);
    }

    #[test]
    fn a_batch_of_more_rows_than_there_can_be_is_all_rows() {
        let data = dataset(10, 3);
        let order = super::super::order::shuffled(10, 3, 1);
        let mut batches = in_order(&data, usize::MAX).ordered(&order).expect("ordered");
        assert_eq!(batches.next_rows(), order);
        assert_eq!(batches.next().expect("one").expect("a batch").rows, 10);
        assert!(batches.next().is_none());
    }

    #[test]
    fn the_last_rows_are_a_smaller_batch_or_left_out() {
        let data = dataset(10, 1);
        let sizes = |batches: Batches<'_>| batches.map(|batch| batch.expect("a batch").rows).collect::<Vec<_>>();
        assert_eq!(sizes(in_order(&data, 4)), [4, 4, 2]);
        assert_eq!(sizes(in_order(&data, 4).drop_last(true)), [4, 4]);
        assert_eq!((count(10, 4, false), count(10, 4, true)), (3, 2));
    }
}
