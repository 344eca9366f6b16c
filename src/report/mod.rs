//! Turns events and artefacts into something to read or look at. Decides nothing.
