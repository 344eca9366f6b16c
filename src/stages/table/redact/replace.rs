//! What stands in the place of what was found.

use super::find::checksums;
use super::find::{is_unspaced, narrow, squeezed};
use super::spec::{Action, Entity};
use crate::stage::StageError;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key shorter than this can be found by trying.
const SHORTEST_KEY: usize = 16;

/// Puts something in the place of what was found.
pub(super) struct Replacer {
    mac: Option<Hmac<Sha256>>,
}

impl Replacer {
    /// One with a key, or one that needs none.
    ///
    /// # Errors
    /// When the key is too short.
    pub(super) fn new(key: Option<&[u8]>) -> Result<Self, StageError> {
        let mac = key.map(|key| {
            if key.len() < SHORTEST_KEY {
                return Err(StageError::data(format!(
                    "the key has {} bytes, and a key of fewer than {SHORTEST_KEY} can be found by trying",
                    key.len()
                ))
                .hint("make one: `openssl rand -hex 32`"));
            }
            Hmac::new_from_slice(key).map_err(|error| StageError::bug(format!("a key of any length will do: {error}")))
        });
        Ok(Self { mac: mac.transpose()? })
    }

    /// What stands in the place of `text`; of a pseudonym also what it stands for.
    pub(super) fn replacement(
        &self,
        entity: Entity,
        action: Action,
        text: &str,
    ) -> Result<(String, Option<Meant>), StageError> {
        if action == Action::Pseudonym {
            let code = self.code(entity, text)?;
            let pseudonym = made_up(entity, text, &mut Chance::new(&code));
            let meant = Meant::new(entity, &pseudonym, &code);
            return Ok((pseudonym, Some(meant)));
        }
        let text = match action {
            Action::Mask => format!("[{}]", entity.name()),
            Action::Hash => {
                let code = self.code(entity, text)?;
                let hex: String = code[..8].iter().map(|byte| format!("{byte:02x}")).collect();
                format!("[{}:{hex}]", entity.name())
            }
            Action::Drop | Action::DropRow | Action::Pseudonym => String::new(),
        };
        Ok((text, None))
    }

    /// The HMAC of what is meant, however it is written.
    fn code(&self, entity: Entity, text: &str) -> Result<[u8; 32], StageError> {
        let mut mac = self.mac.clone().ok_or_else(|| StageError::bug("a key is needed, and there is none"))?;
        mac.update(entity.name().as_bytes());
        mac.update(&[0]);
        mac.update(meant(entity, text).as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }
}

/// A pseudonym and what it stands for, as numbers that nobody can undo: those of one pseudonym begin with the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Meant {
    pseudonym: u64,
    original: u64,
}

impl Meant {
    fn new(entity: Entity, pseudonym: &str, code: &[u8; 32]) -> Self {
        let kind = entity.name();
        let digest = blake3::hash(format!("{kind}\0{pseudonym}").as_bytes());
        let number = |bytes: &[u8; 32]| bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        Self { pseudonym: number(digest.as_bytes()), original: number(code) }
    }
}

/// How many pseudonyms stand for more than one original each.
pub(super) fn shared(mut meant: Vec<Meant>) -> usize {
    meant.sort_unstable();
    meant.dedup();
    meant.chunk_by(|a, b| a.pseudonym == b.pseudonym).filter(|same| same.len() > 1).count()
}

/// One form for all ways of writing the same.
fn meant(entity: Entity, text: &str) -> String {
    let text = &*narrow(text);
    let kept = |keep: fn(&char) -> bool| text.chars().filter(keep).collect::<String>();
    match entity {
        Entity::Email | Entity::Ip => text.to_lowercase(),
        Entity::Name => squeezed(text).0.into_owned(),
        Entity::CnMobile => {
            let digits = kept(char::is_ascii_digit);
            digits[digits.len().saturating_sub(11)..].to_owned()
        }
        Entity::Phone => american(text).unwrap_or_else(|| {
            let digits = kept(char::is_ascii_digit);
            // As it is dialled or with a plus.
            digits.strip_prefix("00").unwrap_or(&digits).to_owned()
        }),
        Entity::Card => kept(char::is_ascii_digit),
        Entity::CnId | Entity::Iban => kept(char::is_ascii_alphanumeric).to_ascii_uppercase(),
    }
}

