//! Texts to rows of token ids.
//!
//! A text is `bos`, its tokens, `eos`, as far as the tokenizer has them (where both are one token, it stands at the end alone). A row
//! of a classifier is a text cut to `max_length`, its `eos` kept. For a model that predicts the next token a text is cut to one
//! token more: the model sees all but the last and predicts all but the first. Packed texts are one stream, cut so that the last token to
//! be predicted of a block is the first that is seen of the next: every token but the very first is predicted once.
//!
//! Beside the targets of a row stands how many characters of text they stand for, and how many of those the tokenizer did not know, so
//! that models with different tokenizers can be compared by bits per character.

use super::{End, FittedTokens};
use crate::stage::StageError;
use crate::stages::encode::features::text::texts;
use crate::stages::text::TextTokenizer;
use polars::prelude::DataFrame;
use rayon::prelude::*;

/// Marks a place without a target, as PyTorch's `ignore_index`.
pub const NO_TARGET: i32 = -100;

/// Rows of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRows {
    /// How many there are.
    pub rows: usize,
    /// What the model sees: `[rows, max_length]`.
    pub tokens: Vec<i32>,
    /// What it is to predict at each place, where that is the next token: `[rows, max_length]`.
    pub targets: Vec<i32>,
    /// Of each row the characters that its targets stand for, and those of them that are unknown: `[rows, 2]`.
    pub characters: Vec<i64>,
}

/// A token and what it stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Piece {
    id: i32,
    characters: u32,
    unknown: u32,
}

/// Texts that are worked on together.
const CHUNK: usize = 256;

pub(super) fn encode(fitted: &FittedTokens, frame: &DataFrame) -> Result<TokenRows, StageError> {
    let tokenizer = fitted.tokenizer()?;
    let pad = fitted.ty.special.pad.ok_or_else(|| StageError::bug("tokens without padding"))? as i32;
    let texts = texts(&fitted.columns, frame)?;
    let writer = Writer { fitted, pad, length: fitted.layout.max_length as usize };
    let parts: Vec<Result<TokenRows, StageError>> = texts
        .par_chunks(CHUNK)
        .enumerate()
        .map(|(chunk, rows)| {
            let mut out = TokenRows::default();
            let mut stream = Vec::new();
            for (index, row) in rows.iter().enumerate() {
                let pieces = pieces(fitted, &tokenizer, row)?;
                if fitted.layout.pack {
                    stream.extend(pieces);
                } else {
                    writer.row(&pieces, chunk * CHUNK + index, &mut out)?;
                }
            }
            // Of packed texts the stream is handed on as it is; it is cut when all of it is there.
            out.tokens.extend(stream.iter().map(|piece: &Piece| piece.id));
            out.characters
                .extend(stream.iter().flat_map(|piece| [i64::from(piece.characters), i64::from(piece.unknown)]));
            Ok(out)
        })
        .collect();
    let mut all = TokenRows::default();
    for part in parts {
        all.append(part?);
    }
    if fitted.layout.pack { Ok(writer.blocks(&all)) } else { Ok(all) }
}

impl TokenRows {
    fn append(&mut self, other: Self) {
        self.rows += other.rows;
        self.tokens.extend(other.tokens);
        self.targets.extend(other.targets);
        self.characters.extend(other.characters);
    }
}

/// The tokens of a row's texts with what stands around them.
fn pieces(fitted: &FittedTokens, tokenizer: &TextTokenizer, texts: &[&str]) -> Result<Vec<Piece>, StageError> {
    let special = fitted.ty.special;
    let around = |id: Option<u64>| id.filter(|_| fitted.layout.special_tokens).map(|id| id as i32);
    let (bos, eos) = (around(special.bos), around(special.eos));
    let mut pieces = Vec::new();
    pieces.extend(bos.filter(|_| bos != eos).map(|id| Piece { id, ..Piece::default() }));
    for text in texts {
        let mut told = 0;
        let characters = |from: usize, to: usize| text.get(from..to).map_or(0, |part| part.chars().count()) as u32;
        // What stands between tokens and is no space, the tokenizer left out because it did not know it.
        let unknown = |from: usize, to: usize| {
            text.get(from..to).map_or(0, |part| part.chars().filter(|c| !c.is_whitespace()).count()) as u32
        };
        for token in tokenizer.encode(text)? {
            // What lies between tokens, such as spaces, counts with the token after it; a character in several tokens with the last.
            let end = token.end.max(told);
            let start = token.start.clamp(told, end);
            let own = if Some(u64::from(token.id)) == special.unk { characters(start, end) } else { 0 };
            let (characters, unknown) = (characters(told, end), unknown(told, start) + own);
            if text.is_char_boundary(end) {
                told = end;
            }
            pieces.push(Piece { id: token.id as i32, characters, unknown });
        }
        let (characters, unknown) = (characters(told, text.len()), unknown(told, text.len()));
        pieces.extend(eos.map(|id| Piece { id, characters, unknown }));
    }
    Ok(pieces)
}

