//! A state as a folder: `state.json`, and beside it tensors as safetensors. Parts whose tensors are many and may be those of
//! the model itself (weights, the best weights) have files of their own, so that the store keeps equal ones once.
//!
//! `state.json` names format, position, environment, values, and the other files with their digests, and ends with a digest of
//! all that. So whatever is damaged is found before anything is believed.

use super::state::{Part, Position, State};
use crate::failure::Failure;
use crate::tensors::{TensorFile, write_new};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use tch::Tensor;

/// Raised when a folder's form changes; folders of another format are not read.
const FORMAT: u32 = 1;
/// The file that names the others.
const HEAD: &str = "state.json";
/// The file of all parts that have none of their own.
const REST: &str = "state.safetensors";
/// The parts with a file of their own, under the names that the model's file has.
const OWN_FILE: &[&str] = &["weights", "best"];

/// What stands in [`HEAD`].
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    at: Position,
    environment: BTreeMap<String, String>,
    /// Digests of the other files.
    files: BTreeMap<String, String>,
    values: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    state: Value,
    /// Of `state`, as it is written: compact, keys sorted.
    blake3: String,
}

/// The files of a state by name, wherever they lie.
pub type Files = BTreeMap<String, PathBuf>;

/// The files of a folder.
///
/// # Errors
/// When it cannot be read.
pub fn files_of(folder: &Path) -> std::io::Result<Files> {
    std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
        .collect()
}

/// A state that was read; its tensors share the mappings of files, so they must not outlive this.
pub struct Loaded {
    /// The state.
    pub state: State,
    // Dropped last.
    _files: Vec<TensorFile>,
}

/// Writes a state into a folder, which must be there and empty. Equal states are equal bytes.
///
/// # Errors
/// When something cannot be written.
pub fn write_folder(folder: &Path, state: &State) -> Result<(), Failure> {
    let mut files: BTreeMap<String, BTreeMap<String, Tensor>> = BTreeMap::new();
    for (part, Part { tensors, .. }) in &state.parts {
        let own = OWN_FILE.contains(&part.as_str());
        let file = if own { format!("{part}.safetensors") } else { REST.to_owned() };
        for (name, tensor) in tensors {
            let name = if own { name.clone() } else { format!("{part}/{name}") };
            files.entry(file.clone()).or_default().insert(name, tensor.shallow_clone());
        }
    }
    let mut head = Head {
        format: FORMAT,
        at: state.at,
        environment: state.environment.clone(),
        files: BTreeMap::new(),
        values: state.parts.iter().map(|(name, part)| (name.clone(), part.values.clone())).collect(),
    };
    for (name, tensors) in files {
        let path = folder.join(&name);
        write_new(&path, &tensors)?;
        head.files.insert(name, digest(&path).map_err(|error| Failure::io("read", &path, &error))?);
    }
    let path = folder.join(HEAD);
    std::fs::write(&path, seal(&head)?).map_err(|error| Failure::io("write", &path, &error))
}

fn seal(head: &Head) -> Result<Vec<u8>, Failure> {
    let failed = |error: serde_json::Error| Failure::new(format!("the checkpoint: {error}"));
    let state = serde_json::to_value(head).map_err(failed)?;
    let blake3 = digest_of(&state)?;
    serde_json::to_vec(&Sealed { state, blake3 }).map_err(failed)
}

