//! The program `kilter`; everything is in the library.

/// Counts what is allocated, so that the tables' engine knows when to move rows to disk.
#[global_allocator]
static ALLOCATOR: polars_ooc::Allocator = polars_ooc::Allocator;

fn main() -> std::process::ExitCode {
    kilter::cli::main()
}
