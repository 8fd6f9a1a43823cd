//! Series beyond the cap: their events go to overflow series, one for all that count alike, so that neither a total
//! nor a budget depends on how many different values somebody sends.

use std::sync::Arc;

use arc_swap::ArcSwap;
use collector::{Decoded, Known, Limits, SeriesId};
use slo_specs::{Catalog, Fingerprint, Indicator};

use crate::sli::{self, Index};

/// Where the events of series without room go.
#[derive(Debug)]
pub(crate) struct Overflow {
    indicators: ArcSwap<Vec<(Fingerprint, Indicator)>>,
    known: Arc<Known>,
}

impl Overflow {
    /// For a catalog, and the series of the store.
    pub(crate) fn new(catalog: &Catalog, known: Arc<Known>) -> Overflow {
        let overflow = Overflow {
            indicators: ArcSwap::default(),
            known,
        };
        overflow.change_catalog(catalog);
        overflow
    }

    /// Tells series apart by what another catalog asks of them.
    pub(crate) fn change_catalog(&self, catalog: &Catalog) {
        let indicators = Index::new(catalog).indicators().to_vec();
        let all = self.known.all();
        let overflows = all.iter().filter(|(_, key)| key.overflow);
        let alike: Vec<(SeriesId, u64)> = overflows
            .map(|(id, key)| (*id, sli::alike(key, &indicators)))
            .collect();
        self.indicators.store(Arc::new(indicators));
        self.known.tell_apart(&alike);
    }

    /// Places what a request has of series without room.
    pub(crate) fn place(&self, decoded: &mut Decoded, limits: &Limits) {
        if decoded.unplaced.is_empty() {
            return;
        }
        let indicators = self.indicators.load();
        let unplaced = decoded.unplaced.iter();
        let alike: Vec<u64> = unplaced
            .map(|(_, key)| sli::alike(key, &indicators))
            .collect();
        decoded.place(&self.known, limits, &alike);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use collector::{
        AttributeValue, Decoded, Measured, SeriesKey, Signal, SpanKind, SpanRecord, SpanStatus,
        Value,
    };
    use slo_specs::SourceFile;

    use super::*;
    use crate::sli::tally;

    /// Bad are requests of the shop with a status of 500 and more, whatever their route.
    fn catalog() -> Catalog {
        let text = "apiVersion: openslo/v1
kind: SLO
metadata: { name: shop }
spec:
  service: shop
  timeWindow: [{ duration: 1d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    metadata: { name: shop-sli }
    spec:
      ratioMetric:
        counter: true
        bad:   { metricSource: { type: otlp, spec: { signal: traces, spanKind: server, match: { service.name: shop, code: { gte: 500 } } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, spanKind: server, match: { service.name: shop } } } }
  objectives: [{ displayName: answered, target: 0.99 }]
";
        let file = SourceFile {
            path: "shop.yaml".to_owned(),
            text: text.to_owned(),
        };
        let loaded = slo_specs::load(&[file]);
        assert_eq!(loaded.problems, []);
        loaded.catalog
    }

    fn key(service: &str, code: i64, route: usize) -> Arc<SeriesKey> {
        Arc::new(SeriesKey {
            signal: Signal::Spans,
            service: service.into(),
            kind: SpanKind::Server,
            name: "GET".into(),
            unit: "".into(),
            status: SpanStatus::Unset,
            attributes: vec![
                ("code".into(), Value::Int(code)),
                ("route".into(), Value::Text(format!("/{route}").into())),
            ],
            overflow: false,
            root: false,
        })
    }

    /// Total and bad of the catalog's only indicator, when each of these series had one event.
    fn counted(known: &Known, series: &[SeriesId]) -> (u64, u64) {
        let mut index = Index::new(&catalog());
        let mut sums = (0, 0);
        for id in series {
            let (roles, indicators) = index.counting(*id, known);
            for role in roles {
                let (_, indicator) = &indicators[0];
                let tally = tally(indicator, *role, &Measured::counted(1));
                sums = (sums.0 + tally.total, sums.1 + tally.bad);
            }
        }
        sums
    }

    #[test]
    fn what_is_judged_is_the_same_however_many_series_there_are() {
        let limits = Limits {
            max_series: 0,
            max_services: 2,
            ..Limits::default()
        };
        let known = Arc::new(Known::new());
        let seen = key("seen", 200, 0);
        known.insert(seen.id(), seen);
        let overflow = Overflow::new(&catalog(), Arc::clone(&known));
        let mut placed = Vec::new();
        for n in 0..300 {
            let service = format!("service-{n}");
            let keys = [
                key("shop", 200, n),
                key("shop", 503, n),
                key(&service, 503, n),
                key("seen", 503, n),
            ];
            let slice = collector::Slice::ending_at(1_700_000_000);
            let span = |key: &Arc<SeriesKey>| SpanRecord::new(key.id(), slice, Duration::ZERO);
            let mut decoded = Decoded {
                spans: keys.iter().map(span).collect(),
                unplaced: keys.iter().map(|key| (key.id(), Arc::clone(key))).collect(),
                ..Decoded::default()
            };
            overflow.place(&mut decoded, &limits);
            assert_eq!(decoded.unplaced, []);
            let summed = decoded.spans.summed();
            placed.extend(summed.entries.iter().map(|entry| entry.series));
            for (id, key) in decoded.new_series {
                known.insert(id, key);
            }
        }
        assert_eq!(counted(&known, &placed), (600, 300));
        let overflows: Vec<_> = known
            .all()
            .into_iter()
            .filter(|(_, key)| key.overflow)
            .collect();
        assert_eq!(
            overflows.len(),
            4,
            "good and bad of the shop, of `seen`, of all others"
        );
        let bad = overflows.iter().find(|(_, key)| {
            key.attribute("service.name") == Some(AttributeValue::Text("shop"))
                && key.attribute("code") == Some(AttributeValue::Int(503))
        });
        assert_eq!(&*bad.unwrap().1.service, "__overflow__");

        // After a restart they are found again, not made anew.
        let series = known.len();
        let again = Overflow::new(&catalog(), Arc::clone(&known));
        let shop = key("shop", 599, 1000);
        let mut decoded = Decoded {
            unplaced: vec![(shop.id(), shop)],
            ..Decoded::default()
        };
        again.place(&mut decoded, &limits);
        assert_eq!(known.len(), series);
    }
}
