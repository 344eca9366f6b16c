//! The polars edge: reading, writing, schemas, SQL, row order. Nothing else turns files into frames.
