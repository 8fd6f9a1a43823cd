//! Exemplars: traces worth a look, per service and 10-second slice.

use sqlx::QueryBuilder;

use super::{Connection, Db, Engine, ROWS, run, text};
use crate::store::error::StoreError;
use crate::store::rows::ExemplarRow;

/// Inserts or replaces exemplars.
pub(super) async fn put(
    connection: &mut Connection,
    rows: &[ExemplarRow],
) -> Result<(), sqlx::Error> {
    for rows in rows.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new("insert into exemplar (end_s, service, traces) ");
        built.push_values(rows, |mut row, exemplar| {
            row.push_bind(exemplar.end_s)
                .push_bind(text(&exemplar.service))
                .push_bind(exemplar.traces.as_slice());
        });
        built.push(" on conflict (end_s, service) do update set traces = excluded.traces");
        run(connection, built).await?;
    }
    Ok(())
}

pub(crate) async fn exemplars(
    engine: &Engine,
    service: &str,
    after_s: i64,
    upto_s: i64,
) -> Result<Vec<ExemplarRow>, StoreError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as::<Db, _>(
        "select end_s, traces from exemplar \
         where service = $1 and end_s > $2 and end_s <= $3 order by end_s",
    )
    .bind(text(service))
    .bind(after_s)
    .bind(upto_s)
    .fetch_all(&engine.readers)
    .await?;
    let row = |(end_s, traces)| ExemplarRow {
        end_s,
        service: service.to_owned(),
        traces,
    };
    Ok(rows.into_iter().map(row).collect())
}

pub(crate) async fn exemplars_at(
    engine: &Engine,
    wanted: &[(i64, String)],
) -> Result<Vec<ExemplarRow>, StoreError> {
    let mut found = Vec::new();
    for wanted in wanted.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new(
            "select end_s, service, traces from exemplar where (end_s, service) in (",
        );
        built.push_values(wanted, |mut row, (end_s, service)| {
            row.push_bind(*end_s).push_bind(text(service));
        });
        built.push(") order by end_s, service");
        let rows: Vec<(i64, String, Vec<u8>)> = built
            .build_query_as()
            .persistent(false)
            .fetch_all(&engine.readers)
            .await?;
        let row = |(end_s, service, traces)| ExemplarRow {
            end_s,
            service,
            traces,
        };
        found.extend(rows.into_iter().map(row));
    }
    Ok(found)
}
