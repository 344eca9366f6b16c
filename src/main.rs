//! The program `kilter`; everything is in the library.

fn main() -> std::process::ExitCode {
    kilter::cli::main()
}
