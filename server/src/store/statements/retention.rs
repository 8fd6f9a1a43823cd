//! What is deleted with age. In small batches, so that commits do not wait long.

use super::{Db, Engine, Writing};
use crate::store::error::StoreError;
use crate::store::rows::{Tier, Trim};

/// Rows deleted in one transaction.
const BATCH: i64 = 500;

const SLICES: &str = "delete from slice where (tier, end_s, service) in \
     (select tier, end_s, service from slice where tier = $1 and end_s < $2 order by end_s limit $3)";
// Finer tallies go when coarser ones have replaced them: not all are replaced.
const FINER_TALLIES: &str = "delete from tally where (fingerprint, tier, hour_end_s) in \
     (select fingerprint, tier, hour_end_s from tally as finer where tier = $1 and hour_end_s < $2 \
      and exists (select 1 from tally as coarser where coarser.fingerprint = finer.fingerprint \
      and coarser.tier > finer.tier and coarser.hour_end_s = finer.hour_end_s) limit $3)";
const TALLIES: &str = "delete from tally where (fingerprint, tier, hour_end_s) in \
     (select fingerprint, tier, hour_end_s from tally where tier = $1 and hour_end_s < $2 limit $3)";
// `$1` is used in each, so that all are bound alike.
const EXEMPLARS: &str = "delete from exemplar where (end_s, service) in \
     (select end_s, service from exemplar where $1 = 0 and end_s < $2 order by end_s limit $3)";
const REQUESTS: &str = "delete from request where hash in \
     (select hash from request where $1 = 0 and received_s < $2 order by received_s limit $3)";
const BATCHES: &str = "delete from request_batch where seq in \
     (select seq from request_batch where $1 = 0 and received_s < $2 order by received_s limit $3)";
const INCIDENTS: &str = "delete from incident where incident in \
     (select incident from incident where $1 = 0 and resolved_s < $2 limit $3)";
// A resolve goes where its fire went: the fire is kept until the incident has been over for as long.
const OUTBOX: &str = "delete from outbox where id in \
     (select id from outbox where $1 = 0 and done_ms < $2 * 1000 and not exists ( \
         select 1 from incident where incident.incident = outbox.incident \
         and (resolved_s is null or resolved_s >= $2)) limit $3)";
const QUARANTINE: &str = "delete from quarantine where id in \
     (select id from quarantine where $1 = 0 and found_s < $2 limit $3)";

pub(crate) async fn trim(engine: &Engine, trim: &Trim) -> Result<u64, StoreError> {
    let tens = Tier::Ten.seconds();
    let minutes = Tier::Minute.seconds();
    let hours = Tier::Hour.seconds();
    let mut deleted = 0;
    for (statement, tier, before_s) in [
        (SLICES, tens, trim.ten_before_s),
        (EXEMPLARS, 0, trim.ten_before_s),
        (SLICES, minutes, trim.minute_before_s),
        (SLICES, hours, trim.hour_before_s),
        (TALLIES, tens, trim.tally_ten_before_s),
        (FINER_TALLIES, minutes, trim.tally_minute_before_s),
        (TALLIES, minutes, trim.tally_hour_before_s),
        (TALLIES, hours, trim.tally_hour_before_s),
        (REQUESTS, 0, trim.request_before_s),
        (BATCHES, 0, trim.request_before_s),
        (INCIDENTS, 0, trim.incident_before_s),
        (OUTBOX, 0, trim.outbox_before_s),
        (QUARANTINE, 0, trim.quarantine_before_s),
    ] {
        if before_s > 0 {
            deleted += delete(engine, statement, tier, before_s).await?;
        }
    }
    Ok(deleted)
}

async fn delete(
    engine: &Engine,
    statement: &'static str,
    tier: i64,
    before_s: i64,
) -> Result<u64, StoreError> {
    let mut deleted = 0;
    loop {
        let mut writing = Writing::begin(engine).await?;
        let batch = sqlx::query::<Db>(statement)
            .bind(tier)
            .bind(before_s)
            .bind(BATCH)
            .execute(&mut writing.connection)
            .await?
            .rows_affected();
        writing.commit().await?;
        deleted += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(deleted);
        }
    }
}
