//! The pages of sloburn: plain views in, HTML and SVG out. No I/O, no clock, no state.
//!
//! [`view`] says what each page shows; `render_…` makes a page, `…_fragments` its parts for a page that is
//! being watched. All strings are escaped by the templates; markup is made in one place ([`markup`]).

mod assets;
mod charts;
mod format;
pub mod links;
mod markup;
mod number;
mod pages;
mod panels;
pub mod samples;
mod text;
pub mod view;

pub use assets::{StaticFile, static_files};
pub use pages::{
    Fragment, debug_fragments, executive_fragments, oncall_fragments, render_debug, render_error,
    render_executive, render_oncall, render_slo, render_slos, render_specs, slo_fragments,
    slos_fragments, specs_fragments,
};
pub use text::Text;
