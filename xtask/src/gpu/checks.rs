//! What must hold on a GPU.

use super::job::{Training, language, predict, read_floats};
use super::worker::Worker;
use std::process::Command;

/// A check: gives in words what was seen, or why it does not hold.
pub struct Check {
    pub name: &'static str,
    pub run: fn(&mut Worker) -> Result<String, String>,
}

/// All of them.
pub const CHECKS: &[Check] = &[
    Check { name: "same_bytes_twice", run: same_bytes_twice },
    Check { name: "near_the_processor", run: near_the_processor },
    Check { name: "called_by_its_name", run: called_by_its_name },
    Check { name: "fewer_bits", run: fewer_bits },
    Check { name: "language_in_fewer_bits", run: language_in_fewer_bits },
    Check { name: "parts_make_the_step", run: parts_make_the_step },
    Check { name: "every_optimizer", run: every_optimizer },
    Check { name: "no_step_from_no_number", run: no_step_from_no_number },
    Check { name: "augmented_there", run: augmented_there },
    Check { name: "recorded_steps", run: recorded_steps },
    Check { name: "stopped_and_gone_on", run: stopped_and_gone_on },
    Check { name: "refused_by_name", run: refused_by_name },
    Check { name: "rows_from_the_processor", run: rows_from_the_processor },
    Check { name: "too_large_a_batch", run: too_large_a_batch },
];

const CNN: &str = r#"{"conv2d": {"out": 16, "kernel": 3, "padding": 1, "bias": false}}, "batch_norm", "relu", {"max_pool2d": 2},
    {"conv2d": {"out": 32, "kernel": 3, "padding": 1}}, "relu", {"dropout": 0.1}, "global_avg_pool""#;
const MLP: &str = r#""flatten", {"linear": {"out": 64}}, "layer_norm", {"gelu": {}}"#;

fn training<'a>(worker: &'a Worker, layers: &'a str, more: &'a str, out: &'a str) -> Training<'a> {
    let folder = worker.folder.as_path();
    Training { folder, layers, device: worker.device, rows: 2000, batch_size: 100, epochs: 3, more, out }
}

fn train(worker: &mut Worker, layers: &str, more: &str, out: &str) -> Result<f64, String> {
    let job = training(worker, layers, more, out).job()?;
    worker.done(&job)?.number("epoch", "loss")
}

fn bytes(worker: &Worker, name: &str) -> Result<Vec<u8>, String> {
    std::fs::read(worker.folder.join(name)).map_err(|error| format!("{name}: {error}"))
}

fn same_bytes_twice(worker: &mut Worker) -> Result<String, String> {
    let loss = train(worker, CNN, "", "one")?;
    train(worker, CNN, "", "two")?;
    let same = bytes(worker, "one")? == bytes(worker, "two")?;
    same.then(|| format!("two trainings of a CNN with dropout, the same weights (loss {loss:.4})"))
        .ok_or_else(|| "two trainings gave other weights".to_owned())
}

/// Predictions of one model by GPU and processor.
fn near_the_processor(worker: &mut Worker) -> Result<String, String> {
    train(worker, CNN, "", "weights")?;
    for (device, out) in [("cpu", "cpu"), (worker.device, "cuda")] {
        let job = predict(&worker.folder, device, "weights", out);
        worker.done(&job)?;
    }
    let (cpu, cuda) = (read_floats(&worker.folder.join("cpu"))?, read_floats(&worker.folder.join("cuda"))?);
    let far = cpu.iter().zip(&cuda).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let count = cpu.len();
    (count == cuda.len() && count == 8000 && far < 1e-4)
        .then(|| format!("{count} outputs, at most {far:e} apart"))
        .ok_or_else(|| format!("{count} and {} outputs, {far} apart", cuda.len()))
}

/// What is recorded of a job is the name of the GPU that computed it.
fn called_by_its_name(worker: &mut Worker) -> Result<String, String> {
    let job = training(worker, MLP, "", "weights").job()?;
    let told = worker.done(&job)?;
    let name = told.text("device")?;
    let known = if worker.device == "cpu" { "cpu".to_owned() } else { names_of_gpus()? };
    known
        .lines()
        .any(|line| line.trim() == name)
        .then(|| name.to_owned())
        .ok_or_else(|| format!("{name:?} is none of {known:?}"))
}

