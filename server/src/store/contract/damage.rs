//! Rows that were changed behind sloburn's back.

use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _};

use super::*;
use crate::store::testing::Place;
use crate::store::{Location, RowKey};

/// Each table with a change of one value, as a decaying disk makes it, and what is noted of it.
fn flips() -> Vec<(&'static str, RowKey)> {
    let slice = RowKey::Slice {
        tier: 10,
        end_s: 20,
        service: "shop".to_owned(),
    };
    let tally = RowKey::Tally {
        fingerprint: 7,
        tier: 60,
        hour_end_s: 3600,
    };
    let alert = RowKey::Alert {
        objective: "checkout".to_owned(),
        rule: "page-fast".to_owned(),
    };
    vec![
        (
            "update series set key = $1 where id = -5",
            RowKey::Series(-5),
        ),
        (
            "update stream set state = $1 where id = 9",
            RowKey::Stream(9),
        ),
        (
            "update slice set requests = requests + 1 where end_s = 20",
            slice,
        ),
        ("update tally set chunk = $1 where hour_end_s = 3600", tally),
        (
            "update counter set value = value + 1 where name = 'counted'",
            RowKey::Counter("counted".to_owned()),
        ),
        ("update alert set incident = incident + 1", alert),
    ]
}

pub(super) async fn a_flipped_row_is_left_out_and_quarantined(place: &Place) {
    let store = filled(place).await;
    let before = read(&store).await;
    assert_eq!(before, [2, 1, 1, 2, 1, 1, 1], "each table has rows");
    assert_eq!(store.noted_damage(), []);
    for (statement, _) in flips() {
        change_row(place, statement).await;
    }
    // The middle of the journal.
    change_row(place, "update journal set delta = $1 where seq = 2").await;

    let after = read(&store).await;
    assert_eq!(after, [1, 0, 0, 1, 0, 0, 0]);
    let mut noted: Vec<RowKey> = flips().into_iter().map(|(_, row)| row).collect();
    noted.push(RowKey::Journal {
        seq: 2,
        received_s: (1_699_999_990, 1_700_000_010),
    });
    noted.sort();
    assert_eq!(store.noted_damage(), noted);

    assert_eq!(store.quarantine(500).await.unwrap(), 7);
    assert_eq!(store.noted_damage(), []);
    assert_eq!(store.quarantine(500).await.unwrap(), 0);
    assert_eq!(read(&store).await, after, "the rows are gone");
    assert_eq!(store.noted_damage(), []);
    let kept = store.quarantined().await.unwrap();
    let incomplete: Vec<_> = kept
        .iter()
        .filter(|row| row.from_s < row.to_s)
        .map(|row| {
            (
                row.place.as_str(),
                row.service.as_deref(),
                row.from_s,
                row.to_s,
            )
        })
        .collect();
    assert_eq!(
        incomplete,
        [
            ("journal", None, 1_699_999_990, 1_700_000_010),
            ("series", None, 490, 500),
            ("stream", None, 490, 500),
            ("slice", Some("shop"), 10, 20),
        ]
    );
    assert_eq!(kept.len(), 7);
    let trim = Trim {
        quarantine_before_s: 501,
        ..Trim::default()
    };
    assert_eq!(store.trim(&trim).await.unwrap(), 7);
}

pub(super) async fn rows_from_before_checksums_are_taken_as_they_are(place: &Place) {
    let store = filled(place).await;
    let whole = read(&store).await;
    for table in [
        "journal", "series", "stream", "slice", "tally", "counter", "alert",
    ] {
        change_row(place, &format!("update {table} set crc = null")).await;
    }
    assert_eq!(read(&store).await, whole);
    assert_eq!(store.noted_damage(), []);
}

async fn filled(place: &Place) -> Store {
    let store = place.open().await;
    let fold = Fold {
        upto: 0,
        exemplars: Vec::new(),
        slices: vec![
            slice(Tier::Ten, 20, "shop", 3),
            slice(Tier::Ten, 30, "shop", 3),
        ],
        tallies: vec![tally(7, Tier::Minute, 3600)],
        streams: vec![(9, vec![9])],
        counters: vec![("counted".to_owned(), 5)],
    };
    store.fold(&fold).await.unwrap();
    store
        .transition(&[change("checkout", 0, 0)], &[])
        .await
        .unwrap();
    store.commit(&group(&[1])).await.unwrap();
    store.commit(&group(&[2])).await.unwrap();
    store
}

/// Number of rows read of: journal, series, streams, slices, tallies, counters, alerts.
async fn read(store: &Store) -> [usize; 7] {
    let demand = store.demand(Tier::Ten, 0, 100).await.unwrap().len();
    let slices = store.slices(Tier::Ten, None, 0, 100).await.unwrap().len();
    assert_eq!(demand, slices);
    [
        store.journal_after(0).await.unwrap().len(),
        store.series().await.unwrap().len(),
        store.streams().await.unwrap().len(),
        slices,
        store.tallies(&[7], 0).await.unwrap().len(),
        store.counters().await.unwrap().len(),
        store.alerts().await.unwrap().len(),
    ]
}

/// Runs a statement beside the store; `$1` is bound to other bytes than any row has.
async fn change_row(place: &Place, statement: &str) {
    let other = b"other".as_slice();
    let binds = statement.contains("$1");
    let changed = match &place.location {
        Location::Directory(directory) => {
            let file = directory.join("sloburn.db").display().to_string();
            let mut connection = sqlx::SqliteConnection::connect(&file).await.unwrap();
            let mut query = sqlx::query(AssertSqlSafe(statement));
            if binds {
                query = query.bind(other);
            }
            query
                .execute(&mut connection)
                .await
                .unwrap()
                .rows_affected()
        }
        Location::Postgres(url) => {
            let mut connection = sqlx::PgConnection::connect(url.expose_secret())
                .await
                .unwrap();
            let mut query = sqlx::query(AssertSqlSafe(statement));
            if binds {
                query = query.bind(other);
            }
            query
                .execute(&mut connection)
                .await
                .unwrap()
                .rows_affected()
        }
    };
    assert!(changed > 0, "{statement}");
}
