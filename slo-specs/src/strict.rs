//! The rules of OpenSLO's Go SDK, for `sloburn check --strict`: what the SDK refuses is refused, though it would load.
//!
//! The rules read a document's tree as written and know nothing of what it means, so that they and
//! [`load`](crate::load()) cannot weaken each other. `docs/decisions/0029-strict-and-lenient.md` says which is which.

mod alerting;
mod rules;

use std::cell::RefCell;

use crate::field::Field;
use crate::load::yaml::{self, Value};
use crate::{Problem, SourceFile};

const OPENSLO: &str = "openslo/v1";

/// Everything that OpenSLO's Go SDK would not accept in the `openslo/v1` documents of the files, each an error.
///
/// Documents of other versions, and what is not YAML, are not looked at: of those [`load`](crate::load()) tells.
/// Each message begins with the path of the field, such as `spec.objectives[0].op`.
pub fn strict(files: &[SourceFile]) -> Vec<Problem> {
    let mut all = Vec::new();
    for file in files {
        let problems = RefCell::new(Vec::new());
        for document in yaml::read(&file.text).into_iter().flatten() {
            let root = Field::root(&file.path, &problems, &document.root);
            if root.field("apiVersion").value() == Some(&Value::Text(OPENSLO.to_owned())) {
                rules::document(&root);
            }
        }
        all.extend(problems.into_inner());
    }
    all.sort_by(|a: &Problem, b| {
        (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
    });
    all
}
