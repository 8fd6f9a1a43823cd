//! The demo's own specs, built into the binary so that it runs from anywhere.

use std::fs;
use std::io;
use std::path::Path;

/// File names and texts of `slo-specs/catalog`.
pub(crate) const FILES: [(&str, &str); 8] = [
    (
        "checkout.yaml",
        include_str!("../../../slo-specs/catalog/checkout.yaml"),
    ),
    (
        "edge.yaml",
        include_str!("../../../slo-specs/catalog/edge.yaml"),
    ),
    (
        "identity.yaml",
        include_str!("../../../slo-specs/catalog/identity.yaml"),
    ),
    (
        "payments.yaml",
        include_str!("../../../slo-specs/catalog/payments.yaml"),
    ),
    (
        "platform.yaml",
        include_str!("../../../slo-specs/catalog/platform.yaml"),
    ),
    (
        "policies.yaml",
        include_str!("../../../slo-specs/catalog/policies.yaml"),
    ),
    (
        "search.yaml",
        include_str!("../../../slo-specs/catalog/search.yaml"),
    ),
    (
        "services.yaml",
        include_str!("../../../slo-specs/catalog/services.yaml"),
    ),
];

/// Writes the specs into a folder, made if absent, where `serve` reads them as it reads anybody's.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    FILES
        .iter()
        .try_for_each(|(name, text)| fs::write(folder.join(name), text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::time::Duration;

    use slo_specs::{Catalog, SourceFile, load};

    use super::FILES;
    use crate::demo::shop::Service;

    fn catalog() -> Catalog {
        let files = FILES.map(|(path, text)| SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        });
        let loaded = load(&files);
        assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
        loaded.catalog
    }

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../slo-specs/catalog");
        let found: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(
            found,
            FILES.iter().map(|(name, _)| (*name).to_owned()).collect()
        );
    }

    #[test]
    fn the_catalog_loads_without_a_problem() {
        let catalog = catalog();
        let ids: Vec<&str> = catalog
            .objectives
            .iter()
            .map(|found| found.id.as_str())
            .collect();
        assert_eq!(
            ids,
            [
                "buying-journey",
                "checkout-availability",
                "checkout-latency",
                "checkout-replica-lag",
                "checkout-restarts",
                "edge-availability",
                "edge-availability-month",
                "edge-p99",
                "identity-provisioning",
                "identity-sign-in",
                "payments-availability",
                "payments-queue-depth",
                "search-availability",
                "search-latency",
                "search-throttling",
                "shop-deployments",
            ]
        );
        for objective in &catalog.objectives {
            let alerts = objective.id != "edge-availability-month";
            assert_eq!(!objective.rules.is_empty(), alerts, "{}", objective.id);
            assert!(objective.runbook.is_some(), "{}", objective.id);
            assert!(!objective.description.is_empty(), "{}", objective.id);
            assert!(
                Service::ALL
                    .iter()
                    .any(|service| service.name() == objective.service)
            );
        }
    }

    #[test]
    fn the_demo_pages_over_a_minute_and_the_ordinary_objectives_as_everybody_s() {
        let catalog = catalog();
        let rules = |id: &str| -> Vec<(String, Duration, Duration, String)> {
            let objective = catalog.objective(id).unwrap();
            let of = |rule: &slo_specs::Rule| {
                let burn = rule.burn().unwrap();
                (
                    rule.name.clone(),
                    burn.long,
                    burn.short,
                    burn.threshold.to_string(),
                )
            };
            objective.rules.iter().map(of).collect()
        };
        let seconds = Duration::from_secs;
        assert_eq!(
            rules("checkout-availability"),
            [(
                "page-now".to_owned(),
                seconds(60),
                seconds(10),
                "3.0".to_owned()
            )]
        );
        assert_eq!(
            rules("identity-sign-in"),
            [(
                "sign-in-burn-rate".to_owned(),
                seconds(60),
                seconds(10),
                "3.0".to_owned()
            )]
        );
        assert_eq!(
            rules("payments-availability")[0],
            (
                "page-fast".to_owned(),
                seconds(3_600),
                seconds(300),
                "14.4".to_owned()
            )
        );
    }
}
