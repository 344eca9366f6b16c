//! Plots: pure functions from numbers to SVG text, legible on dark and light pages.
