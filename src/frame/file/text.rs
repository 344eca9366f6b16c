//! Bytes into text: the encodings of files that came from elsewhere, and where a file is not in the one it should be in.

use super::{BadFile, Layout};
use encoding_rs::{DecoderResult, Encoding as Table};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What else can be done about a line that cannot be read.
pub(super) const LEAVE_OUT: &str = "or leave such lines out: `bad_lines = \"reject\"`";

/// How text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    Utf8,
    /// UTF-16. Its byte order mark says which byte comes first; without one it is the lower.
    Utf16,
    /// UTF-16 whose higher byte comes first.
    Utf16Be,
    /// GBK, simplified Chinese, with the code points that GB 18030 added.
    Gbk,
    /// GB 18030, simplified Chinese.
    Gb18030,
    /// Big5, traditional Chinese.
    Big5,
    /// Shift JIS, Japanese.
    ShiftJis,
    /// EUC-JP, Japanese.
    EucJp,
    /// EUC-KR, Korean.
    EucKr,
    /// Latin-1, ISO 8859-1: a byte a character.
    Latin1,
    /// Windows-1252, western European, which many files are in that are said to be in Latin-1.
    Windows1252,
    /// Windows-1250, central European.
    Windows1250,
    /// Windows-1251, Cyrillic.
    Windows1251,
    /// KOI8-R, Russian.
    Koi8R,
}

impl Encoding {
    /// The name in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Utf16 => "utf16",
            Self::Utf16Be => "utf16_be",
            Self::Gbk => "gbk",
            Self::Gb18030 => "gb18030",
            Self::Big5 => "big5",
            Self::ShiftJis => "shift_jis",
            Self::EucJp => "euc_jp",
            Self::EucKr => "euc_kr",
            Self::Latin1 => "latin1",
            Self::Windows1252 => "windows1252",
            Self::Windows1250 => "windows1250",
            Self::Windows1251 => "windows1251",
            Self::Koi8R => "koi8_r",
        }
    }

    fn is_utf16(self) -> bool {
        matches!(self, Self::Utf16 | Self::Utf16Be)
    }

    /// The same, where a byte order mark says which byte comes first.
    fn marked(self, bytes: &[u8]) -> Self {
        let mark = Table::for_bom(bytes).map(|(table, _)| table);
        if self == Self::Utf16 && mark == Some(encoding_rs::UTF_16BE) { Self::Utf16Be } else { self }
    }

    /// The table to decode with; `None` for Latin-1, whose bytes are code points as they are.
    fn table(self) -> Option<&'static Table> {
        Some(match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Utf16 => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Gbk => encoding_rs::GBK,
            Self::Gb18030 => encoding_rs::GB18030,
            Self::Big5 => encoding_rs::BIG5,
            Self::ShiftJis => encoding_rs::SHIFT_JIS,
            Self::EucJp => encoding_rs::EUC_JP,
            Self::EucKr => encoding_rs::EUC_KR,
            Self::Latin1 => return None,
            Self::Windows1252 => encoding_rs::WINDOWS_1252,
            Self::Windows1250 => encoding_rs::WINDOWS_1250,
            Self::Windows1251 => encoding_rs::WINDOWS_1251,
            Self::Koi8R => encoding_rs::KOI8_R,
        })
    }
}

/// A byte that the encoding has no place for. In the text U+FFFD stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stray {
    /// Where in the text.
    pub(super) at: usize,
    pub(super) byte: u8,
}

impl Stray {
    /// Why its line is left out.
    pub(super) fn reason(&self, encoding: Encoding) -> String {
        format!("the byte 0x{:02x} is not {}", self.byte, encoding.name())
    }
}

/// A file's text, without a byte order mark.
#[derive(Debug)]
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    /// In the order of the text.
    pub(super) strays: Vec<Stray>,
}

