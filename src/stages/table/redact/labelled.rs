//! How well the rules find what they are for: texts that are made here, with what is in them known, and near misses.
//!
//! `cargo test --lib redact::labelled -- --nocapture` prints precision and recall. The texts are made by the same hands as
//! the rules, so the figures say that the rules do what they mean to, and not how people write.

use super::find::{Finder, checksums};
use super::spec::Entity;
use std::collections::BTreeMap;
use std::ops::Range;

const NAMES: [&str; 8] =
    ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Ann", "王小明", "李娜", "欧阳修", "Kwame Nkrumah"];

/// Sentences around something.
const FRAMES: [&str; 12] = [
    "Please write to {} until Friday.",
    "Contact: {}, or come by in person (2nd floor).",
    "{}",
    "My details are {}; order 20240131-7 arrived on 2024-01-31 at 12:30:45.",
    "She said \"{}\" and left 3 items for $1,299.00.",
    "请联系{}，谢谢！",
    "客户反馈：{}。订单已于2024年1月31日发货，共3件。",
    "我的信息是：{}（请保密）",
    "Fwd: {}\nSent from my phone",
    "name=x; value={}",
    "该用户（{}）投诉了两次，版本号 v3.12.0.1",
    "ticket #48213: {} is wrong, see section 4.2.1.3",
];

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

fn numbers(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| byte - b'0').collect()
}

fn card(dice: &mut Dice) -> String {
    let (start, count) = [("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16), ("622202", 19), ("36", 14)]
        [dice.below(7) as usize];
    let body = format!("{start}{}", dice.digits(count - start.len() - 1));
    let full = (0..10)
        .map(|check| format!("{body}{check}"))
        .find(|full| checksums::luhn(&numbers(full)) == 0)
        .expect("one of ten");
    match (count, dice.below(3)) {
        (16, 0) => [&full[..4], &full[4..8], &full[8..12], &full[12..]].join(" "),
        (16, 1) => [&full[..4], &full[4..8], &full[8..12], &full[12..]].join("-"),
        (15, 0) => [&full[..4], &full[4..10], &full[10..]].join(" "),
        _ => full,
    }
}

fn cn_id(dice: &mut Dice) -> String {
    let region = dice.pick(&["110105", "440524", "310115", "510104", "650102", "330106"]);
    let born = format!("{}{:02}{:02}", 1940 + dice.below(70), 1 + dice.below(12), 1 + dice.below(28));
    let head = format!("{region}{born}{}", dice.digits(3));
    let check = checksums::cn_id(&numbers(&head));
    match dice.below(4) {
        0 => format!("{head}{}", check.to_ascii_lowercase()),
        1 => format!("{} {} {}{check}", &head[..6], &head[6..14], &head[14..]),
        _ => format!("{head}{check}"),
    }
}

fn cn_mobile(dice: &mut Dice) -> String {
    let number = format!("1{}{}", dice.pick(&["38", "39", "50", "77", "86", "99"]), dice.digits(8));
    match dice.below(5) {
        0 => format!("+86 {number}"),
        1 => format!("{}-{}-{}", &number[..3], &number[3..7], &number[7..]),
        2 => format!("{} {} {}", &number[..3], &number[3..7], &number[7..]),
        3 => number.chars().filter_map(|c| char::from_u32(c as u32 + 0xfee0)).collect(),
        _ => number,
    }
}

fn iban(dice: &mut Dice) -> String {
    let (country, body) = match dice.below(3) {
        0 => ("DE", dice.digits(18)),
        1 => ("GB", format!("NWBK{}", dice.digits(14))),
        _ => ("NL", format!("ABNA{}", dice.digits(10))),
    };
    let rest = format!("{body}{country}00").chars().fold(0_u32, |rest, c| {
        let value = c.to_digit(36).expect("a letter or digit");
        if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 }
    });
    let full = format!("{country}{:02}{body}", 98 - rest);
    match dice.below(2) {
        0 => full,
        _ => full.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join(" "),
    }
}

fn email(dice: &mut Dice) -> String {
    let local = dice.pick(&["ada", "grace.hopper", "x_1", "li-na", "first.last+tag", "99bottles", "O'Brien"]);
    let host = dice.pick(&[
        "example.org",
        "mail.example.co.uk",
        "qq.com",
        "163.com",
        "uni-köln.example.de",
        "sub.domain.museum",
    ]);
    let host = if host.is_ascii() { host } else { "uni-koeln.de" };
    format!("{local}@{host}")
}

fn phone(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => format!("+44 20 7946 {}", dice.digits(4)),
        1 => format!("(212) 555-{}", dice.digits(4)),
        2 => format!("415-555-{}", dice.digits(4)),
        3 => format!("010-6{}", dice.digits(7)),
        4 => format!("+49 (30) 901820{}", dice.digits(2)),
        _ => format!("0755-8{}", dice.digits(7)),
    }
}

