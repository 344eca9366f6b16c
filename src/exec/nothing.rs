//! A run that has nothing to do, told from what the last look found.

use super::run::{RunSummary, new_id};
use crate::event::{EVENT_VERSION, Event};
use crate::store::{Standing, Store};
use std::time::Instant;

/// Tells a run in which every stage is cached, with `each` stage by stage; `None` where there is something to do.
pub fn run_nothing(
    standing: &Standing,
    store: &Store,
    each: bool,
    events: &(dyn Fn(Event) + Sync),
) -> Option<RunSummary> {
    let started = Instant::now();
    standing.all_held()?;
    store.hold();
    store.sweep();
    let mut summary = RunSummary { run: new_id(), ..RunSummary::default() };
    for (_, held) in standing.held() {
        summary.cached += 1;
        summary.saved += held.seconds;
    }
    if each {
        tell_each(standing, &summary.run, events);
    }
    let layout = store.layout();
    summary.seconds = started.elapsed().as_secs_f64();
    summary.out = layout.shown(&layout.out(standing.pipeline()));
    events(summary.finished());
    Some(summary)
}

fn tell_each(standing: &Standing, run: &str, events: &(dyn Fn(Event) + Sync)) {
    events(Event::RunStarted {
        version: EVENT_VERSION,
        run: run.to_owned(),
        pipeline: standing.pipeline().to_owned(),
        stages: standing.stages().map(|stage| (stage.name.clone(), stage.kind.clone())).collect(),
    });
    for (stage, held) in standing.held() {
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
}
