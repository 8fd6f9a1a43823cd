//! Spec files → catalog: documents as written, then resolved; every problem of every file at once.

mod alerting;
mod assemble;
mod budgeting;
mod burn;
mod can_fire;
mod composite;
mod condition;
mod correction;
mod judged;
mod library;
mod matching;
mod meta;
mod objective;
mod report;
mod sli;
mod slo;
mod source;
mod switches;
mod window;
pub(crate) mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::{CONDITION_ANNOTATIONS, POLICY_ANNOTATIONS, Policy, RuleDraft};
use library::Library;
use meta::Meta;
pub use report::closest;
use report::{Fields, Known, Problems, Report};
use sli::Sli;
use yaml::{Document, Node};

use crate::{Catalog, Problem};

const OPENSLO: &str = "openslo/v1";
const OURS: &str = "sloburn/v1";
const DOCUMENT: Known = Known {
    fields: &["apiVersion", "kind", "metadata", "spec"],
};

/// Policies that every catalog has; a policy of the same name in the catalog takes their place.
const BUILT_IN: [(&str, &str); 2] = [
    (
        "policies/default.yaml",
        include_str!("../policies/default.yaml"),
    ),
    (
        "policies/sustained.yaml",
        include_str!("../policies/sustained.yaml"),
    ),
];

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

/// Kinds of objects, in the order in which they can be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    DataSource,
    AlertNotificationTarget,
    Service,
    AlertCondition,
    Sli,
    AlertPolicy,
    BurnPolicy,
    Slo,
    Correction,
}

/// One document of a known kind.
struct Object {
    /// Index of its file.
    file: usize,
    kind: Kind,
    meta: Meta,
    spec: Node,
    text: String,
    /// Whether nothing is wrong in what was read so far; what is not sound is only checked.
    sound: bool,
}

/// Loads spec files: all of them together are one catalog.
///
/// A document with anything wrong in it, or that refers to one, is not in the catalog; the others
/// are. Nothing in a document is ever ignored.
pub fn load(files: &[SourceFile]) -> Loaded {
    let problems = Problems::default();
    let library = Library::new(built_in(&problems));
    let catalog = resolve(files, &problems, library).0;
    let mut problems = problems.into_list();
    problems.sort_by(|a, b| {
        (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
    });
    problems.dedup();
    Loaded { catalog, problems }
}

/// The built-in policies, by the same code as everybody's.
fn built_in(problems: &Problems) -> BTreeMap<String, Policy> {
    let files = BUILT_IN.map(|(path, text)| SourceFile {
        path: path.into(),
        text: text.into(),
    });
    let (_, library) = resolve(&files, problems, Library::new(BTreeMap::new()));
    library.policies.into_objects()
}

fn resolve(files: &[SourceFile], problems: &Problems, mut library: Library) -> (Catalog, Library) {
    let report = |file: usize| Report {
        file: files.get(file).map_or("", |file| file.path.as_str()),
        problems,
    };
    let mut objects: Vec<Object> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        read_file(report(index), index, &file.text, &mut objects);
    }
    objects.sort_by_key(|object| object.kind);
    declare(&objects, files, problems, &mut library);
    let mut catalog = Catalog::default();
    for object in &objects {
        resolve_object(report(object.file), object, &mut library, &mut catalog);
    }
    assemble::finish(&mut catalog);
    (catalog, library)
}

fn read_file(report: Report<'_>, index: usize, text: &str, objects: &mut Vec<Object>) {
    let documents = yaml::read(text);
    if documents.is_empty() {
        let start = yaml::Position { line: 1, column: 1 };
        report.warn(start, "file has no documents", "remove it, or write an SLO");
    }
    for document in documents {
        match document {
            Ok(document) => objects.extend(read_document(report, index, document)),
            Err(error) => report.error_with(
                error.at,
                error.message,
                "this is not YAML as we take it; the rest of the document was not looked at",
            ),
        }
    }
}