fn names_of_gpus() -> Result<String, String> {
    let listed = Command::new("nvidia-smi").args(["--query-gpu=name", "--format=csv,noheader"]).output();
    Ok(String::from_utf8_lossy(&listed.map_err(|error| format!("nvidia-smi: {error}"))?.stdout).into_owned())
}

fn fewer_bits(worker: &mut Worker) -> Result<String, String> {
    let full = train(worker, CNN, "", "f32")?;
    let mut seen = vec![format!("f32 {full:.4}")];
    for bits in ["tf32", "bf16", "f16"].into_iter().skip(usize::from(worker.device == "cpu")) {
        let more = format!(r#""precision": "{bits}","#);
        let loss = train(worker, CNN, &more, bits)?;
        train(worker, CNN, &more, "again")?;
        if bytes(worker, bits)? != bytes(worker, "again")? {
            return Err(format!("two trainings in {bits} gave other weights"));
        }
        if bytes(worker, bits)? == bytes(worker, "f32")? {
            return Err(format!("{bits} gave the weights of f32"));
        }
        // Ten times what was seen.
        if (loss - full).abs() > 0.01 * full {
            return Err(format!("the loss in {bits} is {loss}, in f32 {full}"));
        }
        seen.push(format!("{bits} {loss:.4}"));
    }
    Ok(format!("losses: {}", seen.join(", ")))
}

const TRANSFORMER: &str = r#"{"transformer_encoder": {"layers": 2, "heads": 4, "causal": true, "norm": "pre", "activation": "gelu",
    "dropout": 0.0, "attention_dropout": 0.0, "feedforward": 128}}"#;
const LSTM: &str = r#"{"lstm": {"hidden": 64, "layers": 2, "dropout": 0.1, "output": "sequence"}}"#;

/// Language models whose vocabulary is no multiple of anything learn the same in bf16 and f16, and twice the same.
fn language_in_fewer_bits(worker: &mut Worker) -> Result<String, String> {
    let mut seen = Vec::new();
    // Not every processor computes recurrent layers in so few bits.
    let bodies = if worker.device == "cpu" { 1 } else { 2 };
    for (name, body) in [("transformer", TRANSFORMER), ("lstm", LSTM)].into_iter().take(bodies) {
        let run = |worker: &mut Worker, precision: &str, out: &str| {
            let job = language(&worker.folder, worker.device, body, precision, out)?;
            worker.done(&job)?.number("epoch", "loss")
        };
        let full = run(worker, "f32", "f32")?;
        seen.push(format!("{name} {full:.4} in f32"));
        for bits in ["bf16", "f16"] {
            let fewer = run(worker, bits, bits)?;
            run(worker, bits, "again")?;
            if bytes(worker, bits)? != bytes(worker, "again")? {
                return Err(format!("two trainings of the {name} in {bits} gave other weights"));
            }
            if (fewer - full).abs() > 0.05 * full || full > 6.5 {
                return Err(format!("the loss of the {name} is {full} in f32, {fewer} in {bits}"));
            }
            seen.push(format!("{fewer:.4} in {bits}"));
        }
    }
    Ok(format!("losses (6.94 before): {}", seen.join(", ")))
}

