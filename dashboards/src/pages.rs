//! The pages: which panels they are made of, and in which order.

mod debug;
mod error;
mod executive;
mod oncall;
mod slo;
mod slos;
mod specs;

pub use debug::{debug_fragments, render_debug};
pub use error::render_error;
pub use executive::{executive_fragments, render_executive};
pub use oncall::{oncall_fragments, render_oncall};
pub use slo::{render_slo, slo_fragments};
pub use slos::{render_slos, slos_fragments};
pub use specs::{render_specs, specs_fragments};

use crate::panels::{Part, frame};
use crate::view::{Page, Shell};

/// A part of a page that can be replaced while the page is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Id of the element it replaces.
    pub id: &'static str,
    /// The element, complete.
    pub html: String,
}

fn fragments(shell: &Shell, page: Page, parts: impl IntoIterator<Item = Part>) -> Vec<Fragment> {
    frame::parts(shell, page)
        .into_iter()
        .chain(parts)
        .map(|part| Fragment {
            id: part.id,
            html: part.html.into_string(),
        })
        .collect()
}
