//! Spec files of Sloth, Pyrra and OpenSLO v1alpha → OpenSLO v1 with sources that are measured here.
//!
//! What cannot be converted is an error at its place; what changes its meaning or has no counterpart is a warning.
//! Nothing is left out in silence. What `PromQL` is taken, `docs/decisions/0030-converted-promql.md` says.

mod alpha;
pub(crate) mod draft;
mod promql;
mod pyrra;
mod query;
mod sloth;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::field::Field;
use crate::load::yaml;
use crate::problem::Level;
use crate::{Problem, SourceFile, load};

/// Path of the file that has the policies of what was converted.
const POLICIES: &str = "converted-policies.yaml";

/// What came of other systems' files.
#[derive(Clone, Debug, Default)]
pub struct Converted {
    /// A file for each that had something to convert, under the same path, and one for their policies.
    pub files: Vec<SourceFile>,
    /// What could not be converted (errors) and what one should know (warnings), by file and place.
    pub problems: Vec<Problem>,
}

/// What the parts of a conversion write to.
#[derive(Debug, Default)]
struct Output {
    /// Documents of the file at hand.
    documents: Vec<String>,
    /// Policies that documents of all files refer to, by name.
    policies: BTreeMap<String, String>,
    /// Names of the SLOs of all files.
    names: BTreeSet<String>,
}

impl Output {
    /// Adds an SLO whose name is told at `named`.
    fn add(&mut self, named: &Field<'_>, draft: &draft::Draft) {
        if self.names.insert(draft.name.clone()) {
            let policies = draft.policies.as_deref().unwrap_or_default();
            self.take(named, draft.yaml(), policies);
        } else {
            let what = format!("is not converted: there is an SLO `{}` already", draft.name);
            named.wrong(&what, "name one of them otherwise");
        }
    }

    /// Takes a document if it loads with the policies that it refers to.
    fn take(&mut self, named: &Field<'_>, text: String, policies: &[String]) {
        let policies = policies.iter().filter_map(|name| self.policies.get(name));
        let texts = std::iter::once(&text).chain(policies);
        let file = SourceFile {
            path: POLICIES.to_owned(),
            text: texts.map(String::as_str).collect::<Vec<_>>().join("---\n"),
        };
        let problems = load(&[file]).problems;
        let errors: Vec<&Problem> = problems
            .iter()
            .filter(|problem| problem.is_error())
            .collect();
        for error in &errors {
            let what = format!(
                "is not converted: what it becomes does not load: {}",
                error.message
            );
            let help = "correct what this came of, or write it by hand";
            named.wrong(&what, error.help.as_deref().unwrap_or(help));
        }
        if errors.is_empty() {
            self.documents.push(text);
        }
    }
}

/// Converts files; the document's version tells what it is.
///
/// ```
/// use slo_specs::{SourceFile, convert};
/// let text = "
/// apiVersion: pyrra.dev/v1alpha1
/// kind: ServiceLevelObjective
/// metadata: { name: api-errors }
/// spec:
///   target: '99.9'
///   window: 4w
///   indicator:
///     ratio:
///       errors: { metric: 'http_requests_total{job=\"api\",code=~\"5..\"}' }
///       total: { metric: 'http_requests_total{job=\"api\"}' }
/// ";
/// let converted = convert(&[SourceFile { path: "a.yaml".into(), text: text.into() }]);
/// assert!(converted.files[0].text.contains("code: { regex: \"^(?:5..)$\" }"), "{}", converted.files[0].text);
/// assert!(!converted.problems.iter().any(slo_specs::Problem::is_error));
/// ```
pub fn convert(files: &[SourceFile]) -> Converted {
    let mut converted = Converted::default();
    let mut output = Output::default();
    for file in files {
        let problems = RefCell::new(Vec::new());
        for document in yaml::read(&file.text) {
            match document {
                Ok(document) => {
                    let root = Field::root(&file.path, &problems, &document.root);
                    one(&root, &mut output);
                }
                Err(error) => problems.borrow_mut().push(Problem {
                    file: file.path.clone(),
                    line: error.at.line,
                    column: error.at.column,
                    severity: Level::Error,
                    message: error.message,
                    help: Some("this is not YAML as we take it".to_owned()),
                }),
            }
        }
        let documents = std::mem::take(&mut output.documents);
        if !documents.is_empty() {
            let head = format!(
                "# Converted by `sloburn convert` from {}.\n",
                one_line(&file.path)
            );
            converted.files.push(SourceFile {
                path: file.path.clone(),
                text: head + draft::NAMES + &documents.join("---\n"),
            });
        }
        converted.problems.append(&mut problems.into_inner());
    }
    if !output.policies.is_empty() {
        let texts: Vec<String> = output.policies.into_values().collect();
        converted.files.push(SourceFile {
            path: POLICIES.to_owned(),
            text: texts.join("---\n"),
        });
    }
    converted.problems.extend(of_all(&converted.files));
    converted.problems.sort_by(|a, b| {
        (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
    });
    converted
}

/// What keeps the files from loading together.
fn of_all(files: &[SourceFile]) -> Vec<Problem> {
    let mut problems = load(files).problems;
    problems.retain(Problem::is_error);
    for problem in &mut problems {
        problem.message = format!(
            "what was converted does not load, there in line {}: {}",
            problem.line, problem.message
        );
        (problem.line, problem.column) = (1, 1);
    }
    problems
}

fn one(root: &Field<'_>, output: &mut Output) {
    let version = root
        .field("apiVersion")
        .text()
        .or(root.field("version").text());
    let kind = root.field("kind");
    match (version.unwrap_or_default(), kind.text().unwrap_or_default()) {
        ("prometheus/v1", _) => sloth::plain(root, output),
        ("sloth.slok.dev/v1", "PrometheusServiceLevel") => sloth::resource(root, output),
        ("pyrra.dev/v1alpha1", "ServiceLevelObjective") => pyrra::objective(root, output),
        ("openslo/v1alpha", "SLO") => alpha::slo(root, output),
        ("openslo/v1alpha", "Service") => alpha::service(root, output),
        ("openslo/v1" | "sloburn/v1", _) => {
            root.note("needs no conversion", "`sloburn check` it");
        }
        (version, kind) => {
            let what = format!("of version `{version}` and kind `{kind}` cannot be converted");
            let help = "taken are Sloth's prometheus/v1 and PrometheusServiceLevel, Pyrra's \
                        ServiceLevelObjective, and SLO and Service of openslo/v1alpha";
            root.wrong(&what, help);
        }
    }
}

/// Tells of every field that is none of those.
fn only(field: &Field<'_>, known: &[&str]) {
    for (name, place) in field.keys() {
        if !known.contains(&name.as_str()) {
            place.wrong(
                "is not converted: it is not known",
                "if it matters, say it in the converted file by hand",
            );
        }
    }
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