fn parts_make_the_step(worker: &mut Worker) -> Result<String, String> {
    let whole = train(worker, MLP, "", "whole")?;
    let parts = train(worker, MLP, r#""accumulate": 4,"#, "parts")?;
    ((whole - parts).abs() < 1e-3)
        .then(|| format!("loss {whole:.5} at once, {parts:.5} in four parts"))
        .ok_or_else(|| format!("loss {whole} at once, {parts} in four parts"))
}

fn every_optimizer(worker: &mut Worker) -> Result<String, String> {
    let optimizers = [
        r#"{"sgd": {"lr": 0.05, "momentum": 0.9, "nesterov": true}}"#,
        r#"{"adamw": {"lr": 0.002, "no_decay": ["bias", "norm"]}}"#,
        r#"{"rmsprop": {"lr": 0.001, "centered": true, "momentum": 0.5}}"#,
        r#"{"muon": {"lr": 0.005}}"#,
    ];
    let mut seen = Vec::new();
    for optimizer in optimizers {
        let job = training(worker, MLP, r#""ema": {"decay": 0.9},"#, "weights").job()?;
        let job = job.replace(r#""ema": null,"#, "").replace(r#"{"adam": {"lr": 0.002}}"#, optimizer);
        let told = worker.done(&job)?;
        let loss = told.number("epoch", "loss")?;
        if loss > 0.7 {
            return Err(format!("{optimizer} ends at a loss of {loss}"));
        }
        seen.push(format!("{loss:.3}"));
    }
    Ok(format!("losses of sgd, adamw, rmsprop, muon: {}", seen.join(", ")))
}

/// A loss that is no number is told with its layer, because no rule has made a step from it that spoilt the weights.
fn no_step_from_no_number(worker: &mut Worker) -> Result<String, String> {
    let beyond = r#""flatten", {"linear": {"out": 64, "init": {"constant": {"value": 1e38}}}}, "relu""#;
    let mut seen = String::new();
    for rule in ["sgd", "adam", "adamw", "rmsprop", "muon"] {
        for bits in ["f32", "f16"] {
            let more = format!(r#""precision": "{bits}","#);
            let job = training(worker, beyond, &more, "weights").job()?;
            let told = worker.run(&job.replace(r#"{"adam": {"lr": 0.002}}"#, &format!("{rule:?}")))?;
            told.failure().unwrap_or("a loss that is no number was learnt from").clone_into(&mut seen);
            if !["at step 1 ", "`layers.1`"].iter().all(|part| seen.contains(part)) {
                return Err(format!("{rule} in {bits}: {seen}"));
            }
        }
    }
    Ok(seen.chars().take(200).collect())
}

fn augmented_there(worker: &mut Worker) -> Result<String, String> {
    let augment = r#"{"flip": false, "shift": 1, "erase": 4, "mixup": 0.2}"#;
    let run = |worker: &mut Worker, out: &str| {
        let job =
            training(worker, CNN, "", out).job()?.replace(r#""augment": null"#, &format!(r#""augment": {augment}"#));
        worker.done(&job)?.number("epoch", "loss")
    };
    let loss = run(worker, "one")?;
    run(worker, "two")?;
    let same = bytes(worker, "one")? == bytes(worker, "two")?;
    same.then(|| format!("moved, erased and mixed twice alike (loss {loss:.4})"))
        .ok_or_else(|| "two trainings with augmentation gave other weights".to_owned())
}

/// Steps that are replayed: the same bytes twice, with dropout, and near what steps give that are not. A step that waits for the GPU
/// cannot be recorded, so that in f16 this shows that none does.
fn recorded_steps(worker: &mut Worker) -> Result<String, String> {
    let layers = format!("{CNN}, {MLP}");
    let mut seen = Vec::new();
    for bits in ["f32", "f16"] {
        let more = format!(r#""precision": "{bits}","#);
        let usual = train(worker, &layers, &more, "usual")?;
        let graph = format!(r#"{more} "graph": true,"#);
        let replayed = train(worker, &layers, &graph, "replayed")?;
        train(worker, &layers, &graph, "again")?;
        if bytes(worker, "replayed")? != bytes(worker, "again")? {
            return Err(format!("two trainings with recorded steps in {bits} gave other weights"));
        }
        if (usual - replayed).abs() > 1e-2 {
            return Err(format!("the loss in {bits} is {usual} as usual, {replayed} replayed"));
        }
        seen.push(format!("{bits} {usual:.5} as usual, {replayed:.5} replayed"));
    }
    Ok(format!("losses: {}, twice the same bytes", seen.join(", ")))
}

/// A training that is stopped within an epoch and goes on from its checkpoint ends with the bytes of one that was not: as usual, with
/// recorded steps, of which some are then made as usual, and with a scaled loss.
fn stopped_and_gone_on(worker: &mut Worker) -> Result<String, String> {
    let layers = format!("{CNN}, {MLP}");
    let mut seen = Vec::new();
    for more in ["", r#""graph": true,"#, r#""graph": true, "precision": "f16","#] {
        // Long enough to be stopped.
        let of = |worker: &Worker, more: &str, out: &str| {
            Training { epochs: 20, ..training(worker, &layers, more, out) }.job()
        };
        let straight = of(worker, more, "straight")?;
        worker.done(&straight)?;
        let folder = worker.folder.join(format!("checkpoints-{}", seen.len())).display().to_string();
        let kept = format!(r#"{more} "checkpoints": {{"folder": {folder:?}, "readable": [], "every": 3600.0}},"#);
        let stopped = of(worker, &kept, "stopped")?;
        if worker.run_and_stop(&stopped)?.failure().is_none() {
            return Err("a training ended before it could be stopped".to_owned());
        }
        let step = worker.done(&stopped)?.number("continues", "step")?;
        if bytes(worker, "straight")? != bytes(worker, "stopped")? {
            return Err(format!("{more} gone on with after step {step} it gave other weights"));
        }
        seen.push(step.to_string());
    }
    Ok(format!("gone on with after steps {} of 400, the same bytes", seen.join(", ")))
}

/// What CUDA has in no reproducible form is refused by its name, and computed where nobody asks for equal numbers.
fn refused_by_name(worker: &mut Worker) -> Result<String, String> {
    if worker.device == "cpu" {
        return Ok("not tried: a processor computes everything reproducibly".to_owned());
    }
    // Windows of unequal size, which overlap, behind weights, so that their gradient is asked for.
    let uneven = r#"{"conv2d": {"out": 4, "kernel": 3, "padding": 1}}, {"adaptive_avg_pool2d": 5}, "flatten""#;
    let job = training(worker, uneven, "", "weights").job()?;
    let told = worker.run(&job)?;
    let words = told.failure().ok_or("a pool of unequal windows was computed reproducibly")?.to_owned();
    if !words.contains("adaptive_avg_pool2d") || !words.contains("deterministic = false") {
        return Err(words);
    }
    train(worker, uneven, r#""deterministic": false,"#, "weights")?;
    Ok(words.chars().take(200).collect())
}

/// Rows that do not lie on the GPU: sparse ones, shuffled and in their order, near what the processor makes of them.
fn rows_from_the_processor(worker: &mut Worker) -> Result<String, String> {
    let (mut seen, own) = (Vec::new(), worker.device);
    for shuffle in [true, false] {
        let mut run = |device, out| -> Result<f64, String> {
            let job = Training { device, ..training(worker, r#""relu""#, "", out) }.sparse_job()?;
            let job = job.replace(r#""shuffle": true"#, &format!(r#""shuffle": {shuffle}"#));
            worker.done(&job)?.number("epoch", "loss")
        };
        let (there, here) = (run(own, "one")?, run("cpu", "here")?);
        run(own, "two")?;
        if bytes(worker, "one")? != bytes(worker, "two")? {
            return Err("two trainings of sparse rows gave other weights".to_owned());
        }
        if (there - here).abs() > 1e-3 {
            return Err(format!("the loss of sparse rows is {there}, and {here} on the processor"));
        }
        seen.push(format!("{there:.4}"));
    }
    Ok(format!("losses of shuffled and unshuffled sparse rows: {}", seen.join(", ")))
}

/// A batch that no GPU holds: the message names one that fits, and parts make it fit.
fn too_large_a_batch(worker: &mut Worker) -> Result<String, String> {
    if worker.device == "cpu" {
        return Ok("not tried: a processor has no memory to run out of".to_owned());
    }
    // 16 x 16 x 4096 floats a row and layer.
    let wide = r#"{"conv2d": {"out": 4096, "kernel": 1}}, "relu", {"dropout": 0.1}, "global_avg_pool""#;
    let rows = 30_000;
    let large = |worker: &Worker, more: &str| {
        Training { rows, batch_size: rows, epochs: 1, ..training(worker, wide, more, "weights") }.job()
    };
    let job = large(worker, "")?;
    let told = worker.run(&job)?;
    let words = told.failure().ok_or("a batch of 30,000 rows of 4 MB each went well")?.to_owned();
    if !words.contains("out of memory") || !words.contains("batch_size") {
        return Err(words);
    }
    let job = large(worker, r#""accumulate": "auto","#)?;
    worker.done(&job)?;
    Ok(words.split("\"hints\"").nth(1).unwrap_or(&words).chars().take(200).collect())
}
