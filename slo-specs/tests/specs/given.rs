//! What the tests of all parts begin with.

use jiff::Timestamp;
use slo_specs::{Loaded, SourceFile, load};

/// One file of specs, `a.yaml`, read.
pub(crate) fn read(text: impl Into<String>) -> Loaded {
    load(&[file(text)])
}

/// That file.
pub(crate) fn file(text: impl Into<String>) -> SourceFile {
    SourceFile {
        path: "a.yaml".into(),
        text: text.into(),
    }
}

/// 2024-01-01T00:00:00Z, on the hour, in Unix seconds.
pub(crate) const BEGIN: i64 = 1_704_067_200;

/// So many seconds after it.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + seconds).expect("a time")
}