fn read_document(report: Report<'_>, file: usize, document: Document) -> Option<Object> {
    let Document { root, text } = document;
    let errors_before = report.errors();
    if !is_ours(report, &root) {
        return None;
    }
    let fields = Fields::of(report, &root, "document", DOCUMENT)?;
    let help = "write `apiVersion: openslo/v1`";
    let version = fields.require("apiVersion", help);
    let version = version.and_then(|node| report.word(node, "apiVersion", &[OPENSLO, OURS]));
    let kind_node = fields.require("kind", "such as `kind: SLO`");
    let kind = match (version.as_deref(), kind_node) {
        (Some(OURS), Some(node)) => report
            .word(node, "kind", &["BurnPolicy", "Correction"])
            .map(|kind| match kind.as_str() {
                "Correction" => Kind::Correction,
                _ => Kind::BurnPolicy,
            }),
        (Some(_), Some(node)) => openslo_kind(report, node),
        _ => None,
    };
    let metadata = fields.require("metadata", "write `metadata: { name: … }`");
    let meta = metadata.and_then(|node| Meta::read(report, node, annotations(kind)));
    let meta = meta.unwrap_or_else(|| Meta::unnamed(fields.at));
    let spec = fields.require("spec", "say what it is");
    let sound = report.errors() == errors_before;
    Some(Object {
        file,
        kind: kind?,
        meta,
        spec: spec?.clone(),
        text,
        sound,
    })
}

/// Whether a document means to be one of ours. Of one that does not, a single problem is enough.
fn is_ours(report: Report<'_>, root: &Node) -> bool {
    let yaml::Value::Map(entries) = &root.value else {
        return true;
    };
    let field = |name: &str| {
        entries
            .iter()
            .find(|(key, _)| matches!(&key.value, yaml::Value::Text(t) if t == name))
    };
    let Some((_, version)) = field("apiVersion") else {
        let named = field("kind").is_some();
        if !named {
            let message = "document has neither `apiVersion` nor `kind`";
            report.error_with(root.at, message, "begin it with `apiVersion: openslo/v1`");
        }
        return named;
    };
    match version.value {
        yaml::Value::Null => true,
        _ => report
            .word(version, "apiVersion", &[OPENSLO, OURS])
            .is_some(),
    }
}

fn openslo_kind(report: Report<'_>, node: &Node) -> Option<Kind> {
    let kinds = [
        ("SLO", Kind::Slo),
        ("SLI", Kind::Sli),
        ("Service", Kind::Service),
        ("DataSource", Kind::DataSource),
        ("AlertPolicy", Kind::AlertPolicy),
        ("AlertCondition", Kind::AlertCondition),
        ("AlertNotificationTarget", Kind::AlertNotificationTarget),
    ];
    let word = report.word(node, "kind", &kinds.map(|(word, _)| word))?;
    kinds
        .into_iter()
        .find(|(name, _)| *name == word)
        .map(|(_, kind)| kind)
}

/// Annotations of ours that a kind has.
fn annotations(kind: Option<Kind>) -> &'static [&'static str] {
    match kind {
        Some(Kind::Slo) | None => slo::ANNOTATIONS,
        Some(Kind::Service) => &["tier"],
        Some(Kind::AlertCondition) => CONDITION_ANNOTATIONS,
        Some(Kind::AlertPolicy) => POLICY_ANNOTATIONS,
        Some(
            Kind::Sli
            | Kind::DataSource
            | Kind::AlertNotificationTarget
            | Kind::BurnPolicy
            | Kind::Correction,
        ) => &[],
    }
}

