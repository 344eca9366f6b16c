//! The kind that trains and loads tokenizers: [`Tokenizer`].
//!
//! Whatever it is made of, the result is a `tokenizer.json` that Hugging Face's library reads. Texts are taken apart by the
//! crate `tokenizers`. Vocabularies are learnt here where the crate's own trainers depend on the order of hash maps (byte
//! pairs and word pieces), and by the crate where what it does can be put in order (`train::unigram`).

mod form;
mod kind;
mod load;
mod measure;
mod spec;
#[cfg(test)]
mod tests;
mod texts;
mod train;

pub use kind::Tokenizer;
pub use spec::TokenizerSpec;