impl<'a> Text<'a> {
    /// A text that is one already.
    pub(super) fn borrowed(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), strays: Vec::new() }
    }

    /// Decodes bytes. Where they break off inside of a character and are not `whole`, that character is left out.
    pub(super) fn decode(bytes: &'a [u8], encoding: Encoding, whole: bool) -> Self {
        let mut text = match encoding.table() {
            None => Self { text: encoding_rs::mem::decode_latin1(bytes), strays: Vec::new() },
            Some(table) => {
                let (table, rest) = without_mark(bytes, table);
                match std::str::from_utf8(rest) {
                    Ok(text) if table == encoding_rs::UTF_8 => Self { text: Cow::Borrowed(text), strays: Vec::new() },
                    _ => Self::by_table(rest, table, whole),
                }
            }
        };
        // Line ends as of old Macs: a carriage return alone, throughout.
        if text.text.contains('\r') && !text.text.contains('\n') {
            text.text = Cow::Owned(text.text.replace('\r', "\n"));
        }
        text
    }

    fn by_table(bytes: &[u8], table: &'static Table, whole: bool) -> Self {
        let mut decoder = table.new_decoder_without_bom_handling();
        let (mut text, mut strays) = (String::with_capacity(bytes.len() + bytes.len() / 2), Vec::new());
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            text.reserve(decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len()));
            let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut text, whole);
            at += read;
            match result {
                DecoderResult::InputEmpty => return Self { text: Cow::Owned(text), strays },
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, after) => {
                    let byte = bytes.get(at.saturating_sub(usize::from(length) + usize::from(after)));
                    strays.push(Stray { at: text.len(), byte: byte.copied().unwrap_or_default() });
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
    }

    /// The first place where the file is not in its encoding, as an error that says what to do.
    pub(super) fn not_in(&self, layout: &Layout, bytes: &[u8]) -> Option<BadFile> {
        let encoding = layout.encoding;
        let stray = self.strays.first()?;
        let line = line_at(&self.text, stray.at);
        let name = match encoding {
            Encoding::Utf8 => "UTF-8".to_owned(),
            other => format!("in {}", other.name()),
        };
        let bad = BadFile::new(format!("line {line} is not {name}: found the byte 0x{:02x}", stray.byte));
        if encoding.is_utf16() && Table::for_bom(bytes).is_some_and(|(table, _)| table != encoding_rs::UTF_8) {
            return Some(bad.hint("the file breaks off or is damaged there: fetch it again, and compare its sha256"));
        }
        Some(match looks_like(bytes) {
            Some(what) => bad.hint(what),
            None => {
                let can_leave_out = layout.format.is_lines() && !layout.reject;
                bad.hint(which(bytes, encoding)).maybe_hint(can_leave_out.then(|| LEAVE_OUT.to_owned()))
            }
        })
    }

    /// An error where the text holds what no text holds, or its bytes come in the other order than is said.
    pub(super) fn not_text(&self, bytes: &[u8], encoding: Encoding) -> Option<BadFile> {
        if let Some(found) = order_of(bytes).filter(|found| encoding.is_utf16() && *found != encoding.marked(bytes)) {
            let bad =
                BadFile::new(format!("the text is not in {}: its bytes come in the other order", encoding.name()));
            return Some(bad.hint(format!("`encoding = \"{}\"`", found.name())));
        }
        let at = self.text.as_bytes().iter().take(1 << 20).position(|byte| *byte == 0)?;
        let bad = BadFile::new(format!("line {} holds a zero byte, which no text holds", line_at(&self.text, at)));
        let utf16 = order_of(bytes).unwrap_or(Encoding::Utf16).name();
        let hint = looks_like(bytes).map(str::to_owned);
        let damaged = hint.is_none() && order_of(bytes).is_none();
        let bad = bad.hint(hint.unwrap_or_else(|| format!("if it is UTF-16, say so: `encoding = \"{utf16}\"`")));
        Some(bad.maybe_hint(
            damaged.then(|| "or the file is damaged there: fetch it again, and compare its sha256".to_owned()),
        ))
    }
}

