//! Jobs, and the files that they need, written by hand: this program has no dependencies.

use std::path::Path;

/// The protocol that this checkout's worker speaks: `kilter::job::PROTOCOL`, which a test compares.
pub const PROTOCOL: u32 = 3;

/// A training of images of 16 x 16 with a bright quarter, which is the class.
pub struct Training<'a> {
    pub folder: &'a Path,
    /// The network's layers, as JSON, but for the last.
    pub layers: &'a str,
    pub device: &'a str,
    pub rows: usize,
    pub batch_size: usize,
    pub epochs: usize,
    /// More fields, as JSON with a comma behind.
    pub more: &'a str,
    pub out: &'a str,
}

const FILLED: &str = r#""validate": null, "weights": null, "shuffle": true, "drop_last": false, "ema": null,
    "gradient_norms": false, "clip": null, "early_stop": null, "augment": null, "schedule": "constant", "seed": 3,
    "loss": "cross_entropy", "optimizer": {"adam": {"lr": 0.002}}"#;
const TASK: &str = r#"{"task": "category", "classes": ["a", "b", "c", "d"]}"#;

const IMAGE: &str = r#"{"name": "image", "shape": [{"Fixed": 1}, {"Fixed": 16}, {"Fixed": 16}], "dtype": "u8", "scale": 255.0, "cardinality": null, "columns": []}"#;
const WORDS: &str = r#"{"name": "words", "shape": [{"Fixed": 400}], "dtype": "f32", "scale": null, "cardinality": null, "columns": []}"#;
/// How many columns the words have.
const COLUMNS: usize = 400;

impl Training<'_> {
    /// Writes what it needs, and gives the job.
    pub fn job(&self) -> Result<String, String> {
        write_images(&self.folder.join("data.safetensors"), self.rows)?;
        self.of(IMAGE)
    }

    /// The same of sparse rows, which have a few words of many.
    pub fn sparse_job(&self) -> Result<String, String> {
        write_words(&self.folder.join("data.safetensors"), self.rows)?;
        self.of(WORDS)
    }

    fn of(&self, input: &str) -> Result<String, String> {
        let place = |name: &str| self.folder.join(name);
        let inputs = format!("[{input}]");
        let architecture = format!(
            r#"{{"inputs": {inputs}, "towers": [], "layers": [{}, {{"linear": {{"out": 4}}}}], "output": [{{"Fixed": 4}}],
                "target": {{"name": "label", "task": {TASK}}}}}"#,
            self.layers
        );
        write(&place("architecture.json"), architecture.as_bytes())?;
        let defaults = [("accumulate", "1"), ("precision", "\"f32\""), ("deterministic", "true")];
        let defaults: String = defaults
            .iter()
            .filter(|(name, _)| !self.more.contains(&format!("\"{name}\"")))
            .map(|(name, value)| format!("\"{name}\": {value}, "))
            .collect();
        Ok(format!(
            r#"{{"do": "train", "setting": {}, "architecture": {}, "data": {}, "target": "label", "task": {TASK}, {FILLED},
                {defaults}{} "epochs": {}, "batch_size": {}, "out": {}}}"#,
            setting(self.device),
            quoted(&place("architecture.json")),
            quoted(&place("data.safetensors")),
            self.more,
            self.epochs,
            self.batch_size,
            quoted(&place(self.out)),
        ))
    }
}

/// The tokens that a language model knows: no multiple of anything.
const VOCABULARY: usize = 1031;
const PLACES: usize = 32;

/// A small language model, with `body` as JSON between its embedding and its last norm, of rows in which each token follows from the one before; writes what it needs.
pub fn language(folder: &Path, device: &str, body: &str, precision: &str, out: &str) -> Result<String, String> {
    let place = |name: &str| folder.join(name);
    write_tokens(&place("data.safetensors"), 256)?;
    let task = format!(r#"{{"task": "next_token", "vocabulary": {VOCABULARY}}}"#);
    let architecture = format!(
        r#"{{"inputs": [{{"name": "text", "shape": [{{"Fixed": {PLACES}}}], "dtype": "i32", "scale": null,
                "cardinality": {{"Fixed": {VOCABULARY}}}, "columns": []}}], "towers": [],
            "layers": [{{"embedding": {{"dim": 64, "count": {VOCABULARY}}}}}, {{"position": {{"kind": "learned", "count": {PLACES}}}}},
                {body}, "layer_norm",
                {{"linear": {{"in": 64, "out": {VOCABULARY}, "bias": true}}}}],
            "output": [{{"Fixed": {PLACES}}}, {{"Fixed": {VOCABULARY}}}], "target": {{"name": "text", "task": {task}}}}}"#
    );
    write(&place("architecture.json"), architecture.as_bytes())?;
    Ok(format!(
        r#"{{"do": "train", "setting": {}, "architecture": {}, "data": {}, "target": "text", "task": {task}, {FILLED},
            "accumulate": 1, "precision": "{precision}", "deterministic": true, "epochs": 30, "batch_size": 64, "out": {}}}"#,
        setting(device),
        quoted(&place("architecture.json")),
        quoted(&place("data.safetensors")),
        quoted(&place(out)),
    ))
}

