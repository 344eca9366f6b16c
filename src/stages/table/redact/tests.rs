//! Texts with personal data in them, and tables without it.

use super::super::testing::{findings, run, table_input, tables};
use super::find::Finder;
use super::spec::Entity;
use super::{Redact, Spec, Work};
use crate::stage::testing::{Bench, fields};
use crate::types::{ArtifactType, Column as ColumnType, DType, TableSchema};
use polars::prelude::*;

const KEY: &[u8] = b"a key that is long enough";

fn bench(texts: &[Option<&str>]) -> Bench {
    let mut bench = Bench::default();
    let df = df!["id" => (0..texts.len() as i64).collect::<Vec<_>>(), "text" => texts].expect("a frame");
    table_input(&mut bench, "notes", df);
    bench
}

fn texts(df: &DataFrame, column: &str) -> Vec<Option<String>> {
    df.column(column).expect("there").str().expect("text").iter().map(|text| text.map(str::to_owned)).collect()
}

/// What becomes of a text under these fields.
fn cleaned(more: &str, text: &str) -> String {
    let spec: Spec = serde_json::from_value(fields(&format!("from = \"notes\"\n{more}"))).expect("a spec");
    let names = ["王小明".to_owned(), "Ada Lovelace".to_owned()];
    let work = Work::new(&spec, &names, Some(KEY)).expect("rules");
    work.text(text).expect("looked into").map_or_else(|| text.to_owned(), |cleaned| cleaned.text)
}

