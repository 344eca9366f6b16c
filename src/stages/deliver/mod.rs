//! Kinds that give models away.
