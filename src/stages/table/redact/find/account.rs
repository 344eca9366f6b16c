//! Payment cards and bank accounts.

use super::plain::Plain;
use super::{checksums, digits};
use std::ops::Range;

/// Thirteen to nineteen digits, as they are printed: in one piece, in fours, as 4-6-5 or 4-6-4.
pub(super) const CARD: &[&str] =
    &[r"[0-9]{4}(?:[ -][0-9]{4}){2,3}(?:[ -][0-9]{1,4})?", r"3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}", r"[0-9]{13,19}"];

/// A country, check digits, and letters and digits in one piece or in fours; some programs write them small.
pub(super) const IBAN: &[&str] = &[r"[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?"];

/// What speaks for a card, and what against it.
const CARD_WORDS: &[&str] = &["card", "visa", "credit", "debit", "卡号", "银行卡", "信用卡", "储蓄卡"];
const OTHER_NUMBERS: &[&str] =
    &["order", "tracking", "invoice", "isbn", "imei", "serial", "订单", "单号", "运单", "编号", "流水"];

pub(super) fn card(plain: &Plain<'_>, range: Range<usize>) -> Option<Range<usize>> {
    // What follows in the same way of writing may belong to something else: `… 1111 12/25`.
    let text = &plain.text[range.clone()];
    let shorter = text.rfind([' ', '-']).map(|at| range.start..range.start + at);
    std::iter::once(range).chain(shorter).find(|range| is_card(plain, range))
}

fn is_card(plain: &Plain<'_>, range: &Range<usize>) -> bool {
    let digits = digits(&plain.text[range.clone()]);
    let varied = digits.iter().any(|digit| *digit != digits[0]);
    if !(13..=19).contains(&digits.len()) || !varied || checksums::luhn(&digits) != 0 || !plain.stands_alone(range) {
        return false;
    }
    if plain.follows(range.start, 24, CARD_WORDS) {
        return true;
    }
    is_of_a_brand(&digits) && !plain.follows(range.start, 16, OTHER_NUMBERS)
}

/// Lengths and first digits by ISO/IEC 7812 and the brands' own rules.
fn is_of_a_brand(digits: &[u8]) -> bool {
    let first = |count: usize| digits.iter().take(count).fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    match digits.len() {
        13 => first(1) == 4,
        14 => matches!(first(2), 36 | 38) || (300..=305).contains(&first(3)),
        15 => matches!(first(2), 34 | 37),
        16 => {
            first(1) == 4
                || (51..=55).contains(&first(2))
                || (2221..=2720).contains(&first(4))
                || first(4) == 6011
                || (644..=659).contains(&first(3))
                || (3528..=3589).contains(&first(4))
                || first(2) == 62
        }
        17..=19 => first(2) == 62 || (first(1) == 4 && digits.len() == 19),
        _ => false,
    }
}

pub(super) fn iban(plain: &Plain<'_>, range: Range<usize>) -> Option<Range<usize>> {
    let length = length_of(&plain.text.get(range.start..range.start + 2)?.to_ascii_uppercase())?;
    let mut account = String::with_capacity(length);
    let mut end = range.start;
    for (at, c) in plain.text[range.clone()].char_indices() {
        if c != ' ' {
            account.push(c);
        }
        end = range.start + at + c.len_utf8();
        if account.len() == length {
            break;
        }
    }
    let range = range.start..end;
    (account.len() == length && checksums::iban(&account) && plain.stands_alone(&range)).then_some(range)
}

/// How long a country's account numbers are, by the IBAN registry.
fn length_of(country: &str) -> Option<usize> {
    const LENGTHS: &[(usize, &str)] = &[
        (15, "NO"),
        (16, "BE"),
        (18, "DK FO FI GL NL SD"),
        (19, "MK SI"),
        (20, "AT BA EE KZ LT LU XK MN"),
        (21, "HR LV LI CH"),
        (22, "BH BG CR GE DE IE ME RS GB VA"),
        (23, "GI IQ IL OM SO AE TL"),
        (24, "AD CZ MD PK RO SA SK ES SE TN VG"),
        (25, "PT ST LY"),
        (26, "IS TR"),
        (27, "BI DJ FR GR IT MC MR SM"),
        (28, "AL AZ BY CY DO SV GT HU LB NI PL"),
        (29, "BR EG PS QA UA"),
        (30, "JO KW MU"),
        (31, "MT SC"),
        (32, "LC"),
        (33, "RU"),
    ];
    LENGTHS.iter().find(|(_, countries)| countries.split(' ').any(|known| known == country)).map(|(length, _)| *length)
}
