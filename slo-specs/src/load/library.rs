//! Objects that others refer to by name.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::alerting::{Policy, RuleDraft};
use super::report::{Report, closest};
use super::sli::Sli;
use super::yaml::Position;

/// Everything that can be referred to.
#[derive(Debug)]
pub(super) struct Library {
    /// `DataSource` → its type.
    pub(super) data_sources: Shelf<String>,
    /// `AlertNotificationTarget` → the receiver it stands for.
    pub(super) targets: Shelf<String>,
    pub(super) conditions: Shelf<RuleDraft>,
    pub(super) indicators: Shelf<Sli>,
    /// Alert policies and burn policies, and under them those built in.
    pub(super) policies: Shelf<Policy>,
    /// Names only.
    pub(super) services: Shelf<()>,
    /// Names only.
    pub(super) slos: Shelf<()>,
    /// Ids of the objectives so far.
    pub(super) ids: BTreeSet<String>,
    /// Conditions and receivers of the rules of all objectives so far.
    pub(super) alerting: Cell<usize>,
}

/// Objects of one kind by name. What is declared but broken is known too, so that a reference to
/// it is not a second problem.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    kind: &'static str,
    objects: BTreeMap<String, T>,
    declared: BTreeSet<String>,
    built_in: BTreeMap<String, T>,
}

impl Library {
    pub(super) fn new(built_in: BTreeMap<String, Policy>) -> Self {
        Self {
            data_sources: Shelf::new("DataSource"),
            targets: Shelf::new("AlertNotificationTarget"),
            conditions: Shelf::new("AlertCondition"),
            indicators: Shelf::new("SLI"),
            services: Shelf::new("Service"),
            slos: Shelf::new("SLO"),
            ids: BTreeSet::new(),
            alerting: Cell::new(0),
            policies: Shelf {
                built_in,
                ..Shelf::new("alert policy")
            },
        }
    }
}

impl<T> Shelf<T> {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            objects: BTreeMap::new(),
            declared: BTreeSet::new(),
            built_in: BTreeMap::new(),
        }
    }

    /// Declares a name; its object, if it is sound, follows by [`put`](Self::put).
    pub(super) fn declare(&mut self, name: &str) {
        self.declared.insert(name.to_owned());
    }

    pub(super) fn put(&mut self, name: &str, object: Option<T>) {
        if let Some(object) = object {
            self.objects.insert(name.to_owned(), object);
        }
    }

    /// Every declared name.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(String::as_str)
    }

    /// Every sound object by its name.
    pub(super) fn into_objects(self) -> BTreeMap<String, T> {
        self.objects
    }

    /// The object of a name; a name that nobody declared is told of.
    pub(super) fn find(&self, report: Report<'_>, at: Position, name: &str) -> Option<&T> {
        if self.declared.contains(name) {
            return self.objects.get(name);
        }
        if let Some(object) = self.built_in.get(name) {
            return Some(object);
        }
        let known: Vec<&str> = self
            .declared
            .iter()
            .chain(self.built_in.keys())
            .map(String::as_str)
            .collect();
        let help = match closest(name, &known) {
            Some(word) => format!("did you mean `{word}`?"),
            None if known.is_empty() => format!("no {} is declared in any file", self.kind),
            None => format!("declared are {}", known.join(", ")),
        };
        report.error_with(at, format!("{} `{name}` does not exist", self.kind), help);
        None
    }
}
