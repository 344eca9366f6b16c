//! Chinese identity numbers and mobile numbers.

use super::checksums;
use super::digits;
use super::plain::Plain;
use std::ops::Range;

/// Region, date, order and check character, in one piece or as 6-8-4.
pub(super) const CN_ID: &[&str] = &[r"[1-8][0-9]{5}[ -]?(?:18|19|20)[0-9]{6}[ -]?[0-9]{3}[0-9Xx]"];

/// With or without the country's code, in one piece or as 3-4-4.
pub(super) const CN_MOBILE: &[&str] = &[r"(?:(?:\+|00)?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}"];

/// The first two digits of regions that give numbers out.
const PROVINCES: &[u8] = &[
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63,
    64, 65, 71, 81, 82, 83,
];

pub(super) fn cn_id(plain: &Plain<'_>, range: Range<usize>) -> Option<Range<usize>> {
    let text = &plain.text[range.clone()];
    let digits = digits(text);
    let number = |part: &[u8]| part.iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let region = digits.get(..2).map(number)?;
    let (year, month, day) = (number(digits.get(6..10)?), number(digits.get(10..12)?), number(digits.get(12..14)?));
    let check = text.chars().next_back()?.to_ascii_uppercase();
    let born = crate::frame::file::time::date(&format!("{year:04}-{month:02}-{day:02}")).is_some();
    let known = PROVINCES.iter().any(|province| u32::from(*province) == region);
    (known && born && checksums::cn_id(digits.get(..17)?) == check && plain.stands_alone(&range)).then_some(range)
}

pub(super) fn cn_mobile(plain: &Plain<'_>, range: Range<usize>) -> Option<Range<usize>> {
    let plus = plain.text[range.clone()].starts_with('+');
    let glued = !plus && plain.before(range.start) == Some('+');
    (!glued && plain.stands_alone(&range)).then_some(range)
}