fn ip(dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => format!("2001:db8:{:x}::{:x}", 1 + dice.below(65_535), 1 + dice.below(65_535)),
        _ => format!("{}.{}.{}.{}", 1 + dice.below(120), dice.below(256), dice.below(256), 1 + dice.below(254)),
    }
}

/// Something that looks like personal data and is not.
fn near_miss(dice: &mut Dice) -> String {
    let wrong = |text: String, at: usize| -> String {
        let digit = (text.as_bytes()[at] - b'0' + 1) % 10;
        format!("{}{digit}{}", &text[..at], &text[at + 1..])
    };
    match dice.below(12) {
        0 => {
            let card: String = card(dice).chars().filter(char::is_ascii_digit).collect();
            wrong(card, 9)
        }
        1 => wrong(cn_id(dice).replace(' ', ""), 15),
        2 => {
            let iban = iban(dice).replace(' ', "");
            wrong(iban, 13)
        }
        3 => format!("version 2.{}.{}.{}", dice.below(20), dice.below(20), dice.below(20)),
        4 => format!("12{}", dice.digits(9)),
        5 => format!("订单号62{}", dice.digits(14)),
        6 => format!("ISBN 978-{}-{}-{}", dice.digits(1), dice.digits(4), dice.digits(4)),
        7 => format!("SN13{}", dice.digits(9)),
        8 => "Annabel and the Annual Report @home".to_owned(),
        9 => format!("{}.{}.{}.{}", 256 + dice.below(700), dice.below(256), dice.below(256), dice.below(256)),
        10 => "std::vec::Vec at 12:30:45, 1::2, 127.0.0.1".to_owned(),
        _ => format!("¥{},{}.00 × {}", 1 + dice.below(99), dice.digits(3), dice.digits(7)),
    }
}

/// A text and what is in it.
fn labelled(dice: &mut Dice) -> (String, Vec<(Entity, Range<usize>)>) {
    let frame = FRAMES[dice.below(FRAMES.len() as u64) as usize];
    let (head, tail) = frame.split_once("{}").expect("a place");
    if dice.below(3) == 0 {
        return (format!("{head}{}{tail}", near_miss(dice)), Vec::new());
    }
    let entity = Entity::ALL[dice.below(8) as usize];
    let part = match entity {
        Entity::CnId => cn_id(dice),
        Entity::Iban => iban(dice),
        Entity::Card => card(dice),
        Entity::Email => email(dice),
        Entity::CnMobile => cn_mobile(dice),
        Entity::Ip => ip(dice),
        Entity::Phone => phone(dice),
        Entity::Name => dice.pick(&NAMES).to_owned(),
    };
    (format!("{head}{part}{tail}"), vec![(entity, head.len()..head.len() + part.len())])
}

#[test]
fn precision_and_recall_on_a_labelled_set() {
    let finder = Finder::new(&Entity::ALL, &NAMES.map(str::to_owned)).expect("rules");
    let mut dice = Dice(2026);
    // Right, found in all, there in all.
    let mut counts: BTreeMap<Entity, (usize, usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for _ in 0..20_000 {
        let (text, labels) = labelled(&mut dice);
        let found: Vec<(Entity, Range<usize>)> =
            finder.find(&text).into_iter().map(|found| (found.entity, found.range)).collect();
        for label in &labels {
            let count = counts.entry(label.0).or_default();
            count.2 += 1;
            count.0 += usize::from(found.contains(label));
        }
        found.iter().for_each(|(entity, _)| counts.entry(*entity).or_default().1 += 1);
        if found != labels && wrong.len() < 12 {
            wrong.push(format!("{text:?}: {found:?}, not {labels:?}"));
        }
    }
    assert_eq!(counts.len(), Entity::ALL.len());
    for (entity, (right, found, there)) in &counts {
        let (precision, recall) = (*right as f64 / *found as f64, *right as f64 / *there as f64);
        println!("{:10} precision {precision:.4}  recall {recall:.4}  of {there}", entity.name());
        assert!(precision >= 0.98 && recall >= 0.98, "{}: {}", entity.name(), wrong.join("\n"));
    }
}