#[test]
fn everything_is_masked_unless_more_is_said() {
    let all = "names = [\"names.txt\"]";
    for (text, wanted) in [
        ("write to ada@example.org.", "write to [email]."),
        ("'ada@example.org'", "'[email]'"),
        ("Max.Müller@example.de, ada@müller.de", "[email], [email]"),
        ("请写信给ada@example.org谢谢; пишите: почта@пример.рф", "请写信给[email]谢谢; пишите: [email]"),
        ("iban de89370400440532013000 or 0049 30 1234567", "iban [iban] or [phone]"),
        (
            "de89370400440532013001, key 0012 345 and 000044 2079460958",
            "de89370400440532013001, key 0012 345 and 000044 2079460958",
        ),
        ("call (212) 555-0143 or +44 20 7946 0958", "call [phone] or [phone]"),
        ("手机：１３８１２３４５６７８，身份证11010519491231002X", "手机：[cn_mobile]，身份证[cn_id]"),
        ("card 4111 1111 1111 1111 12/25", "card [card] 12/25"),
        ("卡号6222 0212 3456 7890 120", "卡号6222 0212 3456 7890 120"),
        ("IBAN GB29 NWBK 6016 1331 9268 19, London", "IBAN [iban], London"),
        ("from 93.184.216.34:8080 and fe80::1ff:fe23:4567:890a", "from [ip]:8080 and [ip]"),
        ("王小明说：Ada Lovelace is here", "[name]说：[name] is here"),
        ("tel 555 0143 22", "tel [phone]"),
        ("hotel 555 0143 22", "hotel 555 0143 22"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("order 4111111111111111", "order 4111111111111111"),
        ("id 11010519491231002Y, 110105194912310021", "id 11010519491231002Y, 110105194912310021"),
        ("version 10.1.2.3 of 127.0.0.1 at 12:30:45", "version 10.1.2.3 of 127.0.0.1 at 12:30:45"),
        ("a@b, @home, user@, x@y.c", "a@b, @home, user@, x@y.c"),
        ("", ""),
    ] {
        assert_eq!(cleaned(all, text), wanted);
    }
}

#[test]
fn each_sort_gets_its_own_treatment() {
    let text = "ada@example.org, 13812345678, 4111111111111111";
    let found = cleaned("find = { email = \"drop\", cn_mobile = \"hash\", card = \"pseudonym\" }", text);
    let parts: Vec<&str> = found.split(", ").collect();
    assert_eq!(parts[0], "");
    assert!(parts[1].starts_with("[cn_mobile:") && parts[1].len() == "[cn_mobile:]".len() + 16, "{found}");
    assert!(parts[2].starts_with('0') && parts[2].len() == 16, "{found}");
    assert_eq!(cleaned("find = { card = \"mask\" }", text), "ada@example.org, 13812345678, [card]");
}

#[test]
fn a_table_comes_out_clean_with_a_report() {
    let bench = bench(&[Some("价格ada@example.org"), None, Some("fine"), Some("13812345678 and 13812345678")]);
    let ports = run::<Redact>(&bench, "from = \"notes\"").expect("it runs");
    let wanted = ["价格[email]", "", "fine", "[cn_mobile] and [cn_mobile]"];
    let wanted: Vec<Option<String>> =
        wanted.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect();
    assert_eq!(texts(&ports[0].1, "text"), wanted);
    let report = &ports[1].1;
    let rows: Vec<Vec<String>> = (0..report.height())
        .map(|row| {
            report.columns().iter().map(|column| column.get(row).expect("a value").str_value().into_owned()).collect()
        })
        .collect();
    assert_eq!(rows[0], ["0", "text", "null", "email", "2", "15", "mask"]);
    assert_eq!(rows[2], ["3", "text", "null", "cn_mobile", "16", "11", "mask"]);
    let produced = bench.run::<Redact>("from = \"notes\"").expect("it runs");
    assert_eq!(produced.summary, "email 1 · cn_mobile 2");
    assert_eq!((produced.metrics["found.cn_mobile"], produced.metrics["found.iban"]), (2.0, 0.0));
}

#[test]
fn lists_of_texts_are_looked_into() {
    let mut bench = Bench::default();
    let list = |texts: &[&str]| Series::new("".into(), texts);
    let lists = Column::new("tags".into(), [list(&["a", "ada@example.org"]), list(&[]), list(&["13812345678"])]);
    let missing = lists.slice(0, 2).clear().extend_constant(AnyValue::Null, 1).expect("a missing list");
    let mut all = lists.clone();
    all.append(&missing).expect("longer");
    all.append(&lists.slice(0, 1)).expect("longer");
    table_input(&mut bench, "notes", DataFrame::new(5, vec![all]).expect("a frame"));
    let ports = run::<Redact>(&bench, "from = \"notes\"").expect("it runs");
    let items = |df: &DataFrame, column: &str| {
        let values = df.column(column).expect("there").as_materialized_series().clone();
        values.iter().map(|value| value.to_string()).collect::<Vec<_>>()
    };
    let table = ports[0].1.clone().lazy().select([col("tags").list().join(lit("|"), true)]).collect().expect("joined");
    let tags: Vec<Option<&str>> = table.column("tags").expect("there").str().expect("text").iter().collect();
    assert_eq!(tags, [Some("a|[email]"), Some(""), Some("[cn_mobile]"), None, Some("a|[email]")]);
    assert_eq!(items(&ports[1].1, "row"), ["0", "2", "4"]);
    assert_eq!(items(&ports[1].1, "item"), ["1", "0", "1"]);
    run::<Redact>(&bench, "from = \"notes\"\ncolumns = \"tags\"").expect("it can be named");
}

/// What people are called, where and how they can be reached.
fn people() -> DataFrame {
    let streets = StringChunked::from_iter([Some("5 Main St, ada@example.org"), None, Some("fine")]).into_series();
    let address = df!["street" => streets, "zip" => [1_i64, 2, 3]].expect("a frame").into_struct("address".into());
    let notes = Column::new(
        "notes".into(),
        [
            Series::new("".into(), ["bob@example.org", "13812345678"]),
            Series::new("".into(), [""; 0]),
            Series::new("".into(), ["x", "eve@example.org"]),
        ],
    );
    let columns = vec![Column::new("name".into(), ["a", "b", "c"]), address.into_column(), notes];
    DataFrame::new(3, columns).expect("a frame")
}

#[test]
fn structs_are_looked_into_and_the_report_names_the_field() {
    let mut bench = Bench::default();
    let there = Some([true, true, false].into_iter().collect());
    let who = people().into_struct("who".into()).with_outer_validity(there);
    table_input(&mut bench, "notes", DataFrame::new(3, vec![who.into_column()]).expect("a frame"));
    assert_eq!(findings::<Redact>(&bench, "from = \"notes\"\ncolumns = \"who\""), []);
    let ports = run::<Redact>(&bench, "from = \"notes\"").expect("it runs");
    let who = ports[0].1.column("who").expect("there");
    let shown: Vec<String> = who.as_materialized_series().iter().map(|value| value.to_string()).collect();
    assert!(shown[0].contains("5 Main St, [email]") && shown[0].contains("[cn_mobile]"), "{shown:?}");
    assert_eq!((who.null_count(), &shown[2]), (1, &"null".to_owned()));
    let report = &ports[1].1;
    let cell = |column: &str, row: usize| report.column(column).expect("there").get(row).expect("a row").to_string();
    let rows: Vec<[String; 4]> = (0..report.height())
        .map(|row| ["row", "column", "item", "entity"].map(|column| cell(column, row).replace('"', "")))
        .collect();
    let wanted = [
        ["0", "who.address.street", "null", "email"],
        ["0", "who.notes", "0", "email"],
        ["0", "who.notes", "1", "cn_mobile"],
    ];
    assert_eq!(rows, wanted.map(|row| row.map(str::to_owned)));
}

#[test]
fn lists_of_structs_are_looked_into() {
    let mut bench = Bench::default();
    let one = people().into_struct("".into()).into_series();
    let mut lists = ListChunked::from_iter([Some(one.slice(0, 1)), None, Some(one.slice(0, 3))]);
    lists.rename("people".into());
    table_input(&mut bench, "notes", DataFrame::new(3, vec![lists.into_column()]).expect("a frame"));
    let ports = run::<Redact>(&bench, "from = \"notes\"").expect("it runs");
    let report = &ports[1].1;
    let all = |column: &str| -> Vec<String> {
        report
            .column(column)
            .expect("there")
            .as_materialized_series()
            .iter()
            .map(|value| value.str_value().into_owned())
            .collect()
    };
    assert_eq!(all("row"), ["0", "0", "0", "2", "2", "2", "2"]);
    assert_eq!(all("item"), ["0", "0", "0", "0", "0", "0", "2"]);
    assert_eq!((all("column")[0].as_str(), all("column")[6].as_str()), ("people.address.street", "people.notes"));
}

#[test]
fn what_is_not_looked_into_is_said_at_check_time() {
    let found = |more: &str| {
        let mut bench = Bench::default();
        let types = ["str", "struct(mail: str, age: i64)", "struct(age: i64)", "list(list(str))", "list(i64)"];
        let named = |(n, dtype): (usize, &&str)| ColumnType::new(format!("c{n}"), dtype.parse().expect("a type"));
        let mut columns: Vec<ColumnType> = types.iter().enumerate().map(named).collect();
        let binary = DType::Other("binary".to_owned());
        columns.push(ColumnType::new(
            "c5",
            DType::Struct(vec![ColumnType::new("text", DType::Str), ColumnType::new("raw", binary.clone())]),
        ));
        columns.push(ColumnType::new("raw", binary));
        bench.input("notes", ArtifactType::Table(TableSchema::new(columns)), &[]);
        findings::<Redact>(&bench, &format!("from = \"notes\"\n{more}"))
    };
    let both = "columns `c5.raw` and `raw` are not looked into, and may hold personal data";
    assert_eq!(found(""), [("W0503".to_owned(), both.to_owned())]);
    assert_eq!(found("columns = [\"c0\", \"c1\", \"c3\"]"), []);
    let one = "column `c5.raw` is binary, which is not looked into, and may hold personal data";
    assert_eq!(found("columns = [\"c5\"]"), [("W0503".to_owned(), one.to_owned())]);
    assert_eq!(found("columns = [\"c*\"]"), [("W0503".to_owned(), one.to_owned())]);
    for name in ["c2", "raw"] {
        let [(code, message)] = found(&format!("columns = [\"{name}\"]")).try_into().expect("one");
        assert_eq!(code, "E0214");
        assert!(message.ends_with("but str, or lists or structs of it is needed here"), "{message}");
    }
}

#[test]
fn a_run_says_again_what_it_does_not_look_into() {
    let mut bench = Bench::default();
    let bytes = BinaryChunked::from_slice("raw".into(), &[b"ada@example.org".as_slice(), b"bob"]).into_column();
    let df = DataFrame::new(2, vec![bytes, Column::new("text".into(), ["a", "b"])]).expect("a frame");
    table_input(&mut bench, "notes", df);
    bench.run::<Redact>("from = \"notes\"").expect("it runs");
    bench.run::<Redact>("from = \"notes\"\ncolumns = [\"text\"]").expect("it runs");
    let said = bench.warnings.lock().expect("no panic").clone();
    let [said] = <[String; 1]>::try_from(said).expect("once");
    assert!(said.starts_with("column `raw` is binary, which is not looked into"), "{said}");
}

#[test]
fn rows_can_be_left_out_and_the_report_counts_as_before() {
    let bench = bench(&[Some("fine"), Some("ada@example.org"), Some("13812345678")]);
    let ports = run::<Redact>(&bench, "from = \"notes\"\nfind = { email = \"drop_row\" }").expect("it runs");
    assert_eq!(texts(&ports[0].1, "text"), [Some("fine".to_owned()), Some("13812345678".to_owned())]);
    assert_eq!(ports[1].1.column("row").expect("there").get(0).expect("a row").str_value(), "1");
}

#[test]
fn names_come_from_files_and_numbers_are_warned_of() {
    let mut bench = bench(&[Some("王小明 and Ann, not Annabel")]);
    bench.file("names/zh.txt", "# staff\n王小明\n\n");
    bench.file("names/en.txt", "Ann\n");
    let ports = run::<Redact>(&bench, "from = \"notes\"\nnames = [\"names/*.txt\"]").expect("it runs");
    assert_eq!(texts(&ports[0].1, "text"), [Some("[name] and [name], not Annabel".to_owned())]);
    bench.file("names/zh.txt", "# nobody\n");
    let error = bench.run::<Redact>("from = \"notes\"\nnames = [\"names/zh.txt\"]").expect_err("no names");
    assert!(error.message.contains("hold no name"), "{error}");
    let df = df!["phone" => [13_812_345_678_i64, 13_912_345_678], "t" => ["a", "b"]].expect("a frame");
    table_input(&mut bench, "notes", df);
    bench.run::<Redact>("from = \"notes\"").expect("it runs");
    let said = bench.warnings.lock().expect("no panic").join("\n");
    assert!(said.contains("`phone` is a column of numbers") && said.contains("cn_mobile"), "{said}");
}

#[test]
fn a_key_is_needed_and_said_how() {
    let bench = bench(&[Some("ada@example.org")]);
    let fields = "from = \"notes\"\nfind = { email = \"hash\" }\nkey_env = \"KILTER_TEST_NO_SUCH_KEY\"";
    let error = bench.run::<Redact>(fields).expect_err("no key");
    assert!(error.message.contains("KILTER_TEST_NO_SUCH_KEY") && error.hints[0].contains("openssl rand"), "{error:?}");
}

#[test]
fn empty_tables_and_nothing_but_nulls_are_fine() {
    for rows in [vec![], vec![None, None]] {
        let bench = bench(&rows);
        let (outputs, _) = bench.check::<Redact>("from = \"notes\"");
        let produced = bench.run::<Redact>("from = \"notes\"").expect("it runs");
        assert_eq!(tables(&bench, &outputs, &produced)[0].1.height(), rows.len());
    }
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    let found = |text: &str| {
        let found = findings::<Redact>(&bench(&[Some("x")]), &format!("from = \"notes\"\n{text}"));
        found.first().map(|(code, message)| format!("{code} {message}")).unwrap_or_default()
    };
    for (text, wanted) in [
        ("find = {}", "E0134 nothing is looked for"),
        ("find = { name = \"mask\" }", "E0134 names are found by lists"),
        ("columns = [\"txet\"]", "E0213 column `txet`"),
        ("columns = [\"id\"]", "E0214 column `id` is i64"),
        ("columns = [\"z*\"]", "E0219 no column"),
        ("names = [\"gone.txt\"]", "E0206 `gone.txt`"),
        ("key_env = \"A=B\"", "E0136"),
    ] {
        assert!(found(text).starts_with(wanted), "{text}: {}", found(text));
    }
}

#[test]
fn types_that_only_the_data_can_tell_are_not_judged() {
    let found = |dtype: DType| {
        let mut bench = Bench::default();
        let schema = TableSchema::new(vec![ColumnType::new("text", dtype)]);
        bench.input("notes", ArtifactType::Table(schema), &[]);
        findings::<Redact>(&bench, "from = \"notes\"").len()
    };
    assert_eq!((found(DType::Unknown), found(DType::Str), found(DType::I64)), (0, 0, 1));
}

#[test]
fn no_text_makes_the_rules_stop() {
    let finder = Finder::new(&Entity::ALL, &["é".to_owned()]).expect("rules");
    for text in [
        "１２３４５６７８９０１２３４５６７８９０",
        ":::::::",
        "+86+86+861381234567",
        "@@@@",
        "é\u{301}é😀13812345678😀",
        "4111 ",
        "GB29",
        "1-1-1-1-1",
    ] {
        for found in finder.find(text) {
            assert!(text.get(found.range.clone()).is_some(), "{text}: {found:?}");
        }
    }
}