fn digest_of(state: &Value) -> Result<String, Failure> {
    let text = serde_json::to_vec(state).map_err(|error| Failure::new(format!("the checkpoint: {error}")))?;
    Ok(blake3::hash(&text).to_hex().to_string())
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Where a state is, without reading its tensors.
///
/// # Errors
/// What is wrong with it, in words.
pub fn position(files: &Files) -> Result<Position, String> {
    read_head(files).map(|head| head.at)
}

fn read_head(files: &Files) -> Result<Head, String> {
    let path = files.get(HEAD).ok_or_else(|| format!("`{HEAD}` is missing"))?;
    let text = std::fs::read(path).map_err(|error| format!("`{HEAD}`: {}", kilter::stage::io_words(&error)))?;
    let damaged = || format!("`{HEAD}` is damaged");
    let sealed: Sealed = serde_json::from_slice(&text).map_err(|_| damaged())?;
    if digest_of(&sealed.state).map_err(|_| damaged())? != sealed.blake3 {
        return Err(damaged());
    }
    match sealed.state.get("format").and_then(Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => serde_json::from_value(sealed.state).map_err(|_| damaged()),
        _ => Err("it is of another version of kilter".to_owned()),
    }
}

/// Reads a state; every byte of it is checked.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_folder(files: &Files) -> Result<Loaded, String> {
    let head = read_head(files)?;
    let mut parts: BTreeMap<String, Part> =
        head.values.into_iter().map(|(name, values)| (name, Part { values, ..Part::default() })).collect();
    let mut open = Vec::new();
    for (name, wanted) in &head.files {
        let path = files.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
        let found = digest(path).map_err(|error| format!("`{name}`: {}", kilter::stage::io_words(&error)))?;
        if found != *wanted {
            return Err(format!("`{name}` is damaged"));
        }
        let file = TensorFile::open(path).map_err(|failure| failure.message)?;
        let own = OWN_FILE.iter().find(|part| name.strip_suffix(".safetensors") == Some(**part));
        for (tensor_name, tensor) in file.tensors() {
            let (part, tensor_name) = match own {
                Some(part) => (*part, tensor_name.as_str()),
                None => tensor_name.split_once('/').ok_or_else(|| format!("`{name}` is damaged"))?,
            };
            let part = parts.entry(part.to_owned()).or_default();
            part.tensors.insert(tensor_name.to_owned(), tensor.shallow_clone());
        }
        open.push(file);
    }
    Ok(Loaded { state: State { at: head.at, environment: head.environment, parts }, _files: open })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn state(step: u64) -> State {
        let mut weights = Part::default();
        weights.tensor("w", &Tensor::from_slice(&[1.0_f32, f32::NAN, step as f32])).expect("copied");
        let mut optimizer = Part::default();
        optimizer.tensor("first/w", &Tensor::from_slice(&[0.5_f64])).expect("copied");
        optimizer.value("started", &true).expect("a value");
        optimizer.number("lr", 0.1 + 0.2).expect("a number");
        optimizer.number("bound", f64::INFINITY).expect("a number");
        State {
            at: Position { epoch: 2, batch: 3, step, stopped: false },
            environment: BTreeMap::from([("device".to_owned(), "cpu".to_owned())]),
            parts: BTreeMap::from([("weights".to_owned(), weights), ("optimizer".to_owned(), optimizer)]),
        }
    }

    #[test]
    fn a_state_comes_back_bit_for_bit_and_is_written_the_same_again() {
        let (one, other) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
        write_folder(one.path(), &state(13)).expect("written");
        let loaded = read_folder(&files_of(one.path()).expect("files")).expect("read");
        assert_eq!(loaded.state.at, state(13).at);
        let optimizer = &loaded.state.parts["optimizer"];
        assert_eq!(optimizer.get_number("lr").expect("a number").to_bits(), (0.1_f64 + 0.2).to_bits());
        assert_eq!(optimizer.get_number("bound").expect("a number"), f64::INFINITY);
        assert!(optimizer.get::<bool>("started").expect("a value"));
        write_folder(other.path(), &loaded.state).expect("written");
        for name in [HEAD, REST, "weights.safetensors"] {
            let bytes = |folder: &Path| std::fs::read(folder.join(name)).expect("bytes");
            assert_eq!(bytes(one.path()), bytes(other.path()), "{name}");
        }
    }

    #[test]
    fn every_changed_byte_is_found() {
        let folder = tempfile::tempdir().expect("folder");
        write_folder(folder.path(), &state(13)).expect("written");
        let files = files_of(folder.path()).expect("files");
        for path in files.values() {
            let sound = std::fs::read(path).expect("bytes");
            for at in (0..sound.len()).step_by(7) {
                let mut bytes = sound.clone();
                bytes[at] ^= 1;
                std::fs::write(path, &bytes).expect("written");
                assert!(read_folder(&files).is_err(), "{path:?}: byte {at}");
            }
            std::fs::write(path, &sound[..sound.len() / 2]).expect("written");
            assert!(read_folder(&files).is_err(), "{path:?} cut off");
            std::fs::write(path, &sound).expect("written");
        }
        assert!(read_folder(&files).is_ok());
    }
}
