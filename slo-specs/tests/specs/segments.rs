//! Segments of an objective: their names.

use slo_specs::{Catalog, SeenSegments};

use crate::given::read;

const SLO: &str = "apiVersion: openslo/v1
kind: SLO
metadata: { name: web }
spec:
  service: web
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        bad: { metricSource: { type: otlp, spec: { signal: traces, status: error, match: { service.name: web } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: web } } } }
  objectives: [{ target: 0.9 }]
  alertPolicies: []
";

fn ids(catalog: &Catalog, seen: &SeenSegments) -> Vec<(String, String)> {
    let catalog = catalog.with_segments(seen);
    let segments = catalog.objectives.into_iter();
    segments
        .filter_map(|one| Some((one.id, one.segment?.by)))
        .collect()
}

/// Alerts are kept under ids: one must never become another segment's.
#[test]
fn a_segment_keeps_its_id_when_another_of_its_name_is_seen() {
    let mut catalog = read(SLO).catalog;
    catalog.objectives[0].segments = vec!["region".into(), "tier".into()];
    let objective = catalog.objectives[0].clone();
    for values in [Some("gold".to_owned()), None] {
        let mut seen = SeenSegments::default();
        assert!(seen.note(&objective, "tier", vec![values.clone()]));
        let first = ids(&catalog, &seen);
        assert!(seen.note(&objective, "region", vec![values]));
        let both = ids(&catalog, &seen);
        assert!(both.contains(&first[0]), "{first:?}, then {both:?}");
        assert_eq!(both.len(), 2);
    }
}

#[test]
fn a_title_names_the_keys_beside_the_values() {
    let mut catalog = read(SLO).catalog;
    catalog.objectives[0].segments = vec!["region".into(), "tier+version".into()];
    catalog.objectives[0].segmentation.limit = 2;
    let objective = catalog.objectives[0].clone();
    let text = |text: &str| Some(text.to_owned());
    let mut seen = SeenSegments::default();
    for values in [text("eu"), None, text("us")] {
        assert!(seen.note(&objective, "region", vec![values]));
    }
    assert!(seen.note(&objective, "tier+version", vec![text("gold"), None]));
    let catalog = catalog.with_segments(&seen);
    let titles: Vec<_> = catalog
        .objectives
        .iter()
        .map(|one| one.title.as_str())
        .collect();
    assert_eq!(
        titles,
        [
            "web",
            "web: region = eu",
            "web: tier = gold, no version",
            "web: no region",
            "web: rest by region",
        ]
    );
}
