//! Texts as tokens: the kind that trains and loads tokenizers, and a tokenizer as other kinds use it.

mod special;
pub mod tokenizer;
mod tokens;

pub use special::SpecialNames;
pub use tokens::{TextTokenizer, Token, left_out};
