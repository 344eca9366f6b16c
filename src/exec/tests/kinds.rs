//! Small kinds. They write down when they run: `start NAME`, `end NAME` in the file `trace`.

use crate::diag::codes;
use crate::path;
use crate::stage::{
    CheckCx, Erased, ErrorKind, Family, FilePath, GateResult, Kind, Outputs, Port, Produced, Ref, RunCx, Stage,
    StageError, StageInfo,
};
use crate::types::{ArtifactType, Column, DType, TableSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::time::{Duration, Instant};

pub(super) const STAGES: &[&dyn Stage] =
    &[&Erased::<Emit>::NEW, &Erased::<Join>::NEW, &Erased::<Grow>::NEW, &Erased::<Pick>::NEW];

/// The same, with `emit` implemented anew.
pub(super) const STAGES_2: &[&dyn Stage] = &[&Erased::<Emit2>::NEW, &Erased::<Join>::NEW];

pub(super) const fn info(name: &'static str, family: Family, ports: &'static [Port]) -> StageInfo {
    StageInfo { name, family, version: 1, summary: "", ports, example: "", seeded: false, numeric: false }
}

const FILE: &[Port] = &[Port { name: "file", about: "" }];
const TABLE: &[Port] = &[Port { name: "table", about: "" }];

pub(super) fn trace(cx: &RunCx<'_>, what: &str) {
    let mut file = std::fs::File::options().create(true).append(true).open(cx.base.join("trace")).unwrap();
    // In one piece: other stages write too.
    file.write_all(format!("{what} {}\n", cx.stage).as_bytes()).unwrap();
}

/// The same, with an `emit` whose numbers come from libtorch.
pub(super) const NUMERIC: &[&dyn Stage] = &[&Erased::<EmitNumeric>::NEW, &Erased::<Join>::NEW];

/// Writes a text, or misbehaves.
pub(super) struct Emit;

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct EmitSpec {
    text: String,
    #[serde(default)]
    trim: bool,
    /// Milliseconds.
    #[serde(default)]
    sleep: u64,
    #[serde(default)]
    lr: f64,
    #[serde(default)]
    read: Option<FilePath>,
    /// `fail`, `panic`, `disk`, `undeclared`, `lie`, `touch`, `away`, `late`, `gate`, `wait`, `flaky`
    #[serde(default)]
    mischief: Option<String>,
}

impl Kind for Emit {
    type Spec = EmitSpec;
    const INFO: StageInfo = info("emit", Family::Open, FILE);

    fn check(_: &EmitSpec, _: &mut CheckCx<'_>) -> Outputs {
        Outputs::one("file", ArtifactType::File)
    }

    fn run(spec: &EmitSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        trace(cx, "start");
        std::thread::sleep(Duration::from_millis(spec.sleep));
        let mut text = spec.text.clone();
        let away = |when: &str, text: &str| {
            if spec.mischief.as_deref() == Some(when) {
                // Longer than the clock's tick.
                std::thread::sleep(Duration::from_millis(20));
                std::fs::write(cx.base.join("data.txt"), text).unwrap();
            }
        };
        away("away", "other");
        if let Some(file) = &spec.read {
            text += &std::fs::read_to_string(cx.base.join(&file.0)).unwrap();
        }
        away("away", "data");
        std::fs::write(cx.out("file")?.join("text.txt"), text).unwrap();
        let mut produced = Produced::new("a text").port("file", ArtifactType::File);
        match spec.mischief.as_deref() {
            Some("fail") => return Err(StageError::data("it went wrong").at(path!["text"]).hint("do better")),
            Some("flaky") => {
                let starts = std::fs::read_to_string(cx.base.join("trace")).unwrap();
                if starts.lines().filter(|line| **line == format!("start {}", cx.stage)).count() < 3 {
                    return Err(StageError::new(ErrorKind::Process, "it did not feel like it"));
                }
            }
            Some("panic") => panic!("out of cheese"),
            Some("undeclared") => std::fs::write(cx.out("more")?.join("x"), "").unwrap(),
            Some("lie") => produced.ports[0].ty = ArtifactType::Metrics,
            Some("touch") => std::fs::write(cx.base.join("data.txt"), "changed meanwhile").unwrap(),
            Some("late") => {
                cx.services.files_are_taken()?;
                away("late", "other");
                away("late", "data");
            }
            Some("gate") => produced.gates.push(GateResult {
                metric: "accuracy".into(),
                value: 0.91,
                min: Some(0.928),
                max: None,
                holds: false,
            }),
            Some("wait") => {
                let started = Instant::now();
                while started.elapsed() < Duration::from_secs(20) {
                    cx.check_cancelled()?;
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            _ => {}
        }
        trace(cx, "end");
        Ok(produced)
    }
}

/// `emit`, version 2: it adds a mark.
pub(super) struct Emit2;

impl Kind for Emit2 {
    type Spec = EmitSpec;
    const INFO: StageInfo = StageInfo { version: 2, ..Emit::INFO };

    fn check(spec: &EmitSpec, cx: &mut CheckCx<'_>) -> Outputs {
        Emit::check(spec, cx)
    }

    fn run(spec: &EmitSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let produced = Emit::run(spec, cx)?;
        let file = cx.out("file")?.join("text.txt");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, text + "!").unwrap();
        Ok(produced)
    }
}

/// `emit`, as if libtorch had computed the text.
pub(super) struct EmitNumeric;

impl Kind for EmitNumeric {
    type Spec = EmitSpec;
    const INFO: StageInfo = StageInfo { numeric: true, ..Emit::INFO };

    fn check(spec: &EmitSpec, cx: &mut CheckCx<'_>) -> Outputs {
        Emit::check(spec, cx)
    }

    fn run(spec: &EmitSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        Emit::run(spec, cx)
    }
}

/// Joins texts: each input in turn, in parentheses where it was joined before.
pub(super) struct Join;

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct JoinSpec {
    inputs: Vec<Ref>,
    #[serde(default)]
    fail: bool,
    #[serde(default)]
    label: String,
}

impl Kind for Join {
    type Spec = JoinSpec;
    const INFO: StageInfo = info("join", Family::Open, FILE);

    fn check(_: &JoinSpec, _: &mut CheckCx<'_>) -> Outputs {
        Outputs::one("file", ArtifactType::File)
    }

    fn run(spec: &JoinSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        trace(cx, "start");
        let mut text = spec.label.clone();
        for input in &spec.inputs {
            text += &std::fs::read_to_string(&cx.input_file(input)?.path).unwrap();
        }
        if spec.inputs.len() == 1 {
            text = format!("({text})");
        }
        std::fs::write(cx.out("file")?.join("text.txt"), text).unwrap();
        if spec.fail {
            return Err(StageError::data("it went wrong"));
        }
        trace(cx, "end");
        Ok(Produced::new("a text").port("file", ArtifactType::File))
    }
}

/// A source whose columns are known only when it has run.
pub(super) struct Grow;

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct GrowSpec {
    columns: Vec<String>,
}

impl Kind for Grow {
    type Spec = GrowSpec;
    const INFO: StageInfo = info("grow", Family::Source, TABLE);

    fn check(_: &GrowSpec, _: &mut CheckCx<'_>) -> Outputs {
        Outputs::one("table", ArtifactType::Table(TableSchema::unknown()))
    }

    fn run(spec: &GrowSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        trace(cx, "start");
        std::fs::write(cx.out("table")?.join("table.txt"), spec.columns.join(",")).unwrap();
        let columns = spec.columns.iter().map(|name| Column::new(name, DType::U8)).collect();
        trace(cx, "end");
        Ok(Produced::new("").port("table", ArtifactType::Table(TableSchema::new(columns).with_rows(4))))
    }
}

/// Wants a column.
pub(super) struct Pick;

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct PickSpec {
    from: Ref,
    column: String,
}

impl Kind for Pick {
    type Spec = PickSpec;
    const INFO: StageInfo = info("pick", Family::Table, FILE);

    fn check(spec: &PickSpec, cx: &mut CheckCx<'_>) -> Outputs {
        if let Some(schema) = cx.table(&spec.from, path!["from"])
            && schema.lookup(&spec.column) == crate::types::Lookup::Missing
        {
            let message = format!("column `{}` does not exist", spec.column);
            cx.error(path!["column"], codes::UNKNOWN_COLUMN, message).label("no such column");
        }
        Outputs::one("file", ArtifactType::File)
    }

    fn run(_: &PickSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        trace(cx, "start");
        std::fs::write(cx.out("file")?.join("text.txt"), "").unwrap();
        trace(cx, "end");
        Ok(Produced::new("").port("file", ArtifactType::File))
    }
}
