//! Traces worth a look, beside the slices they are from.

use std::collections::{BTreeMap, BTreeSet};

use collector::Exemplars;

use crate::live::Cut;
use crate::store::{ExemplarRow, Store, StoreError};

/// The exemplars of a cut, each merged with what the store has of the same slice. A service that has no slice in the cut
/// is beyond the cap of series: its traces would be all that is kept of it.
pub(super) async fn merged(store: &Store, cut: &Cut) -> Result<Vec<ExemplarRow>, StoreError> {
    let services: BTreeSet<_> = cut.slices.keys().map(|(_, service)| service).collect();
    let new = cut.exemplars.iter();
    let mut merged: BTreeMap<(i64, String), Exemplars> = new
        // Only what is stored under its own name can be merged.
        .filter(|(_, service, _)| services.contains(service) && !service.contains('\0'))
        .map(|(slice, service, new)| ((slice.end_seconds(), service.to_string()), new.clone()))
        .collect();
    let keys: Vec<_> = merged.keys().cloned().collect();
    for row in store.exemplars_at(&keys).await? {
        // What is damaged is replaced: nothing is counted by it.
        if let Ok(stored) = Exemplars::decode(&row.traces)
            && let Some(new) = merged.get_mut(&(row.end_s, row.service))
        {
            new.merge(&stored);
        }
    }
    let rows = merged.into_iter();
    let row = |((end_s, service), exemplars): (_, Exemplars)| ExemplarRow {
        end_s,
        service,
        traces: exemplars.encode(),
    };
    Ok(rows.map(row).collect())
}
