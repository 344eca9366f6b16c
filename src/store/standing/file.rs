//! A standing as a file: a sum, the head with its length before it, and the parts, each with its length before it, so that
//! every core reads a part of its own. One that is cut off or damaged is not there.

use super::{FORMAT, Head, Part, Standing, has_gpu, program};
use crate::digest::Digest;
use crate::store::{Store, write_atomically};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const SUM: usize = 32;
const LENGTH: usize = 4;

impl Store {
    /// What the last look at the pipeline of a manifest found, if everything that it depended on is as it was. With
    /// `in_place` the folders under `out/` are looked at too.
    #[must_use]
    pub fn standing(&self, manifest: &Path, set: &[String], in_place: bool) -> Option<Standing> {
        let bytes = std::fs::read(self.layout.standing(manifest)).ok()?;
        let (sum, body) = bytes.split_at_checked(SUM)?;
        if Digest::of(body).as_bytes() != sum {
            return None;
        }
        let (head, mut rest) = piece(body)?;
        let mut head: Head = rmp_serde::from_slice(head).ok()?;
        let fits = head.format == FORMAT
            && head.set == set
            && head.boot == self.boot
            && head.gpu == has_gpu()
            && head.root == self.layout.root()
            && head.store == self.layout.store()
            && Some(head.program) == program();
        if !fits || !self.same_texts(&head) {
            return None;
        }
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (part, more) = piece(rest)?;
            pieces.push(part);
            rest = more;
        }
        let (out, renewed) = (in_place.then(|| self.layout.out(&head.pipeline)), AtomicBool::new(false));
        let read = |piece: &&[u8]| {
            let mut part: Part = rmp_serde::from_slice(piece).ok()?;
            self.same_part(&mut part, out.as_deref(), &renewed).then_some(part)
        };
        let parts = pieces.par_iter().with_max_len(1).map(read).collect::<Option<Vec<_>>>()?;
        if let Some(last) = head.last {
            head.last = last.holds(&self.layout.last(&head.pipeline));
            renewed.fetch_or(head.last != Some(last), Ordering::Relaxed);
        }
        let standing = Standing { head, parts, interned: BTreeMap::new() };
        if renewed.into_inner() {
            self.keep_standing(manifest, &standing);
        }
        Some(standing)
    }

    /// Keeps what a look found for the next command. It only saves time, so what cannot be written is not.
    pub fn keep_standing(&self, manifest: &Path, standing: &Standing) {
        let mut bytes = vec![0; SUM];
        let written = push(&mut bytes, &standing.head)
            .and_then(|()| standing.parts.iter().try_for_each(|part| push(&mut bytes, part)));
        if written.is_none() {
            return;
        }
        let sum = Digest::of(&bytes[SUM..]);
        bytes[..SUM].copy_from_slice(sum.as_bytes());
        if self.layout.state().is_dir() {
            let _ = write_atomically(&self.layout.standing(manifest), &bytes, false);
        }
    }
}

/// The first piece, and what comes after it.
fn piece(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

fn push(bytes: &mut Vec<u8>, value: &impl Serialize) -> Option<()> {
    let at = bytes.len();
    bytes.extend([0; LENGTH]);
    rmp_serde::encode::write(bytes, value).ok()?;
    let length = u32::try_from(bytes.len() - at - LENGTH).ok()?;
    bytes[at..at + LENGTH].copy_from_slice(&length.to_le_bytes());
    Some(())
}
