//! What `read` makes of files that can be read, and are odd.

use super::*;
use crate::stage::testing::Bench;
use polars::prelude::*;

fn bench(name: &str, bytes: &[u8]) -> Bench {
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::File, &[(name, bytes)]);
    bench
}

#[test]
fn a_time_beyond_the_calendar_is_found_however_the_file_is_read() {
    let times: Int64Chunked = [Some(0), Some(i64::MAX)].into_iter().collect();
    let times = times.into_datetime(TimeUnit::Microseconds, None).into_series().with_name("until".into());
    let mut df = DataFrame::new(2, vec![times.into()]).expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut df).expect("written");
    for (fields, memory) in [("", None), ("", Some(1 << 30)), ("keep = false", None), ("keep = false", Some(1 << 30))] {
        let mut bench = bench("a.parquet", &bytes);
        bench.memory = memory;
        let error = bench.run::<Read>(&format!("from = \"raw\"\n{fields}")).expect_err("no time");
        let found = "row 2, column `until`: 9223372036854775807 us after 1970 are beyond the calendar";
        assert_eq!(error.message, found, "{fields} {memory:?}");
        assert!(error.hints[0].contains("`types = { \"until\" = \"i64\" }`"), "{:?}", error.hints);
        assert_eq!(error.hints.iter().any(|hint| hint.contains("`keep = false`")), !fields.is_empty());
    }
    let mut bench = bench("a.parquet", &bytes);
    bench.memory = Some(1 << 30);
    bench.run::<Read>("from = \"raw\"\ntypes = { until = \"i64\" }").expect("numbers");
}
