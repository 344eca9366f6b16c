//! A value of each type, to see what is done with values of it.

use polars::prelude::*;

/// A column of one value that hardly any function minds: 1, a text that is a number too, what lies one unit after the beginning of time.
#[must_use]
pub fn ordinary(dtype: &DataType) -> Column {
    series(dtype).into_column()
}

fn series(dtype: &DataType) -> Series {
    let nameless = PlSmallStr::EMPTY;
    let made = match dtype {
        DataType::String => Ok(Series::new(nameless.clone(), ["1"])),
        DataType::List(inner) => series(inner).implode().map(IntoSeries::into_series),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| series(&field.dtype).with_name(field.name.clone()));
            let fields: Vec<Series> = fields.collect();
            StructChunked::from_series(nameless.clone(), 1, fields.iter()).map(IntoSeries::into_series)
        }
        dtype => Series::new(nameless.clone(), [1_i32]).cast(dtype),
    };
    made.ok().filter(|made| made.dtype() == dtype).unwrap_or_else(|| Series::full_null(nameless, 1, dtype))
}

#[cfg(test)]
mod tests {
    use super::ordinary;
    use polars::prelude::*;

    #[test]
    fn every_type_has_one() {
        let time = DataType::Datetime(TimeUnit::Microseconds, None);
        let fields = vec![Field::new("a".into(), DataType::String), Field::new("b".into(), time.clone())];
        let list = DataType::List(Box::new(DataType::Struct(fields)));
        for dtype in [DataType::Boolean, DataType::UInt8, DataType::String, DataType::Date, time, list] {
            let column = ordinary(&dtype);
            assert_eq!((column.dtype(), column.len(), column.null_count()), (&dtype, 1, 0));
        }
        assert_eq!(ordinary(&DataType::Null).len(), 1);
    }
}
