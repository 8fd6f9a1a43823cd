//! What `POST /api/v1/plan` takes.

use serde::{Deserialize, Serialize};
use slo_specs::{Catalog, Ratio, SourceFile};

use super::{Ask, Edge, Span};
use crate::{builtin, catalog};

/// The body of the request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// The new specs.
    pub(crate) files: Vec<File>,
    /// The old specs; the catalog in force unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) old_files: Option<Vec<File>>,
    /// RFC 3339, or `-7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// Share of a window's budget below which a page was false, as a decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) significant: Option<String>,
}

/// A spec file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// As problems name it.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(super) fn of(file: &SourceFile) -> File {
        File {
            path: file.path.clone(),
            text: file.text.clone(),
        }
    }

    fn source(self) -> SourceFile {
        SourceFile {
            path: self.path,
            text: self.text,
        }
    }
}

impl Asked {
    /// What is to be planned, where `in_force` is judged now. The error says what is wrong with the request.
    pub(crate) fn resolve(self, in_force: &Catalog) -> Result<Ask, String> {
        let edge = |text: Option<String>| text.map(|text| text.parse::<Edge>()).transpose();
        let span = Span {
            from: edge(self.from)?,
            to: edge(self.to)?,
        };
        let sources = |files: Vec<File>| files.into_iter().map(File::source).collect::<Vec<_>>();
        let mut ask = Ask::change(in_force, &sources(self.files), span);
        if let Some(old) = self.old_files {
            let ingest_slo = in_force.objectives.iter().any(builtin::is);
            ask.old = catalog::resolve(&sources(old), ingest_slo);
        }
        if let Some(significant) = self.significant {
            ask.significant = significant.parse::<Ratio>().map_err(|error| {
                format!("`{significant}` is no share of a budget such as `0.02`: {error}")
            })?;
        }
        Ok(ask)
    }
}
