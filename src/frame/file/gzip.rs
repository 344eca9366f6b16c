//! gzip: members one behind the other, and zeros behind them, with which tapes and disks are filled up.

use flate2::bufread::GzDecoder;
use std::io::{BufRead, Read, Result};

/// What all members of a file unpack to.
pub struct Gunzip<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Gunzip<R> {
    /// Of what is packed.
    #[must_use]
    pub fn new(packed: R) -> Self {
        Self(Some(GzDecoder::new(packed)))
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let Some(member) = &mut self.0 else { return Ok(0) };
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let more = skip_zeros(member.get_mut())?;
            self.0 = self.0.take().filter(|_| more).map(|member| GzDecoder::new(member.into_inner()));
        }
    }
}

/// Goes on to the first byte that is not zero; whether there is one.
fn skip_zeros(packed: &mut impl BufRead) -> Result<bool> {
    loop {
        let held = packed.fill_buf()?;
        let zeros = held.iter().take_while(|byte| **byte == 0).count();
        let (all, ended) = (zeros == held.len(), held.is_empty());
        packed.consume(zeros);
        if ended || !all {
            return Ok(!ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(text: &str) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(text.as_bytes()).expect("written");
        gz.finish().expect("finished")
    }

    fn unpacked(bytes: &[u8]) -> Result<String> {
        let mut text = String::new();
        // Of a few bytes at a time, so that zeros and headers break off in them.
        Gunzip::new(std::io::BufReader::with_capacity(7, bytes)).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn members_are_one_text_and_zeros_behind_them_are_none() {
        let (one, two) = (packed("a\n"), packed("b\n"));
        assert_eq!(unpacked(&[&one[..], &two].concat()).expect("unpacked"), "a\nb\n");
        assert_eq!(unpacked(&[&one[..], &[0; 512]].concat()).expect("unpacked"), "a\n");
        assert_eq!(unpacked(&[&one[..], &[0; 3], &two, &[0]].concat()).expect("unpacked"), "a\nb\n");
        assert_eq!(unpacked(&packed("")).expect("unpacked"), "");
    }

    #[test]
    fn what_is_no_member_is_an_error() {
        let one = packed("a\n");
        assert!(unpacked(&[&one[..], b"garbage"].concat()).is_err());
        assert!(unpacked(&[&one[..], &[0, 0], b"x"].concat()).is_err());
        assert!(unpacked(&one[..one.len() - 1]).is_err());
        assert!(unpacked(&[&one[..], &one[..5]].concat()).is_err());
    }
}
