//! Compiles the worker's C++ shim against libtorch's headers and tells the worker alone where libtorch lies. The
//! library and `kilter` are linked with none of it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    at_a_fixed_address();
    #[cfg(feature = "torch")]
    worker::build();
}

/// Programs that lie where they were linked for. Else 430,000 pointers are put right before `main` whenever one starts, which is
/// most of the time that a command with nothing to do takes (docs/benchmarks.md, Start-up).
fn at_a_fixed_address() {
    let is = |what: &str, name: &str| std::env::var_os(what).is_some_and(|found| found == name);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}

#[cfg(feature = "torch")]
mod worker {
    use std::path::PathBuf;

    const FILES: [&str; 6] = [
        "src/worker/shim.cpp",
        "src/worker/kernels.cpp",
        "src/worker/bfloat.cpp",
        "src/worker/cuda.cpp",
        "src/worker/shim.hpp",
        "src/worker/bfloat.hpp",
    ];

    /// Compiles the shim into a static library that only the worker is linked with.
    pub fn build() {
        for file in FILES {
            println!("cargo:rerun-if-changed={file}");
        }
        println!("cargo:rerun-if-env-changed=LIBTORCH");
        let Some(libtorch) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
            println!(
                "cargo:error=LIBTORCH is not set; `cargo xtask setup` fetches libtorch, or build with --no-default-features"
            );
            return;
        };
        let Some(out) = std::env::var_os("OUT_DIR").map(PathBuf::from) else { return };
        cc::Build::new()
            .cpp(true)
            .pic(true)
            .std("c++17")
            .warnings(false)
            .flag("-DAT_PER_OPERATOR_HEADERS")
            // The kernels are most of a step whatever the profile is; their products are rounded one by one on every processor.
            .opt_level(3)
            .flag("-ffp-contract=off")
            .include(libtorch.join("include"))
            .include(libtorch.join("include/torch/csrc/api/include"))
            .files(FILES.iter().filter(|file| file.ends_with(".cpp")))
            // Without cargo's metadata: that would link the shim into the library, and so libtorch into `kilter`.
            .cargo_metadata(false)
            .compile("kilter_shim");
        let lib = libtorch.join("lib");
        for argument in [
            out.join("libkilter_shim.a").display().to_string(),
            format!("-L{}", lib.display()),
            "-ltorch_cpu".to_owned(),
            "-lc10".to_owned(),
            "-lstdc++".to_owned(),
            "-ldl".to_owned(),
            format!("-Wl,-rpath,{}", lib.display()),
            // Where libtorch lies beside an installed worker.
            "-Wl,-rpath,$ORIGIN/../lib/libtorch".to_owned(),
        ] {
            println!("cargo:rustc-link-arg-bin=kilter-torch={argument}");
        }
    }
}
