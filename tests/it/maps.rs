//! `kilter` never loads libtorch: neither the library, which this test is linked with, nor the program while it runs.

use crate::sandbox::Sandbox;
use std::process::Stdio;

fn libraries(process: &str) -> Vec<String> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("the memory map of a live process");
    let named = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    named.filter(|name| name.contains(".so")).map(str::to_owned).collect()
}

fn is_libtorch(name: &str) -> bool {
    name.contains("libtorch") || name.contains("libc10")
}

#[test]
fn the_library_does_not_map_libtorch() {
    let libraries = libraries("self");
    assert!(!libraries.is_empty());
    assert!(!libraries.iter().any(|name| is_libtorch(name)), "{libraries:?}");
}

#[test]
fn the_program_does_not_map_libtorch_while_it_runs() {
    let sandbox = Sandbox::with_manifest(
        "[pipeline]\nname = \"maps\"\nedition = \"2026\"\n\n[stage.wait]\nkind = \"exec\"\n\
         command = [\"sh\", \"-c\", \"echo > started; sleep 3; echo > done\"]\noutputs.done = { path = \"done\" }\n",
    );
    let mut child = sandbox.command(&["run", "pipeline.toml"]).stderr(Stdio::null()).spawn().expect("kilter starts");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let libraries = libraries(&child.id().to_string());
    assert!(child.wait().expect("kilter ends").success());
    assert!(libraries.iter().any(|name| name.contains("libc.so")), "{libraries:?}");
    assert!(!libraries.iter().any(|name| is_libtorch(name)), "{libraries:?}");
}
