//! A run that has nothing to do, told from what the last look found.

use super::run::{RunSummary, new_id};
use crate::event::{EVENT_VERSION, Event};
use crate::store::{Standing, Store};
use std::time::Instant;

/// Tells a run in which every stage is cached; `None` where there is something to do.
pub fn run_nothing(standing: &Standing, store: &Store, events: &(dyn Fn(Event) + Sync)) -> Option<RunSummary> {
    let started = Instant::now();
    let held = standing.all_held()?;
    store.hold();
    store.sweep();
    let mut summary = RunSummary { run: new_id(), cached: held.len(), ..RunSummary::default() };
    events(Event::RunStarted {
        version: EVENT_VERSION,
        run: summary.run.clone(),
        pipeline: standing.pipeline.clone(),
        stages: held.iter().map(|(stage, _)| (stage.name.clone(), stage.kind.clone())).collect(),
    });
    for (stage, held) in held {
        summary.saved += held.seconds;
        events(Event::StageDone {
            stage: stage.name.clone(),
            kind: stage.kind.clone(),
            key: held.key,
            cached: true,
            seconds: held.seconds,
            summary: held.summary.clone(),
            metrics: held.metrics.clone(),
        });
    }
    let layout = store.layout();
    summary.seconds = started.elapsed().as_secs_f64();
    summary.out = layout.shown(&layout.out(&standing.pipeline));
    events(summary.finished());
    Some(summary)
}