/// A prediction of the same rows by these weights.
pub fn predict(folder: &Path, device: &str, weights: &str, out: &str) -> String {
    let place = |name: &str| quoted(&folder.join(name));
    format!(
        r#"{{"do": "predict", "setting": {}, "architecture": {}, "weights": {}, "data": {}, "batch_size": 256, "out": {}}}"#,
        setting(device),
        place("architecture.json"),
        place(weights),
        place("data.safetensors"),
        place(out),
    )
}

fn setting(device: &str) -> String {
    format!(r#"{{"threads": 2, "numerics": "native", "device": "{device}"}}"#)
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// Pseudo-random numbers, the same every time.
fn random() -> impl FnMut() -> u64 {
    let mut state = 7_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// Rows of three words each, as safetensors: the quarter of the words that the first is of is the class.
fn write_words(path: &Path, rows: usize) -> Result<(), String> {
    let mut next = random();
    let (mut indptr, mut indices, mut values, mut labels) = (vec![0_i64], Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let first = next() as usize % COLUMNS;
        let mut words = vec![first, next() as usize % COLUMNS, next() as usize % COLUMNS];
        words.sort_unstable();
        words.dedup();
        for word in words {
            indices.extend((word as i32).to_le_bytes());
            values.extend(if word == first { 2.0_f32 } else { 0.5 }.to_le_bytes());
        }
        indptr.push((indices.len() / 4) as i64);
        labels.extend(((first * 4 / COLUMNS) as i64).to_le_bytes());
    }
    let longs = |numbers: &[i64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let tensors = [
        ("csr.columns.words", "I64", 1, longs(&[COLUMNS as i64])),
        ("csr.indptr.words", "I64", rows + 1, longs(&indptr)),
        ("target.label", "I64", rows, labels),
        ("csr.indices.words", "I32", values.len() / 4, indices),
        ("csr.values.words", "F32", values.len() / 4, values),
    ];
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (name, dtype, length, bytes) in tensors {
        let begin = data.len();
        data.extend(bytes);
        entries.push(format!(
            r#""{name}": {{"dtype": "{dtype}", "shape": [{length}], "data_offsets": [{begin}, {}]}}"#,
            data.len()
        ));
    }
    write(path, &safetensors(&format!("{{{}}}", entries.join(", ")), &data))
}

/// Rows of tokens, each of which decides the next; the last of a row has none after it.
fn write_tokens(path: &Path, rows: usize) -> Result<(), String> {
    let mut next = random();
    let (mut tokens, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let mut token = next() as usize % VOCABULARY;
        for at in 0..PLACES {
            let following = (token * 7 + 3) % VOCABULARY;
            tokens.extend((token as i32).to_le_bytes());
            targets.extend(if at + 1 == PLACES { -100 } else { following as i32 }.to_le_bytes());
            token = following;
        }
    }
    let length = tokens.len();
    let header = format!(
        r#"{{"target.text": {{"dtype": "I32", "shape": [{rows}, {PLACES}], "data_offsets": [0, {length}]}},
            "feature.text": {{"dtype": "I32", "shape": [{rows}, {PLACES}], "data_offsets": [{length}, {}]}}}}"#,
        2 * length
    );
    targets.extend(tokens);
    write(path, &safetensors(&header, &targets))
}

/// A file of safetensors of its header and its data.
fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{header:width$}", width = header.len().next_multiple_of(8));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// Pseudo-random images, the same every time, as safetensors.
fn write_images(path: &Path, rows: usize) -> Result<(), String> {
    let mut next = random();
    let (mut pixels, mut labels) = (Vec::with_capacity(rows * 256), Vec::with_capacity(rows * 8));
    for _ in 0..rows {
        let class = next() % 4;
        labels.extend((class as i64).to_le_bytes());
        for at in 0..256_u64 {
            let quarter = (at / 16 / 8) * 2 + (at % 16) / 8;
            let bright = if quarter == class { 90 } else { 0 };
            pixels.push((next() % 120 + bright) as u8);
        }
    }
    let (labels_end, end) = (labels.len(), labels.len() + pixels.len());
    let header = format!(
        r#"{{"target.label": {{"dtype": "I64", "shape": [{rows}], "data_offsets": [0, {labels_end}]}},
            "feature.image": {{"dtype": "U8", "shape": [{rows}, 1, 16, 16], "data_offsets": [{labels_end}, {end}]}}}}"#
    );
    labels.extend(pixels);
    write(path, &safetensors(&header, &labels))
}

/// The numbers of a file of one `f32` tensor.
pub fn read_floats(path: &Path) -> Result<Vec<f32>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let length = bytes.get(..8).and_then(|start| start.try_into().ok()).map_or(0, u64::from_le_bytes) as usize;
    let data = bytes.get(8 + length..).unwrap_or_default();
    Ok(data.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
}
