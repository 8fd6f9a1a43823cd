//! Charts: plain values in, a drawing with its labels, sentence and table out.

pub(crate) mod bars;
pub(crate) mod burn;
pub(crate) mod burndown;
pub(crate) mod heatmap;
pub(crate) mod lines;
pub(crate) mod plot;
pub(crate) mod strip;
pub(crate) mod svg;
