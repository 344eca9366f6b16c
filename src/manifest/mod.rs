//! Manifests: text with spans, decoded step by step.
