//! `vocab.txt` of BERT: a word piece on each line, its id the number of the line from 0.

use super::super::form::{Model, Rules, Vocabulary};
use super::super::spec::TokenizerSpec;
use crate::stages::text::SpecialNames;
use std::collections::BTreeMap;

/// The vocabulary with BERT's rules around it.
pub(super) fn load(text: &str, spec: &TokenizerSpec) -> Result<(String, SpecialNames), String> {
    let mut ids: BTreeMap<String, u32> = BTreeMap::new();
    let mut pieces: Vec<(String, u32)> = Vec::new();
    for (line, id) in text.lines().zip(0_u32..) {
        let piece = line.trim_end_matches('\r');
        if piece.is_empty() {
            return Err(format!("line {} is empty", id + 1));
        }
        if let Some(first) = ids.insert(piece.to_owned(), id) {
            return Err(format!("line {} has `{piece}` again, after line {}", id + 1, first + 1));
        }
        pieces.push((piece.to_owned(), id));
    }
    let lowercase = spec.lowercase.unwrap_or_else(|| !has_upper_case(&pieces));
    let found = SpecialNames::found(|token| ids.contains_key(token));
    let names = spec.special.names().or(found);
    let unk = names.unk.clone().ok_or("it has no `[UNK]`; `special.unk` names the token for the unknown")?;
    for token in names.tokens() {
        if !ids.contains_key(&token) {
            let id = pieces.len() as u32;
            ids.insert(token.clone(), id);
            pieces.push((token, id));
        }
    }
    let form = Rules::bert(lowercase)
        .form(Model::word_piece(Vocabulary(pieces), unk), &names, |token| ids.get(token).copied());
    Ok((form.text().map_err(|error| error.message)?, names))
}

/// Whether a piece that is not special has a Latin letter in upper case.
fn has_upper_case(pieces: &[(String, u32)]) -> bool {
    let within = |piece: &str, open: char, close: char| piece.starts_with(open) && piece.ends_with(close);
    let special = |piece: &str| within(piece, '[', ']') || within(piece, '<', '>');
    pieces.iter().any(|(piece, _)| !special(piece) && piece.chars().any(|c| c.is_ascii_uppercase()))
}
