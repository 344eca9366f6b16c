//! What `redact` puts in the place of what it finds: the HMAC that every other program computes, and made-up numbers that belong to
//! nobody. By the program itself.

use crate::sandbox::Sandbox;
use polars::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

const KEY: &str = "a key that is long enough";

/// A text, the same written otherwise, and 64 bits of `printf 'KIND\0TEXT' | openssl dgst -sha256 -hmac 'a key that is long enough'`
/// of it in the form that is meant.
const KNOWN: &[(&str, &[&str], &str)] = &[
    ("13812345678", &["+86 138-1234-5678", "１３８１２３４５６７８"], "[cn_mobile:cbb073a8c960af15]"),
    ("ada@example.org", &["Ada@Example.org", "ａｄａ＠ｅｘａｍｐｌｅ．ｏｒｇ"], "[email:b21610a5fda91c11]"),
    ("212-555-0143", &["(212) 555-0143", "212.555.0143"], "[phone:9116087bbfa955a9]"),
    ("fe80::1ff:fe23:4567:890a", &["FE80::1FF:FE23:4567:890A"], "[ip:49112be5ea5ffffa]"),
];

/// What becomes of these texts when everything is treated so.
fn redacted(action: &str, texts: &[&str]) -> Vec<String> {
    let kinds = ["email", "phone", "cn_mobile", "cn_id", "card", "iban", "ip"];
    let find: Vec<String> = kinds.iter().map(|kind| format!("{kind} = \"{action}\"")).collect();
    let text = format!(
        "[pipeline]\nname = \"r\"\nedition = \"2026\"\n\n[stage.raw]\nkind = \"fetch\"\npath = \"d.csv\"\n\n[stage.table]\nkind = \"read\"\n\
         from = \"raw\"\ntypes = {{ text = \"str\" }}\n\n[stage.safe]\nkind = \"redact\"\nfrom = \"table\"\nfind = {{ {} }}\nkey_env = \"THE_KEY\"\n",
        find.join(", ")
    );
    let rows: String = texts.iter().map(|text| format!("\"{text}\"\n")).collect();
    let sandbox = Sandbox::with_manifest(&text).file("d.csv", format!("text\n{rows}")).env("THE_KEY", KEY);
    sandbox.run(&[]).success();
    let place = walkdir::WalkDir::new(sandbox.path("out/r/safe/table")).follow_links(true);
    let file = place.into_iter().filter_map(Result::ok).find(|entry| entry.file_name() == "table.parquet");
    let file = std::fs::File::open(file.expect("a table").path()).expect("readable");
    let df = ParquetReader::new(file).finish().expect("a table");
    df.column("text")
        .expect("there")
        .str()
        .expect("texts")
        .iter()
        .map(|text| text.unwrap_or("null").to_owned())
        .collect()
}

#[test]
fn a_hash_is_the_hmac_of_what_is_meant_however_it_is_written() {
    for (text, ways, expected) in KNOWN {
        let texts: Vec<&str> = std::iter::once(text).chain(*ways).copied().collect();
        for (text, found) in texts.iter().zip(redacted("hash", &texts)) {
            assert_eq!(found, *expected, "{text}");
        }
    }
}

fn luhn(digits: &[u32]) -> u32 {
    let doubled = |(place, digit): (usize, &u32)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10
}

/// Whether what was made up belongs to nobody.
fn is_nobody_s(made_up: &str, like: &str) -> bool {
    let digits: Vec<u32> = made_up.chars().filter_map(|c| c.to_digit(10)).collect();
    match like {
        // RFC 2606.
        "email" => made_up.strip_suffix("@example.com").is_some_and(|user| user.len() > 10 && user.starts_with("user")),
        // No country has the code 999.
        "phone" => made_up.starts_with("+999 ") && digits.len() >= 12,
        // RFC 1112.
        "ipv4" => made_up.parse::<Ipv4Addr>().is_ok_and(|ip| ip.octets()[0] >= 240 && ip != Ipv4Addr::BROADCAST),
        // RFC 3849.
        "ipv6" => made_up.parse::<Ipv6Addr>().is_ok_and(|ip| ip.segments()[..2] == [0x2001, 0xdb8]),
        "card" => digits.len() == 16 && digits[0] == 0 && luhn(&digits) != 0,
        _ => false,
    }
}

#[test]
fn made_up_addresses_and_numbers_are_nobody_s_and_the_same_for_the_same() {
    let cases: [(&str, [&str; 3]); 5] = [
        ("email", ["ada@example.org", "ADA@example.org", "bob@example.org"]),
        ("phone", ["212-555-0143", "(212) 555-0143", "212-555-0144"]),
        ("ipv4", ["93.184.216.34", "９３．１８４．２１６．３４", "93.184.216.35"]),
        ("ipv6", ["fe80::1ff:fe23:4567:890a", "FE80::1ff:fe23:4567:890a", "fe80::1ff:fe23:4567:890b"]),
        ("card", ["4111111111111111", "４１１１１１１１１１１１１１１１", "5555555555554444"]),
    ];
    let texts: Vec<&str> = cases.iter().flat_map(|(_, texts)| *texts).collect();
    let (found, again) = (redacted("pseudonym", &texts), redacted("pseudonym", &texts));
    assert_eq!(found, again, "the same in another workspace");
    for ((like, texts), found) in cases.iter().zip(found.chunks(3)) {
        for (text, made_up) in texts.iter().zip(found) {
            assert!(is_nobody_s(made_up, like), "{text} became {made_up}");
        }
        assert_eq!(found[0], found[1], "{} and {} are the same", texts[0], texts[1]);
        assert_ne!(found[0], found[2], "{} and {} are not the same", texts[0], texts[2]);
    }
}