struct Writer<'a> {
    fitted: &'a FittedTokens,
    pad: i32,
    length: usize,
}

impl Writer<'_> {
    /// A row of one text.
    fn row(&self, pieces: &[Piece], row: usize, out: &mut TokenRows) -> Result<(), StageError> {
        let shift = self.fitted.shift;
        if pieces.len() < 1 + usize::from(shift) {
            return Err(self.empty(row));
        }
        let kept = if shift { self.cut(pieces, self.length + 1) } else { self.cut_inside(pieces) };
        let seen = if shift { &kept[..kept.len() - 1] } else { &kept[..] };
        self.fill(seen.iter().map(|piece| piece.id), self.pad, &mut out.tokens);
        if shift {
            self.targets(&kept[1..], out);
        }
        out.rows += 1;
        Ok(())
    }

    fn targets(&self, pieces: &[Piece], out: &mut TokenRows) {
        self.fill(pieces.iter().map(|piece| piece.id), NO_TARGET, &mut out.targets);
        let sum = |of: fn(&Piece) -> u32| pieces.iter().map(|piece| i64::from(of(piece))).sum::<i64>();
        out.characters.extend([sum(|piece| piece.characters), sum(|piece| piece.unknown)]);
    }

    /// So many tokens of a text that may begin or end in the middle.
    fn cut(&self, pieces: &[Piece], most: usize) -> Vec<Piece> {
        let over = pieces.len().saturating_sub(most);
        match self.fitted.layout.truncate {
            End::End => pieces[..pieces.len() - over].to_vec(),
            End::Start => pieces[over..].to_vec(),
        }
    }

    /// A text cut to its row, with what stands before its beginning and after its end.
    fn cut_inside(&self, pieces: &[Piece]) -> Vec<Piece> {
        let special = self.fitted.ty.special;
        let is = |piece: Option<&Piece>, id: Option<u64>| {
            let wanted = id.filter(|_| self.fitted.layout.special_tokens).map(|id| id as i32);
            usize::from(wanted.is_some() && piece.map(|piece| piece.id) == wanted)
        };
        let first = is(pieces.first(), special.bos);
        let last = is(pieces.last(), special.eos);
        if pieces.len() <= self.length || first + last >= self.length {
            return self.cut(pieces, self.length);
        }
        let middle = self.cut(&pieces[first..pieces.len() - last], self.length - first - last);
        [&pieces[..first], &middle, &pieces[pieces.len() - last..]].concat()
    }

    fn fill(&self, ids: impl ExactSizeIterator<Item = i32>, with: i32, out: &mut Vec<i32>) {
        let missing = self.length.saturating_sub(ids.len());
        out.extend(ids.chain(std::iter::repeat_n(with, missing)));
    }

    /// The blocks of a stream; `stream` has its tokens, and two numbers for each in `characters`.
    fn blocks(&self, stream: &TokenRows) -> TokenRows {
        let pieces: Vec<Piece> = stream
            .tokens
            .iter()
            .zip(stream.characters.chunks_exact(2))
            .map(|(id, counts)| Piece { id: *id, characters: counts[0] as u32, unknown: counts[1] as u32 })
            .collect();
        let mut out = TokenRows::default();
        let shift = usize::from(self.fitted.shift);
        let mut start = 0;
        while start + shift < pieces.len() {
            let end = (start + self.length).min(pieces.len() - shift);
            self.fill(pieces[start..end].iter().map(|piece| piece.id), self.pad, &mut out.tokens);
            if self.fitted.shift {
                self.targets(&pieces[start + 1..=end], &mut out);
            }
            out.rows += 1;
            start = end;
        }
        out
    }

    fn empty(&self, row: usize) -> StageError {
        let what =
            if self.fitted.shift { "has no two tokens, so that there is none to predict" } else { "has no token" };
        StageError::data(format!("the text of row {} {what}", row + 1))
            .note("rows are counted from 1")
            .hint("filter empty texts in a `table` stage before")
            .hint("`special_tokens = true` stands around every text where the tokenizer has a `bos` and an `eos`")
    }
}
