//! Kinds that judge and use models.