fn without_mark<'a>(bytes: &'a [u8], table: &'static Table) -> (&'static Table, &'a [u8]) {
    match Table::for_bom(bytes) {
        Some((found, length)) if found == table => (table, &bytes[length..]),
        Some((found, length)) if table == encoding_rs::UTF_16LE && found == encoding_rs::UTF_16BE => {
            (found, &bytes[length..])
        }
        _ => (table, bytes),
    }
}

/// In which order the bytes of a text in UTF-16 come: of letters of the Latin script, digits, separators and line ends the higher
/// one is zero. Of a few other characters (一) it is the lower one.
fn order_of(bytes: &[u8]) -> Option<Encoding> {
    let head = &bytes[..bytes.len().min(1 << 16)];
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    // One character in sixteen at least, and more than one: a zero byte may have come in by itself.
    let some = (head.len() / 32).max(2);
    match (zeros(0), zeros(1)) {
        (even, odd) if even >= some && even > 4 * odd => Some(Encoding::Utf16Be),
        (even, odd) if odd >= some && odd > 4 * even => Some(Encoding::Utf16),
        _ => None,
    }
}

/// What other kind of file this is, by its first bytes, and what to do then.
pub(super) fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'P', b'A', b'R', b'1', ..] => Some("the file begins as parquet does: `format = \"parquet\"`"),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [0xff, 0xff, 0xff, 0xff, ..] => {
            Some("the file begins as arrow does: `format = \"arrow\"`")
        }
        [b'P', b'K', 3, 4, ..] => Some(
            "the file is a zip archive: take a file out of it with `member` of the stage that fetches it; save the sheet of an \
             .xlsx as csv",
        ),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Some("the file is an Excel workbook of the old form: save its sheet as csv"),
        [b'B', b'Z', b'h', ..] => {
            Some("the file is packed with bzip2: unpack it, or pack it with gzip, zstandard or xz")
        }
        [b'7', b'z', 0xbc, 0xaf, ..] => Some("the file is a 7z archive: unpack it"),
        [b'%', b'P', b'D', b'F', ..] => Some("the file is a PDF, and no table"),
        _ if bytes.get(257..262).is_some_and(|word| word == b"ustar") => {
            Some("the file is a tar archive: take a file out of it with `member` of the stage that fetches it")
        }
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] => {
            Some("the file is an SQLite database: a stage of kind `database` reads it")
        }
        [b'F', b'E', b'A', b'1', ..] => {
            Some("the file is of Feather's version 1: write it in version 2, or as parquet")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Some("the file begins with the byte order mark of UTF-16: `encoding = \"utf16\"`")
        }
        _ => None,
    }
}

/// Which encoding the file may be in, told from its beginning.
fn which(bytes: &[u8], declared: Encoding) -> String {
    let found = likely(bytes, declared);
    let quoted = found.iter().map(|encoding| format!("`encoding = \"{}\"`", encoding.name()));
    format!("say how the text is encoded; its beginning fits {}", quoted.collect::<Vec<_>>().join(" or "))
}

/// The encodings that fit a file's beginning, the likeliest first.
fn likely(bytes: &[u8], declared: Encoding) -> Vec<Encoding> {
    let head = &bytes[..bytes.len().min(1 << 20)];
    let fits = |encoding: &Encoding| *encoding != declared && Text::decode(head, *encoding, false).strays.is_empty();
    let of_pairs = [Encoding::Utf8, Encoding::Gbk, Encoding::Big5, Encoding::ShiftJis, Encoding::EucKr];
    let found: Vec<Encoding> = of_pairs.into_iter().filter(|_| !is_western(head)).filter(fits).collect();
    // What Latin-1 has there are control characters, and windows-1252 quotes, dashes and €.
    let marks = head.iter().any(|byte| (0x80..=0x9f).contains(byte));
    match (found.is_empty(), marks) {
        (false, _) => found,
        (true, false) => vec![Encoding::Latin1, Encoding::Windows1252],
        (true, true) => vec![Encoding::Windows1252, Encoding::Latin1],
    }
}

