//! When objectives came, changed and went.

use sqlx::QueryBuilder;

use super::{Db, Engine, ROWS, Writing, run, text};
use crate::store::error::StoreError;
use crate::store::rows::SpecChangeRow;

/// Notes changes, in their order.
pub(crate) async fn note_spec_changes(
    engine: &Engine,
    rows: &[SpecChangeRow],
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut writing = Writing::begin(engine).await?;
    for rows in rows.chunks(ROWS) {
        let mut built =
            QueryBuilder::<Db>::new("insert into spec_change (at_s, objective, mark, what) ");
        built.push_values(rows, |mut row, change| {
            row.push_bind(change.at_s)
                .push_bind(text(&change.objective))
                .push_bind(change.mark)
                .push_bind(text(&change.what));
        });
        run(&mut writing.connection, built).await?;
    }
    writing.commit().await
}

/// The newest mark of every objective, by its id.
pub(crate) async fn spec_marks(engine: &Engine) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(sqlx::query_as::<Db, _>(
        "select objective, mark from spec_change \
         where id in (select max(id) from spec_change group by objective) order by objective",
    )
    .fetch_all(&engine.readers)
    .await?)
}

/// The newest changes, newest first.
pub(crate) async fn spec_changes(
    engine: &Engine,
    most: i64,
) -> Result<Vec<SpecChangeRow>, StoreError> {
    let rows: Vec<(i64, String, i64, String)> = sqlx::query_as::<Db, _>(
        "select at_s, objective, mark, what from spec_change order by id desc limit $1",
    )
    .bind(most)
    .fetch_all(&engine.readers)
    .await?;
    let row = |(at_s, objective, mark, what)| SpecChangeRow {
        at_s,
        objective,
        mark,
        what,
    };
    Ok(rows.into_iter().map(row).collect())
}
