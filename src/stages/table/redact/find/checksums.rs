//! Check digits: Luhn's, those of an IBAN, and that of a Chinese identity number.

/// Luhn's sum of a number's digits; 0 where the last one is right.
pub(in super::super) fn luhn(digits: &[u8]) -> u32 {
    let double = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { double(u32::from(*digit)) } else { u32::from(*digit) })
        .sum();
    sum % 10
}

/// Whether the check digits of an IBAN without spaces are right (ISO 13616, ISO 7064 mod 97-10).
pub(super) fn iban(text: &str) -> bool {
    let Some((head, body)) = text.split_at_checked(4) else { return false };
    let rest = body.chars().chain(head.chars()).try_fold(0_u32, |rest, c| {
        let value = c.to_digit(36)?;
        Some(if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 })
    });
    rest == Some(1)
}

/// The check character of the first 17 digits of a Chinese identity number (GB 11643, ISO 7064 mod 11-2).
pub(in super::super) fn cn_id(digits: &[u8]) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'][(sum % 11) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    #[test]
    fn known_numbers_are_right() {
        // Numbers that the issuers publish for tests.
        for card in ["4111111111111111", "5555555555554444", "378282246310005", "30569309025904", "79927398713"] {
            assert_eq!(luhn(&digits(card)), 0, "{card}");
        }
        assert_ne!(luhn(&digits("4111111111111112")), 0);
        // The examples of the IBAN registry.
        for account in ["GB29NWBK60161331926819", "DE89370400440532013000", "FR1420041010050500013M02606"] {
            assert!(iban(account), "{account}");
            assert!(!iban(&account.replace('1', "2")), "{account}");
        }
        assert!(!iban("GB") && !iban("ä") && !iban(""));
        // The example of GB 11643.
        assert_eq!(cn_id(&digits("11010519491231002")), 'X');
        assert_eq!(cn_id(&digits("44052418800101001")), '4');
    }
}
