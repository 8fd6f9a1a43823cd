//! Spec files → catalog: documents as written, then resolved; every problem of every file at once.

use crate::{Catalog, Problem};

/// A spec file that somebody read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as problems shall name it.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// What came of the files.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Everything that resolved.
    pub catalog: Catalog,
    /// Everything that did not, by file and position.
    pub problems: Vec<Problem>,
}

/// Loads spec files: all of them together are one catalog.
pub fn load(files: &[SourceFile]) -> Loaded {
    let _ = files;
    Loaded::default()
}
