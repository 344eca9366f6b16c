//! `.tiktoken` files of OpenAI and Qwen: on each line a token, its bytes in base64, and its rank, which is its id. Of two
//! neighbouring pieces those are joined first whose whole has the lowest rank.
//!
//! Hugging Face's byte pairs are given as pairs instead. All pairs that make a token are written, in the order of the token's ranks, so that
//! the same pieces are joined; and as there, what is a token as a whole is taken before anything is joined: some tokens no pairs lead to.

use super::super::form::{Model, Rules, Vocabulary};
use super::super::spec::{Normalization, TokenizerSpec};
use crate::stages::text::SpecialNames;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;

/// Splits by regular expressions, by the names that manifests use.
const PATTERNS: &[(&str, &str)] = &[
    ("gpt2", r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"),
    (
        "cl100k",
        // White space at the end stays whole, line breaks and all.
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]|\s+(?!\S)|\s",
    ),
    (
        "qwen",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
    (
        "o200k",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
];

/// Known files by the number of their tokens: the pattern, and the id of `<|endoftext|>`.
const KNOWN: &[(usize, &str, u32)] = &[
    (50_256, "gpt2", 50_256),
    (50_280, "gpt2", 50_256),
    (100_256, "cl100k", 100_257),
    (151_643, "qwen", 151_643),
    (199_998, "o200k", 199_999),
];

const END_OF_TEXT: &str = "<|endoftext|>";

/// The vocabulary as byte pairs.
pub(super) fn load(text: &str, spec: &TokenizerSpec) -> Result<(String, SpecialNames), String> {
    let tokens = tokens(text)?;
    let known = KNOWN.iter().find(|(size, ..)| *size == tokens.len());
    let Some(name) = spec.pattern.as_deref().or(known.map(|(_, name, _)| *name)) else {
        return Err(format!(
            "its {} tokens are none of the known vocabularies, so `pattern` has to say how texts are split",
            tokens.len()
        ));
    };
    let pattern = pattern_of(name);
    let written: Vec<String> = tokens.iter().map(|(bytes, _)| letters(bytes)).collect();
    let merges = merges(&tokens, &written);
    let mut vocab: Vec<(String, u32)> = written.into_iter().zip(&tokens).map(|(token, (_, id))| (token, *id)).collect();
    let end = SpecialNames {
        bos: Some(END_OF_TEXT.to_owned()),
        eos: Some(END_OF_TEXT.to_owned()),
        ..SpecialNames::default()
    };
    let names = spec.special.names().or(end);
    let mut ids: HashMap<String, u32> = HashMap::new();
    let mut next = tokens.last().map_or(Some(0), |(_, id)| id.checked_add(1));
    for token in names.tokens() {
        let own = known.filter(|_| token == END_OF_TEXT).map(|(_, _, id)| *id);
        let id = own.or(next).ok_or("its ranks leave no room for another token")?;
        next = next.and_then(|next| if next > id { Some(next) } else { id.checked_add(1) });
        vocab.push((token.clone(), id));
        ids.insert(token, id);
    }
    vocab.sort_by_key(|(_, id)| *id);
    let model = Model::bpe(Vocabulary(vocab), merges, None).whole_pieces_first();
    // Qwen's own tokenizer composes before it splits.
    let composes = pattern == pattern_of("qwen");
    let form = Rules::split(pattern, composes.then_some(Normalization::Nfc))
        .form(model, &names, |token| ids.get(token).copied());
    Ok((form.text().map_err(|error| error.message)?, names))
}

/// The pattern of this name; what is no name is one itself.
fn pattern_of(name: &str) -> &str {
    PATTERNS.iter().find(|(known, _)| *known == name).map_or(name, |(_, pattern)| pattern)
}

/// The tokens' bytes and ranks, by rank.
fn tokens(text: &str) -> Result<Vec<(Vec<u8>, u32)>, String> {
    let mut tokens = Vec::new();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        let wrong = || format!("line {number} is not a token in base64 and its rank");
        let (token, rank) = line.trim().split_once(' ').ok_or_else(wrong)?;
        let rank = rank.trim().parse().map_err(|_| wrong())?;
        let bytes = STANDARD.decode(token).ok().filter(|bytes| !bytes.is_empty()).ok_or_else(wrong)?;
        tokens.push((bytes, rank));
    }
    tokens.sort_by_key(|(_, rank)| *rank);
    if let Some(pair) = tokens.windows(2).find(|pair| pair[0].1 == pair[1].1) {
        return Err(format!("two tokens have the rank {}", pair[0].1));
    }
    let single: std::collections::BTreeSet<u8> =
        tokens.iter().filter(|(bytes, _)| bytes.len() == 1).map(|(bytes, _)| bytes[0]).collect();
    if single.len() < 256 {
        return Err(format!("{} of the 256 single bytes are no tokens", 256 - single.len()));
    }
    Ok(tokens)
}

/// Every way in which a token is two tokens, by the token's rank, and then with those first that are joined first themselves.
fn merges(tokens: &[(Vec<u8>, u32)], written: &[String]) -> Vec<(String, String)> {
    let places: HashMap<&[u8], usize> =
        tokens.iter().zip(0..).map(|((bytes, _), place)| (bytes.as_slice(), place)).collect();
    let mut merges = Vec::new();
    for (bytes, _) in tokens {
        let mut pairs: Vec<(usize, usize)> = (1..bytes.len())
            .filter_map(|cut| Some((*places.get(&bytes[..cut])?, *places.get(&bytes[cut..])?)))
            .collect();
        pairs.sort_unstable();
        merges.extend(pairs.into_iter().map(|(a, b)| (written[a].clone(), written[b].clone())));
    }
    merges
}

/// Bytes under the letters that GPT-2 writes them in: printable ones as they are, the others from U+0100 on.
fn letters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| letter(*byte)).collect()
}

fn letter(byte: u8) -> char {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if printable(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|other| !printable(*other)).count();
    char::from_u32(0x100 + before as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_letters_of_the_crate() {
        assert_eq!(letters(b" \n\0a\xc3"), "ĠĊĀaÃ");
        let all: std::collections::BTreeSet<char> = (0..=255).map(letter).collect();
        let known = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        assert_eq!(all, known.into_iter().collect());
    }
}
