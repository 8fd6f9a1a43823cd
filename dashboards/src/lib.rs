//! The pages of sloburn: plain views in, HTML and SVG out. No I/O, no clock, no state.

mod text;
pub mod view;

pub use text::Text;
