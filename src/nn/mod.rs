//! Networks as data: layers, losses, optimizers, schedules; their shape rules and costs. No tensors here.
