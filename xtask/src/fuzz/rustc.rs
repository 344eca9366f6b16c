//! This program in place of rustc while fuzz targets are built (`RUSTC_WRAPPER`): it leaves coverage out of polars.
//!
//! cargo-fuzz asks for coverage in every crate. No target runs a query, and `polars-ops` with coverage takes more memory than
//! most machines have (20 GB in one codegen unit, 6 GB and growing in sixteen).

use crate::command::Failure;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// Set where cargo is to start rustc through this program.
pub const MARK: &str = "XTASK_IN_PLACE_OF_RUSTC";
/// Crates whose names begin so are compiled without coverage.
const UNCOVERED: &str = "polars";
/// The flags by which cargo-fuzz asks for coverage begin so.
const COVERAGE: &[&str] = &["-Cpasses=sancov", "-Cllvm-args=-sanitizer-coverage", "-Cllvm-args=-simplifycfg"];

/// What `RUSTC_WRAPPER` is to be: this program.
pub fn wrapper() -> Result<String, Failure> {
    let path = std::env::current_exe().map_err(|error| Failure::new(format!("cannot find this program: {error}")))?;
    Ok(path.display().to_string())
}

/// Becomes the compiler, if cargo started this program in its place: `xtask RUSTC ARG …`.
pub fn in_place_of_rustc(args: &[String]) -> Option<ExitCode> {
    std::env::var_os(MARK)?;
    let (rustc, args) = args.split_first()?;
    let error = Command::new(rustc).args(kept(args)).exec();
    eprintln!("xtask: cannot start `{rustc}`: {error}");
    Some(ExitCode::FAILURE)
}

/// The arguments without those that ask for coverage, where the crate is to have none.
fn kept(args: &[String]) -> Vec<&String> {
    let named = args.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1].starts_with(UNCOVERED));
    args.iter().filter(|arg| !(named && COVERAGE.iter().any(|start| arg.starts_with(start)))).collect()
}

#[cfg(test)]
mod tests {
    use super::kept;

    fn args(crate_name: &str) -> Vec<String> {
        [
            "--crate-name",
            crate_name,
            "-Cpasses=sancov-module",
            "-Cllvm-args=-sanitizer-coverage-level=4",
            "-Copt-level=1",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn only_polars_is_compiled_without_coverage() {
        assert_eq!(kept(&args("polars_ops")), ["--crate-name", "polars_ops", "-Copt-level=1"]);
        assert_eq!(kept(&args("sqlparser")), args("sqlparser").iter().collect::<Vec<_>>());
    }
}