/// Whether most bytes above 0x7f are letters (from 0xc0 on) that stand alone, as in western words; where a character is two
/// bytes, most stand beside another or are smaller. A single pair may be such a byte and a letter: `Süd` is text in GBK too.
fn is_western(head: &[u8]) -> bool {
    let high = |at: Option<usize>| at.and_then(|at| head.get(at)).is_some_and(|byte| *byte >= 0x80);
    let places: Vec<usize> = (0..head.len()).filter(|at| high(Some(*at))).collect();
    let letter = |at: &&usize| head[**at] >= 0xc0 && !high(at.checked_sub(1)) && !high(at.checked_add(1));
    places.iter().filter(letter).count() * 10 > places.len() * 6
}

/// The encoding that a file's first bytes look like, and their text in it.
#[must_use]
pub fn beginning(head: &[u8]) -> (Encoding, String) {
    let is_text = looks_like(head).is_none() && !Text::decode(head, Encoding::Utf8, false).strays.is_empty();
    let encoding = match Table::for_bom(head) {
        Some((table, _)) if table != encoding_rs::UTF_8 => Encoding::Utf16,
        _ if is_text => likely(head, Encoding::Utf8).first().copied().unwrap_or_default(),
        _ => Encoding::Utf8,
    };
    (encoding, Text::decode(head, encoding, false).text.into_owned())
}

