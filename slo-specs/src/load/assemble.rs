//! Services, and what holds of the catalog as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::correction;
use super::meta::Meta;
use super::report::{Fields, Known, Report};
use super::yaml::Node;
use crate::{Catalog, Objective, Service};

/// Two SLOs may make the same id in two ways: `a.b` alone, and objective `b` of `a`.
pub(super) fn check_unique(
    report: Report<'_>,
    meta: &Meta,
    objectives: &[Objective],
    taken: &mut BTreeSet<String>,
) {
    for objective in objectives {
        if !taken.insert(objective.id.clone()) {
            let message = format!("objective `{}` is declared twice", objective.id);
            report.error_with(meta.at, message, "give one of the SLOs another name");
        }
    }
}

/// Reads a `Service`.
pub(super) fn service(report: Report<'_>, meta: &Meta, spec: &Node) -> Option<Service> {
    const SPEC: Known = Known {
        fields: &["description"],
    };
    let what = format!("service `{}`", meta.name);
    let fields = Fields::of(report, spec, &what, SPEC)?;
    Some(Service {
        name: meta.name.clone(),
        title: meta.title.clone().unwrap_or_else(|| meta.name.clone()),
        description: fields.text("description").unwrap_or_default(),
        tier: meta.annotation("tier").map(|(tier, _)| tier.to_owned()),
        labels: meta.labels.clone(),
    })
}

/// Sorts, adds the services that are only named, and hands their tier down.
pub(super) fn finish(catalog: &mut Catalog) {
    let Catalog {
        objectives,
        services,
        ..
    } = catalog;
    let mut known: BTreeSet<String> = services.iter().map(|one| one.name.clone()).collect();
    for Objective { service, .. } in objectives.iter() {
        if known.insert(service.clone()) {
            services.push(Service {
                name: service.clone(),
                title: service.clone(),
                description: String::new(),
                tier: None,
                labels: BTreeMap::new(),
            });
        }
    }
    services.sort_by(|a, b| a.name.cmp(&b.name));
    services.dedup_by(|a, b| a.name == b.name);
    for objective in objectives.iter_mut() {
        let at = services.binary_search_by(|service| service.name.cmp(&objective.service));
        let service = at.ok().and_then(|at| services.get(at));
        let tier = || service.and_then(|service| service.tier.clone());
        objective.tier = objective.tier.take().or_else(tier);
    }
    objectives.sort_by(|a, b| a.id.cmp(&b.id));
    objectives.dedup_by(|a, b| a.id == b.id);
    correction::attach(catalog);
}