/// Makes every name known, and tells of those that are taken.
fn declare(objects: &[Object], files: &[SourceFile], problems: &Problems, library: &mut Library) {
    let mut first: BTreeMap<(Kind, &str), &Object> = BTreeMap::new();
    let path = |object: &Object| files.get(object.file).map_or("", |file| file.path.as_str());
    for object in objects {
        let name = object.meta.name.as_str();
        if name == meta::UNNAMED {
            continue;
        }
        // Alert policies and burn policies are referred to alike, so they share names.
        let space = if object.kind == Kind::BurnPolicy {
            Kind::AlertPolicy
        } else {
            object.kind
        };
        if let Some(known) = first.get(&(space, name)) {
            let message = format!("{} `{name}` is declared twice", space.name());
            let at = known.meta.at;
            let help = format!("the other is at {}:{}:{}", path(known), at.line, at.column);
            Report {
                file: path(object),
                problems,
            }
            .error_with(object.meta.at, message, help);
            continue;
        }
        first.insert((space, name), object);
        match object.kind {
            Kind::DataSource => library.data_sources.declare(name),
            Kind::AlertNotificationTarget => library.targets.declare(name),
            Kind::AlertCondition => library.conditions.declare(name),
            Kind::Sli => library.indicators.declare(name),
            Kind::AlertPolicy | Kind::BurnPolicy => library.policies.declare(name),
            Kind::Service => library.services.declare(name),
            Kind::Slo => library.slos.declare(name),
            Kind::Correction => {}
        }
    }
}

fn resolve_object(
    report: Report<'_>,
    object: &Object,
    library: &mut Library,
    catalog: &mut Catalog,
) {
    let Object {
        kind,
        meta,
        spec,
        text,
        sound,
        ..
    } = object;
    let name = meta.name.as_str();
    let errors_before = report.errors();
    let is_sound = || *sound && report.errors() == errors_before;
    match kind {
        Kind::DataSource => library
            .data_sources
            .put(name, source::data_source(report, meta, spec)),
        Kind::AlertNotificationTarget => {
            let target = alerting::target(report, spec);
            library.targets.put(name, target.filter(|_| is_sound()));
        }
        Kind::AlertCondition => {
            let condition = RuleDraft::of_condition(report, meta, spec);
            library
                .conditions
                .put(name, condition.filter(|_| is_sound()));
        }
        Kind::Sli => {
            let sli = Sli::read(report, spec, library);
            library.indicators.put(name, sli.filter(|_| is_sound()));
        }
        Kind::AlertPolicy => {
            let policy = Policy::read(report, meta, spec, library);
            library.policies.put(name, policy.filter(|_| is_sound()));
        }
        Kind::BurnPolicy => {
            let policy = Policy::read_burn_policy(report, meta, spec, library);
            library.policies.put(name, policy.filter(|_| is_sound()));
        }
        Kind::Service => {
            let service = assemble::service(report, meta, spec);
            catalog.services.extend(service.filter(|_| is_sound()));
        }
        Kind::Slo => {
            let objectives = slo::read(report, meta, spec, library, text).unwrap_or_default();
            if objectives.is_empty() && report.errors() == 0 {
                let message =
                    format!("SLO `{name}` is not measured: it is kept out of the catalog");
                report.warn(meta.at, message, "give it sources of type `otlp`");
            }
            let objectives: Vec<_> = objectives.into_iter().filter(|_| is_sound()).collect();
            assemble::check_unique(report, meta, &objectives, &mut library.ids);
            catalog.objectives.extend(objectives);
        }
        Kind::Correction => {
            let correction = correction::read(report, meta, spec, catalog, library, text);
            let correction = correction.filter(|_| is_sound());
            catalog.corrections.extend(correction.map(Arc::new));
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::DataSource => "DataSource",
            Self::AlertNotificationTarget => "AlertNotificationTarget",
            Self::Service => "Service",
            Self::AlertCondition => "AlertCondition",
            Self::Sli => "SLI",
            Self::AlertPolicy | Self::BurnPolicy => "alert policy",
            Self::Slo => "SLO",
            Self::Correction => "correction",
        }
    }
}