/// The 1-based line of a place.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    memchr::memchr_iter(b'\n', &text.as_bytes()[..offset]).count() + 1
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    #[test]
    fn every_encoding_is_undone() {
        let chinese = "名称,价格\n北京,1\n";
        for (encoding, table) in [
            (Encoding::Gbk, encoding_rs::GBK),
            (Encoding::Gb18030, encoding_rs::GB18030),
            (Encoding::Big5, encoding_rs::BIG5),
            (Encoding::ShiftJis, encoding_rs::SHIFT_JIS),
        ] {
            let text = if encoding == Encoding::ShiftJis { "名前,価格\n東京,1\n" } else { chinese };
            let text = if encoding == Encoding::Big5 { "名稱,價格\n北京,1\n" } else { text };
            let (bytes, _, lossy) = table.encode(text);
            assert!(!lossy, "{encoding:?}");
            let decoded = Text::decode(&bytes, encoding, true);
            assert_eq!((decoded.text.as_ref(), decoded.strays.len()), (text, 0), "{encoding:?}");
        }
        let utf16: Vec<u8> = chinese.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(Text::decode(&utf16, Encoding::Utf16, true).text, chinese);
        let marked: Vec<u8> = format!("\u{feff}{chinese}").encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(Text::decode(&marked, Encoding::Utf16, true).text, chinese);
        assert_eq!(Text::decode(b"caf\xe9\x85", Encoding::Latin1, true).text, "café\u{85}");
        assert_eq!(Text::decode(b"caf\xe9\x85", Encoding::Windows1252, true).text, "café…");
        assert_eq!(Text::decode(b"a\rb\r", Encoding::Utf8, true).text, "a\nb\n");
    }

    #[test]
    fn the_order_of_two_bytes_is_told() {
        let text = "name,n\n一一一一一一一一一一一一,1\n";
        let low: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let high: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked: Vec<u8> = "\u{feff}name,n\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let wrong = |bytes: &[u8], encoding| {
            let bad = Text::decode(bytes, encoding, true).not_text(bytes, encoding)?;
            Some((bad.message, bad.hints.join("; ")))
        };
        for (bytes, encoding) in [(&low, Encoding::Utf16), (&high, Encoding::Utf16Be), (&marked, Encoding::Utf16)] {
            assert_eq!(wrong(bytes, encoding), None, "{encoding:?}");
        }
        let plain: Vec<u8> = "name,n\nx,1\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let (message, hint) = wrong(&plain, Encoding::Utf16).expect("the other order");
        assert_eq!(message, "the text is not in utf16: its bytes come in the other order");
        assert_eq!(hint, "`encoding = \"utf16_be\"`");
        let (_, hint) = wrong(&plain, Encoding::Utf8).expect("no text");
        assert_eq!(hint, "if it is UTF-16, say so: `encoding = \"utf16_be\"`");
        let (_, hint) = wrong(b"a,b\n1,\0\n", Encoding::Utf8).expect("no text");
        assert!(hint.starts_with("if it is UTF-16, say so: `encoding = \"utf16\"`; or the file is damaged"), "{hint}");
        let cut = [&[0xff, 0xfe][..], &low[..9]].concat();
        let layout = Layout { encoding: Encoding::Utf16, ..Layout::new(Format::Csv) };
        let bad = Text::decode(&cut, Encoding::Utf16, true).not_in(&layout, &cut).expect("it breaks off");
        assert!(bad.hints[0].starts_with("the file breaks off"), "{:?}", bad.hints);
    }

    #[test]
    fn a_stray_byte_is_placed() {
        let decoded = Text::decode(b"a\nb\xe9c\n", Encoding::Utf8, true);
        assert_eq!(decoded.strays, [Stray { at: 3, byte: 0xe9 }]);
        let layout = Layout::new(Format::Csv);
        let bad = decoded.not_in(&layout, b"a\nb\xe9c\n").expect("an error");
        assert_eq!(bad.message, "line 2 is not UTF-8: found the byte 0xe9");
        assert!(bad.hints[0].contains("latin1") || bad.hints[0].contains("gbk"), "{:?}", bad.hints);
        let (gbk, _, _) = encoding_rs::GBK.encode("一,二\n三,四\n");
        let bad = Text::decode(&gbk, Encoding::Utf8, true).not_in(&layout, &gbk).expect("an error");
        assert!(bad.hints[0].contains("`encoding = \"gbk\"`"), "{:?}", bad.hints);
        let western = "Süd,Köln\nNord,schön\n".chars().map(|c| c as u8).collect::<Vec<u8>>();
        let bad = Text::decode(&western, Encoding::Utf8, true).not_in(&layout, &western).expect("an error");
        assert!(bad.hints[0].ends_with("`encoding = \"latin1\"` or `encoding = \"windows1252\"`"), "{:?}", bad.hints);
        assert_eq!(beginning(&western).0, Encoding::Latin1);
        assert_eq!(beginning(b"caf\xe9,5 \x80\nna\xefve,1\n").0, Encoding::Windows1252);
        assert_eq!(beginning(&gbk), (Encoding::Gbk, "一,二\n三,四\n".to_owned()));
        assert_eq!(beginning(b"PK\x03\x04\xff").0, Encoding::Utf8);
        let western = b"na\xefve,n\n1,2\n";
        let bad = Text::decode(western, Encoding::Utf8, true).not_in(&layout, western).expect("an error");
        assert!(bad.hints[0].contains("fits `encoding = \"latin1\"` or"), "{:?}", bad.hints);
        // Only where it can be done is it said that lines can be left out.
        for (format, reject, said) in [
            (Format::Tsv, false, true),
            (Format::Csv, true, false),
            (Format::Jsonl, false, true),
            (Format::Jsonl, true, false),
            (Format::Json, false, false),
            (Format::Arff, false, false),
        ] {
            let bad = decoded.not_in(&Layout { reject, ..Layout::new(format) }, b"a\nb\xe9c\n").expect("an error");
            assert_eq!(bad.hints.iter().any(|hint| hint == LEAVE_OUT), said, "{format:?}, {reject}: {:?}", bad.hints);
        }
        // What breaks off is left out of a beginning, and is an error at the end.
        assert!(Text::decode("é".as_bytes().split_at(1).0, Encoding::Utf8, false).strays.is_empty());
        assert_eq!(Text::decode("é".as_bytes().split_at(1).0, Encoding::Utf8, true).strays.len(), 1);
    }
}
