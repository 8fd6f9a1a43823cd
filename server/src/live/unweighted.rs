//! Who was sampled, but does not say by how much: their counts may be too small.

use std::collections::BTreeMap;
use std::sync::Arc;

use slo_specs::Fingerprint;

/// Services that are remembered; beyond that the one that was quiet for longest is forgotten.
const MOST_SERVICES: usize = 1_000;
const SERVICE: &str = "unweighted.service.";
const INDICATOR: &str = "unweighted.indicator.";

/// By service and by indicator, the end of the latest slice with such spans, in Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unweighted {
    pub(crate) services: BTreeMap<Arc<str>, i64>,
    pub(crate) indicators: BTreeMap<Fingerprint, i64>,
}

impl Unweighted {
    pub(crate) fn note_service(&mut self, service: &Arc<str>, end: i64) {
        if let Some(latest) = self.services.get_mut(service) {
            *latest = end.max(*latest);
            return;
        }
        if self.services.len() >= MOST_SERVICES {
            let quietest = self.services.iter().min_by_key(|(_, end)| **end);
            if let Some(quietest) = quietest.map(|(service, _)| Arc::clone(service)) {
                self.services.remove(&quietest);
            }
        }
        self.services.insert(Arc::clone(service), end);
    }

    pub(crate) fn note_indicator(&mut self, indicator: Fingerprint, end: i64) {
        let latest = self.indicators.entry(indicator).or_insert(end);
        *latest = end.max(*latest);
    }

    /// As the store keeps it: names of counters with their values.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (String, i64)> {
        let services = self.services.iter();
        let services = services.map(|(service, end)| (format!("{SERVICE}{service}"), *end));
        let indicators = self.indicators.iter();
        let indicators =
            indicators.map(|(indicator, end)| (format!("{INDICATOR}{:016x}", indicator.0), *end));
        services.chain(indicators)
    }

    /// The inverse of [`Unweighted::counters`]; other counters are passed over.
    pub(crate) fn of_counters(counters: &BTreeMap<String, i64>) -> Unweighted {
        let mut unweighted = Unweighted::default();
        for (name, end) in counters {
            if let Some(service) = name.strip_prefix(SERVICE) {
                unweighted.note_service(&service.into(), *end);
            } else if let Some(indicator) = name.strip_prefix(INDICATOR)
                && let Ok(indicator) = u64::from_str_radix(indicator, 16)
            {
                unweighted.note_indicator(Fingerprint(indicator), *end);
            }
        }
        unweighted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_and_is_bounded() {
        let mut unweighted = Unweighted::default();
        for number in 0..1_100_i64 {
            unweighted.note_service(&format!("s{number}").into(), number);
        }
        unweighted.note_indicator(Fingerprint(0xabc), 50);
        unweighted.note_indicator(Fingerprint(0xabc), 40);
        assert_eq!(unweighted.services.len(), MOST_SERVICES);
        assert!(
            !unweighted.services.contains_key("s99"),
            "the quietest went"
        );
        let stored = unweighted.counters().collect();
        assert_eq!(Unweighted::of_counters(&stored), unweighted);
        assert_eq!(unweighted.indicators[&Fingerprint(0xabc)], 50);
    }
}
