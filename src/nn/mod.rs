//! Networks as data: layers, losses, optimizers, schedules; their shape rules and costs. No tensors here.

pub mod choice;
pub mod losses;
pub mod optim;
pub mod schedule;
