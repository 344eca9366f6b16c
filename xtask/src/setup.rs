//! Gets libtorch into `.libtorch/` of the workspace, by pip's download (hash-pinned, nothing installed into any
//! Python), so that plain `cargo build`, `run` and `test` work afterwards (`.cargo/config.toml` points `LIBTORCH` there).
//!
//! It can be interrupted and repeated: wheels are verified by pip, unpacking goes into a folder of its own that is
//! renamed at the end, and a stamp file says what is there.

use crate::command::{Failure, output, root, run};
use std::fs;
use std::path::{Path, PathBuf};

/// What is unpacked: the stamp's name, pip's requirements, and what `unpack.py` calls it.
struct Part {
    stamp: &'static str,
    requirements: &'static str,
    name: &'static str,
}

const CPU: Part = Part { stamp: "CPU", requirements: "xtask/libtorch.txt", name: "cpu" };
const CUDA: Part = Part { stamp: "CUDA", requirements: "xtask/libtorch-cuda.txt", name: "cuda" };

/// Makes sure that libtorch is there.
pub fn setup(cuda: bool) -> Result<(), Failure> {
    let home = root().join(".libtorch");
    if let Some(theirs) = given_by_user(&home) {
        return check_given(&theirs);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Failure::new(
            "libtorch is fetched for x86-64 Linux only; on another machine set LIBTORCH to an unpacked libtorch 2.11.0",
        ));
    }
    fetch(&home, &CPU)?;
    if cuda {
        fetch(&home, &CUDA)?;
    }
    Ok(())
}

/// `LIBTORCH` as the user set it: cargo itself sets it to our folder from `.cargo/config.toml`.
fn given_by_user(home: &Path) -> Option<PathBuf> {
    let given = PathBuf::from(std::env::var_os("LIBTORCH").filter(|text| !text.is_empty())?);
    let ours = home.join("torch");
    (given != ours && given.canonicalize().ok() != ours.canonicalize().ok().or(Some(ours))).then_some(given)
}

fn check_given(folder: &Path) -> Result<(), Failure> {
    let header = folder.join("include/torch/csrc/api/include/torch/torch.h");
    let library = folder.join("lib/libtorch_cpu.so");
    match [&header, &library].into_iter().find(|path| !path.exists()) {
        None => Ok(()),
        Some(missing) => Err(Failure::new(format!(
            "LIBTORCH is set to `{}`, but `{}` is not there; unset LIBTORCH to let kilter fetch libtorch 2.11.0",
            folder.display(),
            missing.display(),
        ))),
    }
}

fn fetch(home: &Path, part: &Part) -> Result<(), Failure> {
    let wanted = fs::read_to_string(root().join(part.requirements))
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", part.requirements)))?;
    let stamp = home.join(part.stamp);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let python = python()?;
    let wheels = home.join("wheels");
    let fresh = home.join(format!("unpacking-{}", part.name));
    let _ = fs::remove_dir_all(&fresh);
    make_folder(&wheels)?;
    eprintln!("fetching libtorch 2.11.0 ({}) into .libtorch/", part.name);
    download(&python, &wheels, part)?;
    unpack(&python, &wheels, &fresh, part)?;
    merge(&fresh, home)?;
    let _ = fs::remove_dir_all(&fresh);
    let _ = fs::remove_dir_all(&wheels);
    fs::write(&stamp, wanted).map_err(|error| Failure::new(format!("cannot write {}: {error}", stamp.display())))
}

/// pip picks the wheels of one fixed Python, whatever Python runs it: only their C++ libraries are used.
fn download(python: &str, wheels: &Path, part: &Part) -> Result<(), Failure> {
    let wheels = wheels.to_string_lossy();
    let args = [
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--implementation",
        "cp",
        "--python-version",
        "3.11",
        "--abi",
        "cp311",
        "--abi",
        "none",
    ];
    let platforms = [
        "manylinux_2_28",
        "manylinux_2_27",
        "manylinux_2_25",
        "manylinux_2_24",
        "manylinux_2_18",
        "manylinux_2_17",
        "manylinux2014",
        "manylinux2010",
        "manylinux1",
    ];
    let platforms: Vec<String> =
        platforms.iter().flat_map(|tag| ["--platform".to_owned(), format!("{tag}_x86_64")]).collect();
    let args = args.into_iter().chain(platforms.iter().map(String::as_str));
    run(python, args.chain(["--dest", &wheels, "--requirement", part.requirements]), &[]).map_err(|_| {
        Failure::new("pip could not download libtorch (above it says why); run the same command again to go on")
    })
}

fn unpack(python: &str, wheels: &Path, fresh: &Path, part: &Part) -> Result<(), Failure> {
    let mut args = vec!["xtask/unpack.py".to_owned(), part.name.to_owned(), fresh.to_string_lossy().into_owned()];
    let entries =
        fs::read_dir(wheels).map_err(|error| Failure::new(format!("cannot list {}: {error}", wheels.display())))?;
    let mut files: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path().to_string_lossy().into_owned()))
        .filter(|path| path.ends_with(".whl"))
        .collect();
    files.sort();
    args.extend(files);
    run(python, &args, &[]).map_err(|_| Failure::new("libtorch could not be unpacked; is the disk full? It needs 3 GB"))
}

/// Moves every file of `from` to the same place below `to`, file by file, so that nothing half-written is ever seen.
fn merge(from: &Path, to: &Path) -> Result<(), Failure> {
    let wrap = |path: &Path, error: std::io::Error| Failure::new(format!("cannot move {}: {error}", path.display()));
    make_folder(to)?;
    for entry in fs::read_dir(from).map_err(|error| wrap(from, error))? {
        let path = entry.map_err(|error| wrap(from, error))?.path();
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_dir() {
            merge(&path, &target)?;
        } else {
            fs::rename(&path, &target).map_err(|error| wrap(&path, error))?;
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| Failure::new(format!("cannot make {}: {error}", path.display())))
}

fn python() -> Result<String, Failure> {
    for name in ["python3", "python"] {
        if output(name, ["-m", "pip", "--version"]).is_ok() {
            return Ok(name.to_owned());
        }
    }
    Err(Failure::new(
        "python3 with pip is needed to fetch libtorch; install them, or set LIBTORCH to an unpacked libtorch 2.11.0",
    ))
}
