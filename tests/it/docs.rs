//! Every command of the guide is run, page after page, in one folder that holds only `penguins.csv`.
//!
//! ` ```toml `, `yaml`, `sh` and `python` blocks whose first line is `# file: NAME` are written there, `# append: NAME` appended; the lines of
//! ` ```console ` blocks that begin with `$ ` are run by a shell in which `kilter` is the built program. The info string
//! may name the exit code (`console exit=2`); codes such as `E0213` in a block must appear in what it printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGES: &[&str] = &[
    "first-pipeline",
    "caching",
    "lock",
    "history",
    "diagnostics",
    "data",
    "sources",
    "tables",
    "models",
    "training",
    "text",
    "axes",
    "many-stages",
    "import",
    "ci",
];

/// One fenced block of a page.
struct Block {
    info: String,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => found.push(block),
            (Some(info), None) => open = Some(Block { info: info.to_owned(), text: String::new(), line: index + 1 }),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `PATH` with the built program in front.
pub fn path_with_kilter() -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_kilter")).parent().expect("a folder").to_path_buf();
    let old = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::iter::once(folder).chain(std::env::split_paths(&old)).collect();
    std::env::join_paths(folders).expect("a path").to_string_lossy().into_owned()
}

fn write_file(folder: &Path, block: &Block) {
    let first = block.text.lines().next().unwrap_or_default();
    if let Some(name) = first.strip_prefix("# file: ") {
        fs::write(folder.join(name), &block.text).expect("writable");
    } else if let Some(name) = first.strip_prefix("# append: ") {
        let before = fs::read_to_string(folder.join(name)).expect("the file to append to");
        fs::write(folder.join(name), before + &block.text).expect("writable");
    }
}

fn run_block(folder: &Path, page: &str, block: &Block) {
    let wanted: i32 = block.info.split("exit=").nth(1).map_or(0, |code| code.trim().parse().expect("an exit code"));
    let mut printed = String::new();
    for command in block.text.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let out = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder)
            .env("PATH", path_with_kilter())
            .env("NO_COLOR", "1")
            .output()
            .expect("sh runs");
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        let code = out.status.code();
        assert_eq!(code, Some(wanted), "docs/guide/{page}.md:{}: `{command}`\n{said}", block.line);
        printed.push_str(&said);
    }
    for word in block.text.split(|c: char| !c.is_alphanumeric()).filter(|word| is_code(word)) {
        assert!(printed.contains(word), "docs/guide/{page}.md:{}: {word} was not reported\n{printed}", block.line);
    }
}

fn is_code(word: &str) -> bool {
    word.len() == 5 && word.starts_with(['E', 'W']) && word[1..].chars().all(|c| c.is_ascii_digit())
}

#[test]
fn every_command_of_the_guide_runs() {
    if !cfg!(feature = "torch") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(root().join("tests/data/penguins.csv"), folder.path().join("penguins.csv")).expect("the data");
    for page in PAGES {
        let text = fs::read_to_string(root().join(format!("docs/guide/{page}.md"))).expect("a page");
        for block in blocks(&text) {
            match block.info.split_whitespace().next() {
                Some("toml" | "yaml" | "sh" | "python") => write_file(folder.path(), &block),
                Some("console") => run_block(folder.path(), page, &block),
                _ => {}
            }
        }
    }
}

#[test]
fn every_page_is_run() {
    let mut pages: Vec<String> = fs::read_dir(root().join("docs/guide"))
        .expect("the guide")
        .filter_map(|entry| entry.expect("an entry").path().file_stem().map(|name| name.to_string_lossy().into_owned()))
        .filter(|name| name != "README")
        .collect();
    pages.sort();
    let mut known: Vec<&str> = PAGES.to_vec();
    known.sort_unstable();
    assert_eq!(pages, known);
}