/// The ten digits of an American number that is written with the country's 1, as `+1 212-555-0143` and `1 (212) 555-0143` are. Of
/// eleven digits in a row a 1 at the beginning may be anything.
fn american(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let grouped = groups.iter().map(|group| group.len()).eq([1, 3, 3, 4]);
    let rest = groups.concat().strip_prefix('1')?.to_owned();
    let opens = |at: usize| rest[at..].starts_with(|c: char| ('2'..='9').contains(&c));
    (rest.len() == 10 && (text.starts_with("+1") || grouped) && opens(0) && opens(3)).then_some(rest)
}

/// Numbers out of a code.
struct Chance {
    state: blake3::OutputReader,
}

impl Chance {
    fn new(code: &[u8; 32]) -> Self {
        Self { state: blake3::Hasher::new_keyed(code).finalize_xof() }
    }

    fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.state.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }

    fn digits(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(10) as u8).collect()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

fn written(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

fn made_up(entity: Entity, text: &str, chance: &mut Chance) -> String {
    match entity {
        // `example.com` belongs to nobody (RFC 2606).
        Entity::Email => format!("user{:013x}@example.com", chance.below(1 << 52)),
        // No Chinese mobile number begins with 10 or 11, and no country has the code 999.
        Entity::CnMobile => format!("1{}{}", chance.below(2), written(&chance.digits(9))),
        Entity::Phone => format!("+999 {}", written(&chance.digits(12))),
        Entity::Card => card(text, chance),
        Entity::CnId => {
            // No region has the number 99, and the check character is one that is never right.
            let digits = [vec![9, 9], chance.digits(15)].concat();
            let wrong = if checksums::cn_id(&digits) == '0' { '1' } else { '0' };
            format!("{}{wrong}", written(&digits))
        }
        // No check digits are 00, and no country is ZZ.
        Entity::Iban => format!("ZZ00{}", written(&chance.digits(18))),
        Entity::Ip if narrow(text).contains(':') => {
            // Kept for documentation (RFC 3849).
            let groups: Vec<String> = (0..4).map(|_| format!("{:x}", chance.below(1 << 16))).collect();
            format!("2001:db8::{}", groups.join(":"))
        }
        // Given out to nobody (RFC 1112).
        Entity::Ip => {
            let parts = [240 + chance.below(15), chance.below(256), chance.below(256), chance.below(256)];
            parts.map(|part| part.to_string()).join(".")
        }
        Entity::Name => name(text, chance),
    }
}

/// A number as long and written in the same way that begins with 0, as no card does, and whose check digit is wrong.
fn card(text: &str, chance: &mut Chance) -> String {
    let text = &*narrow(text);
    let count = text.chars().filter(char::is_ascii_digit).count();
    let mut digits = chance.digits(count);
    if let Some(first) = digits.first_mut() {
        *first = 0;
    }
    if checksums::luhn(&digits) == 0
        && let Some(last) = digits.last_mut()
    {
        *last = (*last + 1) % 10;
    }
    let mut digits = digits.into_iter();
    let next = |c: char| if c.is_ascii_digit() { digits.next().map_or(c, |digit| char::from(b'0' + digit)) } else { c };
    text.chars().map(next).collect()
}

const SYLLABLES: [&str; 32] = [
    "ba", "bel", "cor", "da", "del", "dor", "fa", "fen", "gal", "ha", "hel", "jo", "ka", "kel", "la", "lin", "lor",
    "ma", "mel", "mi", "na", "nel", "no", "ra", "rin", "ro", "sa", "sel", "ta", "tor", "va", "win",
];

const SURNAMES: &str = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方俞任袁柳";
const GIVEN: &str =
    "安宁平和文雅明达清远思齐嘉言若谷怀瑾景行知秋晓星云舒雨桐子墨书涵沐阳海澜青松白石静好正则灵均望舒飞廉扶光";

/// A name in the script of the original, of syllables that mean nobody: one of some hundred millions, so that even among the
/// names of a city hardly any two get the same one.
fn name(text: &str, chance: &mut Chance) -> String {
    if text.chars().next().is_some_and(is_unspaced) {
        let (surnames, given): (Vec<char>, Vec<char>) = (SURNAMES.chars().collect(), GIVEN.chars().collect());
        let name =
            [chance.one(&surnames), chance.one(&surnames), chance.one(&given), chance.one(&given), chance.one(&given)];
        return name.into_iter().collect();
    }
    let mut word = |syllables: usize| {
        let word: String = (0..syllables).map(|_| *chance.one(&SYLLABLES)).collect();
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    match text.split_whitespace().count() {
        0 | 1 => word(6),
        _ => format!("{} {}", word(3), word(4)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::find::Finder;
    use super::*;

    const KEY: &[u8] = b"a key that is long enough";

    fn put(entity: Entity, action: Action, text: &str) -> String {
        Replacer::new(Some(KEY)).and_then(|replacer| replacer.replacement(entity, action, text)).expect("replaced").0
    }

    #[test]
    fn a_hash_is_the_hmac_of_what_is_meant() {
        // printf 'cn_mobile\0' with 13812345678, openssl dgst -sha256 -hmac 'a key that is long enough'
        let hash = put(Entity::CnMobile, Action::Hash, "13812345678");
        assert_eq!(hash, put(Entity::CnMobile, Action::Hash, "+86 138-1234-5678"));
        assert_ne!(hash, put(Entity::CnMobile, Action::Hash, "13812345679"));
        assert_ne!(hash, put(Entity::Phone, Action::Hash, "13812345678").replace("phone", "cn_mobile"));
        let other = Replacer::new(Some(b"another key of this length")).expect("a key");
        assert_ne!(hash, other.replacement(Entity::CnMobile, Action::Hash, "13812345678").expect("replaced").0);
        assert!(Replacer::new(Some(b"short")).is_err());
        assert_eq!(put(Entity::Email, Action::Hash, "A@B.org"), put(Entity::Email, Action::Hash, "a@b.org"));
        let name = put(Entity::Name, Action::Hash, "José García");
        assert_eq!(name, put(Entity::Name, Action::Hash, "Jose\u{301}\n  Garci\u{301}a"));
    }

    #[test]
    fn an_american_number_is_the_same_with_and_without_its_country() {
        let of = |text: &str| put(Entity::Phone, Action::Hash, text);
        let plain = of("212-555-0143");
        for same in [
            "+1 212-555-0143",
            "+12125550143",
            "1-212-555-0143",
            "1 (212) 555-0143",
            "(212) 555-0143",
            "＋１ 212.555.0143",
        ] {
            assert_eq!(of(same), plain, "{same}");
        }
        for other in ["12125550143", "+44 212 555 0143", "+1 012-555-0143", "212-555-0144", "+1 212-555-01434"] {
            assert_ne!(of(other), plain, "{other}");
        }
        assert_eq!(of("13812345678"), of("138 1234 5678"), "eleven digits stay");
        assert_eq!(
            put(Entity::Phone, Action::Pseudonym, "+1 212-555-0143"),
            put(Entity::Phone, Action::Pseudonym, "212.555.0143")
        );
    }

    #[test]
    fn made_up_numbers_are_nobody_s() {
        let all = Finder::new(&Entity::ALL, &[]).expect("rules");
        for (entity, text) in [
            (Entity::Card, "4111 1111 1111 1111"),
            (Entity::CnId, "11010519491231002X"),
            (Entity::CnMobile, "13812345678"),
            (Entity::Iban, "GB29NWBK60161331926819"),
        ] {
            assert_eq!(all.find(text).first().map(|found| found.entity), Some(entity), "{text}");
            let made_up = put(entity, Action::Pseudonym, text);
            assert_eq!(all.find(&made_up), [], "{made_up}");
            assert_eq!(made_up, put(entity, Action::Pseudonym, text), "the same again");
        }
        assert_eq!(put(Entity::Card, Action::Pseudonym, "4111-1111-1111-1111").matches('-').count(), 3);
        assert!(put(Entity::Name, Action::Pseudonym, "王小明").chars().all(is_unspaced));
        assert_eq!(put(Entity::Name, Action::Pseudonym, "Ada Lovelace").split(' ').count(), 2);
    }

    #[test]
    fn hardly_any_two_originals_share_a_pseudonym() {
        let replacer = Replacer::new(Some(KEY)).expect("a key");
        let shared_of = |entity: Entity, text: &dyn Fn(usize) -> String| {
            let meant = |n: usize| replacer.replacement(entity, Action::Pseudonym, &text(n)).expect("replaced").1;
            shared((0..20_000).chain(0..100).filter_map(meant).collect())
        };
        assert_eq!(shared_of(Entity::CnMobile, &|n| format!("138{n:08}")), 0);
        for text in [&|n| format!("Ann{n}"), &|n| format!("Ann Lovelace{n}"), &|n| format!("王{n}")]
            as [&dyn Fn(usize) -> String; 3]
        {
            assert!(shared_of(Entity::Name, text) <= 3);
        }
        let one = |pseudonym, original| Meant { pseudonym, original };
        assert_eq!(shared(vec![one(1, 7), one(2, 8), one(1, 7), one(2, 9), one(2, 8)]), 1);
    }
}
