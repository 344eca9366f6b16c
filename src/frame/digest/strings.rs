//! Strings and bytes as their digest takes them in: how long they are, and what they hold.

use polars::prelude::*;

/// So many bytes are taken in at once.
const FULL: usize = 1 << 18;

/// Strings of so many bytes lie in the column itself; how long they are and where longer ones begin lies there too.
const SHORT: usize = 12;

/// The lengths and the bytes of strings, each as a stream.
pub(super) struct Strings<'a> {
    lengths: &'a mut blake3::Hasher,
    bytes: &'a mut blake3::Hasher,
    /// Bytes that wait, and after them room for a short string.
    waiting: Vec<u8>,
    used: usize,
}

/// The strings of every chunk. Both sorts of columns have the same methods, and no name for them that is public.
macro_rules! push {
    ($strings:expr, $ca:expr) => {
        for chunk in $ca.downcast_iter() {
            let valid = $ca.has_nulls().then(|| chunk.iter().map(|value| value.is_some()).collect::<Vec<_>>());
            let there = |at: usize| valid.as_ref().is_none_or(|valid| valid[at]);
            let views = chunk.views().iter().enumerate();
            $strings.lengths(views.clone().map(|(at, view)| if there(at) { view.length } else { 0 }));
            for (at, view) in views.filter(|(at, _)| there(*at)) {
                match view.is_inline() {
                    true => $strings.short([view.prefix, view.buffer_idx, view.offset], view.length),
                    false => $strings.long(chunk.value(at).as_ref()),
                }
            }
        }
    };
}

impl<'a> Strings<'a> {
    pub(super) fn new(lengths: &'a mut blake3::Hasher, bytes: &'a mut blake3::Hasher) -> Self {
        Self { lengths, bytes, waiting: vec![0; FULL + SHORT], used: 0 }
    }

    /// The next values, of a column of strings or of bytes.
    pub(super) fn push(mut self, series: &Series) -> PolarsResult<()> {
        match series.dtype() {
            DataType::String => {
                let strings = series.str()?;
                push!(self, strings);
            }
            _ => {
                let bytes = series.binary()?;
                push!(self, bytes);
            }
        }
        self.empty();
        Ok(())
    }

    fn lengths(&mut self, lengths: impl Iterator<Item = u32>) {
        let lengths: Vec<u64> = lengths.map(|length| u64::from(length).to_le()).collect();
        self.lengths.update_rayon(bytemuck::cast_slice(&lengths));
    }

    /// A string that lies in the column, with what is behind it there. All of it is copied, which needs no loop.
    #[inline(always)]
    fn short(&mut self, parts: [u32; 3], length: u32) {
        if let Some(room) = self.waiting.get_mut(self.used..self.used + SHORT) {
            room.copy_from_slice(bytemuck::cast_slice(&parts));
            self.used += length as usize;
        }
        if self.used >= FULL {
            self.empty();
        }
    }

    fn long(&mut self, value: &[u8]) {
        if value.len() > FULL - self.used {
            self.empty();
        }
        match self.waiting.get_mut(self.used..self.used + value.len()) {
            Some(room) => {
                room.copy_from_slice(value);
                self.used += value.len();
            }
            None => {
                self.bytes.update_rayon(value);
            }
        }
        if self.used >= FULL {
            self.empty();
        }
    }

    fn empty(&mut self) {
        self.bytes.update_rayon(&self.waiting[..self.used]);
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the streams hold, written down value by value.
    fn agrees(values: &[Option<String>]) {
        let (mut lengths, mut bytes) = (Vec::new(), Vec::new());
        for value in values {
            let value = value.as_deref().unwrap_or_default();
            lengths.extend((value.len() as u64).to_le_bytes());
            bytes.extend(value.as_bytes());
        }
        let expected = [&lengths, &bytes].map(|bytes| blake3::hash(bytes));
        let text = Series::new("a".into(), values);
        let binary = text.cast(&DataType::Binary).expect("bytes");
        for series in [text, binary] {
            let (mut lengths, mut bytes) = (blake3::Hasher::new(), blake3::Hasher::new());
            for (from, rows) in [(0, 1), (1, usize::MAX)] {
                Strings::new(&mut lengths, &mut bytes).push(&series.slice(from, rows)).expect("taken in");
            }
            assert_eq!(expected, [lengths.finalize(), bytes.finalize()], "{}", series.dtype());
        }
    }

    #[test]
    fn short_and_long_ones_are_taken_in_as_they_are() {
        let of = |length: usize| Some("abcdefghijklmnopqrstuvwxyz".chars().cycle().take(length).collect());
        agrees(&[None, of(0), of(3), of(11), of(12), of(13), None, of(5), of(200)]);
        agrees(&(0..200_000).map(|row| of(row % 14)).collect::<Vec<_>>());
    }

    #[test]
    fn ones_that_fill_the_room_or_are_larger() {
        let of = |length: usize| Some("z".repeat(length));
        agrees(&[of(FULL - 1), of(1), of(FULL), of(FULL + 1), of(FULL - 5), of(12), of(6), of(FULL + SHORT), of(2)]);
    }
}
