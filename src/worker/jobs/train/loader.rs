//! Gathers the rows of the batches that come next on a thread of its own, while the training computes. It copies bytes, in the
//! order that it is given, so it changes no number; and it copies them by itself, without libtorch's threads.

use super::batches::Batch;
use crate::failure::Failure;
use crate::tensors::{Dataset, Sparse, gather};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tch::{Device, Tensor};

/// So many bytes of batches lie ready, at most, where a batch is not larger.
const AHEAD_BYTES: i64 = 4 << 20;
/// So many batches lie ready: at least, whatever their size, and at most.
const AHEAD: std::ops::RangeInclusive<i64> = 2..=64;

/// Batches that are gathered ahead of their use.
pub struct Loader {
    /// Ends when it is dropped.
    batches: Option<Receiver<Result<Batch, Failure>>>,
    thread: Option<JoinHandle<()>>,
    /// How long somebody waited for a batch.
    pub waited: Duration,
}

/// What the thread reads: handles of the dataset's tensors.
struct Source {
    features: BTreeMap<String, Tensor>,
    sparse: BTreeMap<String, Sparse>,
    target: Option<Tensor>,
    /// Where the batches are needed.
    device: Device,
}

impl Loader {
    /// Begins to gather these rows, which are worked out by the thread; they are batches of one size, the last one perhaps
    /// smaller. It must be dropped before the dataset is.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        data: &Dataset,
        rows: impl FnOnce() -> Vec<i64> + Send + 'static,
        batch_size: usize,
    ) -> Result<Self, Failure> {
        let bytes = data.row_bytes().saturating_mul(batch_size as i64).max(1);
        let ahead = (AHEAD_BYTES / bytes).clamp(*AHEAD.start(), *AHEAD.end());
        let (give, batches) = sync_channel(usize::try_from(ahead).unwrap_or(2));
        let source = Source::of(data);
        let gather = move || source.give(&rows(), batch_size, &give);
        let thread = std::thread::Builder::new().name("batches".into()).spawn(gather);
        let thread = thread.map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
        Ok(Self { batches: Some(batches), thread: Some(thread), waited: Duration::ZERO })
    }

    /// The next batch.
    ///
    /// # Errors
    /// When it cannot be gathered, or there is none.
    pub fn next(&mut self) -> Result<Batch, Failure> {
        let ended = || Failure::new("the thread that gathers batches has ended");
        let batches = self.batches.as_ref().ok_or_else(ended)?;
        match batches.try_recv() {
            Ok(batch) => batch,
            Err(TryRecvError::Disconnected) => Err(ended()),
            Err(TryRecvError::Empty) => {
                let began = Instant::now();
                let batch = batches.recv().map_err(|_| ended());
                self.waited += began.elapsed();
                batch?
            }
        }
    }
}

/// Waits for the thread, which reads memory that the dataset holds.
impl Drop for Loader {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by it.
            let _ = thread.join();
        }
    }
}

impl Source {
    fn of(data: &Dataset) -> Self {
        Self {
            features: data.features.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect(),
            sparse: data.sparse.iter().map(|(name, sparse)| (name.clone(), sparse.shared())).collect(),
            target: data.target.as_ref().map(Tensor::shallow_clone),
            device: data.device,
        }
    }

    fn give(&self, rows: &[i64], batch_size: usize, to: &SyncSender<Result<Batch, Failure>>) {
        for rows in rows.chunks(batch_size.max(1)) {
            // Nobody listens any more when training has ended early.
            if to.send(self.batch(rows)).is_err() {
                return;
            }
        }
    }

    fn batch(&self, rows: &[i64]) -> Result<Batch, Failure> {
        let dense = self.features.iter().map(|(name, tensor)| Ok((name.clone(), gather(tensor, rows)?)));
        let mut features = dense.collect::<Result<BTreeMap<String, Tensor>, Failure>>()?;
        for (name, sparse) in &self.sparse {
            features.insert(name.clone(), sparse.dense(rows.iter().copied())?);
        }
        let target = self.target.as_ref().map(|target| gather(target, rows)).transpose()?;
        Batch { features, target, rows: rows.len() as i64, mix: None }.on(self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    fn dataset(rows: i64) -> Dataset {
        let numbers = Tensor::arange(rows * 3, (Kind::Float, Device::Cpu)).reshape([rows, 3]);
        let target = Tensor::arange(rows, (Kind::Int64, Device::Cpu));
        Dataset::of(BTreeMap::from([("x".to_owned(), numbers)]), Some(target)).expect("dataset")
    }

    #[test]
    fn batches_come_in_the_order_of_the_rows_and_then_there_is_none() {
        let data = dataset(1000);
        let order: Vec<i64> = (0..1000).rev().collect();
        let mut loader = Loader::start(
            &data,
            {
                let order = order.clone();
                || order
            },
            7,
        )
        .expect("started");
        let mut seen = Vec::new();
        for _ in 0..1000_usize.div_ceil(7) {
            let batch = loader.next().expect("a batch");
            let targets = Vec::<i64>::try_from(batch.target().expect("target")).expect("numbers");
            assert_eq!(batch.features["x"].double_value(&[0, 1]), targets[0] as f64 * 3.0 + 1.0);
            seen.extend(targets);
        }
        assert_eq!(seen, order);
        assert!(loader.next().is_err());
    }

    #[test]
    fn one_that_nobody_listens_to_ends() {
        let data = dataset(10_000);
        let mut loader = Loader::start(&data, || (0..10_000).collect(), 1).expect("started");
        loader.next().expect("a batch");
        drop(loader);
    }

    #[test]
    fn a_row_that_does_not_exist_is_told() {
        let failure = Loader::start(&dataset(3), || vec![0, 3], 2).expect("started").next().err().expect("no such row");
        assert_eq!(failure.message, "the dataset has no row 3");
    }
}
