//! How fast delimited text is read: `cargo xtask bench tables`.

use super::{Format, Layout, read_file, read_in_pieces};
use polars::prelude::*;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

const ROWS: u64 = 1_000_000;

/// Lines as TPC-H's are: whole numbers, prices, dates, words, a comment; with quoted comments where that is wanted.
fn lines(quoted: bool) -> String {
    let mut text = String::from("order,part,supplier,line,quantity,price,discount,tax,flag,shipped,mode,comment\n");
    let mut state = 1_u64;
    for row in 0..ROWS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = state >> 20;
        let quote = if quoted { "\"" } else { "" };
        let _ = writeln!(
            text,
            "{},{},{},{},{},{}.{:02},0.0{},0.0{},{},199{}-0{}-1{},{},{quote}words of comment {}{quote}",
            row / 4,
            bits % 200_000,
            bits % 10_000,
            row % 7,
            bits % 50,
            bits % 100_000,
            bits % 100,
            bits % 10,
            bits % 8,
            ["A", "N", "R"][(bits % 3) as usize],
            bits % 9,
            1 + bits % 9,
            bits % 10,
            ["AIR", "MAIL", "SHIP", "TRUCK"][(bits % 4) as usize],
            bits % 1_000_003,
        );
    }
    text
}

fn least(run: &dyn Fn()) -> f64 {
    let time = || {
        let begin = Instant::now();
        run();
        begin.elapsed().as_secs_f64()
    };
    (0..5).map(|_| time()).fold(f64::INFINITY, f64::min)
}

fn by_polars(path: &Path) {
    let reader =
        CsvReadOptions::default().with_infer_schema_length(None).try_into_reader_with_file_path(Some(path.to_owned()));
    let df = reader.and_then(|reader| reader.finish()).expect("read");
    assert_eq!(df.height() as u64, ROWS);
}

/// Fields alone, without what they mean.
fn by_csv(path: &Path) {
    let mut reader = csv::Reader::from_path(path).expect("opened");
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record).expect("read") {
        rows += 1;
    }
    assert_eq!(rows, ROWS);
}

#[test]
#[ignore = "measures, asserts nothing about time"]
fn readers_of_text() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, quoted) in [("plain", false), ("quoted", true)] {
        let path = folder.path().join(format!("{name}.csv"));
        let text = lines(quoted);
        std::fs::write(&path, &text).expect("written");
        let megabytes = text.len() as f64 / 1e6;
        println!("  {name}: {ROWS} rows x 12 columns, {megabytes:.0} MB, MB/s, best of 5; types from all rows");
        let layout = Layout::new(Format::Csv);
        let whole = least(&|| drop(read_file(&path, &layout).expect("read")));
        let files = [(name.to_owned(), path.clone())];
        let pieces = least(&|| {
            let read = read_in_pieces(&files, &layout, None, 1 << 30, &|_| {}, &mut |_| Ok::<(), ()>(()));
            assert!(read.is_ok());
        });
        let polars = least(&|| by_polars(&path));
        let csv = least(&|| by_csv(&path));
        for (what, seconds) in
            [("kilter", whole), ("kilter, in pieces", pieces), ("polars", polars), ("csv, fields alone", csv)]
        {
            println!("  {what:<20} {:7.0}   {:.2} times polars' time", megabytes / seconds, seconds / polars);
        }
    }
}
