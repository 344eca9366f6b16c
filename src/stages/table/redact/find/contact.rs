//! E-mail addresses, telephone numbers and IP addresses.

use super::digits;
use super::plain::Plain;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// Letters are those of scripts that are written with spaces and have addresses in use: `Müller`, `почта`. What stands directly
/// before or behind an address in another script, as in Chinese, is no part of it.
pub(super) const EMAIL: &[&str] = &[concat!(
    r"[0-9\p{Latin}\p{Greek}\p{Cyrillic}\p{M}._%+'-]+@",
    r"(?:[0-9\p{Latin}\p{Greek}\p{Cyrillic}\p{M}](?:[0-9\p{Latin}\p{Greek}\p{Cyrillic}\p{M}-]*",
    r"[0-9\p{Latin}\p{Greek}\p{Cyrillic}\p{M}])?\.)+",
    r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{M}]{2,}"
)];

/// Version 4, then version 6.
pub(super) const IP: &[&str] = &[r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}"];

/// In international form, with a plus or as it is dialled; the American forms; the Chinese form with an area code; any digits, for
/// which a word must speak.
pub(super) const PHONE: &[&str] = &[
    r"\+[1-9][0-9]{0,2}[ .-]?(?:\([0-9]{1,4}\)[ .-]?)?[0-9](?:[ .-]?[0-9]){5,12}",
    r"00[1-9][0-9]{0,2}[ .-](?:\([0-9]{1,4}\)[ .-]?)?[0-9](?:[ .-]?[0-9]){5,12}",
    r"(?:\+?1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[2-9][0-9]{2}[.-][0-9]{4}",
    r"0[1-9][0-9]{1,2}-[2-8][0-9]{6,7}",
    r"\(?[0-9]{2,5}\)?(?:[ .-]?[0-9]{2,5}){1,4}",
];

const PHONE_WORDS: &[&str] = &[
    "phone",
    "tel",
    "telephone",
    "mobile",
    "cell",
    "call",
    "call me at",
    "fax",
    "whatsapp",
    "电话",
    "手机",
    "联系方式",
    "致电",
    "拨打",
    "座机",
];

/// What makes four numbers a version or a section.
const VERSION_WORDS: &[&str] = &["version", "ver.", "release", "section", "chapter", "版本", "固件"];

pub(super) fn email(plain: &Plain<'_>, range: Range<usize>) -> Option<Range<usize>> {
    let text = &plain.text[range.clone()];
    // Quotes and dots before it belong to the sentence.
    let start = range.start + (text.len() - text.trim_start_matches(['.', '\'', '-', '%']).len());
    let local = plain.text[start..range.end].split('@').next()?;
    let sound = !local.is_empty() && !local.ends_with('.') && !local.contains("..");
    let cut = plain.after(range.end).is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '@' | '_'));
    (sound && !cut).then_some(start..range.end)
}

pub(super) fn ip(plain: &Plain<'_>, range: Range<usize>) -> Option<Range<usize>> {
    let text = &plain.text[range.clone()];
    if !text.contains(':') {
        let address: Ipv4Addr = text.parse().ok()?;
        let own = address.is_loopback() || address.is_unspecified() || address.is_broadcast();
        // A port may follow.
        let alone = plain.stands_alone(&range) && !plain.follows(range.start, 12, VERSION_WORDS);
        return (!own && alone && plain.before(range.start) != Some('v')).then_some(range);
    }
    // One colon at its beginning or end belongs to the sentence.
    let end = if text.ends_with(':') && !text.ends_with("::") { range.end - 1 } else { range.end };
    let start = if text.starts_with(':') && !text.starts_with("::") { range.start + 1 } else { range.start };
    let range = start..end.max(start);
    let address: Ipv6Addr = plain.text[range.clone()].parse().ok()?;
    let groups = plain.text[range.clone()].split(':').filter(|group| !group.is_empty()).count();
    let digit = plain.text[range.clone()].contains(|c: char| c.is_ascii_digit());
    let own = address.is_loopback() || address.is_unspecified();
    let more =
        plain.text[range.end..].strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_hexdigit()));
    (!own && !more && groups >= 3 && digit && plain.stands_alone(&range)).then_some(range)
}

pub(super) fn phone(plain: &Plain<'_>, range: Range<usize>) -> Option<Range<usize>> {
    // A bracket that does not close belongs to the sentence.
    let text = &plain.text[range.clone()];
    let start = if text.starts_with('(') && !text.contains(')') { range.start + 1 } else { range.start };
    let range = start..range.end;
    let text = &plain.text[range.clone()];
    let count = digits(text).len();
    if !(7..=15).contains(&count) || !plain.stands_alone(&range) {
        return None;
    }
    if text.starts_with('+') {
        return Some(range);
    }
    let before_plus = plain.before(range.start) == Some('+');
    let formed = is_american(text) || is_chinese(text) || is_dialled(text);
    let spoken_for = plain.follows(range.start, 16, PHONE_WORDS);
    (!before_plus && (formed || spoken_for)).then_some(range)
}

/// `0044 20 7946 0958`: a country's code behind two zeros, and apart from the rest.
fn is_dialled(text: &str) -> bool {
    let Some((country, rest)) = text.strip_prefix("00").and_then(|text| text.split_once([' ', '.', '-'])) else {
        return false;
    };
    let code = (1..=3).contains(&country.len()) && country.bytes().all(|byte| byte.is_ascii_digit());
    code && !country.starts_with('0') && digits(rest).len() >= 6
}

/// `(212) 555-0143`, `212-555-0143`, `212.555.0143`, with or without a 1.
fn is_american(text: &str) -> bool {
    let groups: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let groups = match groups.as_slice() {
        ["1", rest @ ..] => rest,
        all => all,
    };
    let opens = |group: &str| group.starts_with(|c: char| ('2'..='9').contains(&c));
    let signs = text.contains('(') || text.matches(['-', '.']).count() >= 2;
    signs && groups.iter().map(|group| group.len()).eq([3, 3, 4]) && opens(groups[0]) && opens(groups[1])
}

/// `010-62345678`, `0755-8234567`.
fn is_chinese(text: &str) -> bool {
    let Some((area, number)) = text.split_once('-') else { return false };
    let all = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    area.starts_with('0')
        && (3..=4).contains(&area.len())
        && (7..=8).contains(&number.len())
        && all(area)
        && all(number)
        && number.starts_with(|c: char| ('2'..='8').contains(&c))
}
