//! Bits that flip in the file of a real store: what is read is what was written, or it is said that it is not.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::Connection as _;

use super::*;
use crate::store::testing::Place;
use crate::store::{Location, RowKey};

/// Flips by chance; each opens the store twice.
const FLIPS: usize = 300;
const NOW_S: i64 = 1_700_000_100;
/// Where SQLite says how large its pages are; and their kinds.
const PAGE_SIZE: usize = 16;
const TABLE_LEAF: u8 = 0x0d;
const INDEX_LEAF: u8 = 0x0a;
const SECRET_S: i64 = 1_700_000_000;

/// Tables whose rows must be what they were.
const TABLES: [&str; 10] = [
    "journal", "series", "stream", "slice", "tally", "counter", "meta", "alert", "incident",
    "outbox",
];

#[tokio::test]
async fn a_page_that_its_index_lost_is_owed_again() {
    let place = Place::sqlite();
    let Location::Directory(directory) = &place.location else {
        unreachable!("it is SQLite");
    };
    let (bytes, _) = stored(&place, directory).await;
    let store = place.open().await;
    let written = paged(&store).await.unwrap();
    store.close().await;
    let (mut lost, mut wrong) = (0, Vec::new());
    for (_, records) in roots(&place, &bytes, &["outbox_owed"]).await {
        for at in records.into_iter().flatten() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            std::fs::write(directory.join("sloburn.db"), flipped).unwrap();
            let store = place.open().await;
            let seen = paged(&store).await;
            lost += usize::from(seen.is_err() || seen.is_ok_and(|seen| seen != written));
            store.scrub((0, 0)).await.unwrap();
            if paged(&store).await.unwrap() != written {
                wrong.push(at);
            }
            store.close().await;
        }
    }
    assert!(lost > 10, "{lost} flips were to be seen");
    assert!(wrong.is_empty(), "not mended: {wrong:?}");
}

#[tokio::test]
async fn a_flipped_bit_is_never_read_as_something_else() {
    let place = Place::sqlite();
    let Location::Directory(directory) = &place.location else {
        unreachable!("it is SQLite");
    };
    let (bytes, written) = stored(&place, directory).await;
    let tables = roots(&place, &bytes, &TABLES).await;
    let mut rng = StdRng::seed_from_u64(15);
    let (mut noticed, mut refused, mut silent) = (0, Vec::new(), Vec::new());
    for _ in 0..FLIPS {
        let (table, records) = &tables[rng.random_range(0..tables.len())];
        let record = records[rng.random_range(0..records.len())].clone();
        let at = rng.random_range(record);
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << rng.random_range(0..8);
        match read_flipped(&flipped, &written).await {
            Ok(true) => noticed += 1,
            Ok(false) => {}
            Err(Outcome::Said(what)) => refused.push(format!("{table}: {what}")),
            Err(Outcome::Silent(what)) => silent.push(format!(
                "{table}, byte {at} from {:#04x} to {:#04x}: {what}",
                bytes[at], flipped[at]
            )),
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    assert!(noticed > FLIPS / 10, "{noticed} were noticed");
    assert!(refused.len() < FLIPS / 20, "{}", refused.join("\n"));
}

/// Why what was read is not what was written.
enum Outcome {
    /// The store says so, as a whole.
    Said(String),
    Silent(String),
}

impl<E: std::fmt::Debug> From<E> for Outcome {
    fn from(error: E) -> Outcome {
        Outcome::Said(format!("{error:?}"))
    }
}

/// Reads a store of these bytes; true if rows were found to be damaged, and all others are as they were.
async fn read_flipped(bytes: &[u8], written: &BTreeSet<String>) -> Result<bool, Outcome> {
    let place = Place::sqlite();
    let Location::Directory(directory) = &place.location else {
        unreachable!("it is SQLite");
    };
    std::fs::write(directory.join("sloburn.db"), bytes).unwrap();
    let store = Store::open(&place.location).await?;
    store.check_numbers(NOW_S).await?;
    let replaced: Vec<String> = store
        .quarantined()
        .await?
        .into_iter()
        .map(|row| row.row_key)
        .collect();
    let read = facts(&store).await?;
    let noted = store.noted_damage();
    let number = |line: &&String| {
        // Spans are told apart by four numbers at once; a number may be higher than it need be.
        let spans =
            line.starts_with("spans ") && replaced.iter().any(|name| name.starts_with("span"));
        let higher = line.starts_with("incident ");
        spans || higher || replaced.iter().any(|name| line.starts_with(name.as_str()))
    };
    let other: Vec<_> = read
        .difference(written)
        .filter(|line| !number(line))
        .collect();
    let missing: Vec<_> = written.difference(&read).collect();
    if !other.is_empty() || (noted.is_empty() && replaced.is_empty() && !missing.is_empty()) {
        return Err(Outcome::Silent(format!(
            "{other:?} in place of {missing:?}, noted {noted:?}, replaced {replaced:?}"
        )));
    }
    let mended = mend(&store, &noted).await;
    if let Err(error) = mended {
        return Err(Outcome::Silent(format!(
            "{noted:?} cannot be moved: {error:?}"
        )));
    }
    facts(&store).await?;
    if !store.noted_damage().is_empty() {
        return Err(Outcome::Silent(format!("{noted:?} is found again")));
    }
    let kept = store.quarantined().await?.len();
    if kept < noted.len() + replaced.len() {
        return Err(Outcome::Silent(format!("{noted:?} is not kept")));
    }
    Ok(kept > 0)
}

/// Moves damaged rows out of the way, whatever they say.
async fn mend(store: &Store, noted: &[RowKey]) -> Result<(), StoreError> {
    store.quarantine(NOW_S).await?;
    for row in noted {
        match row {
            RowKey::Page(id) => store.mend_page(*id, &[], NOW_S).await?,
            RowKey::Incident(number) => {
                if let Some(found) = store.found_incident(*number).await? {
                    store.mend_incident(*number, &found.row, NOW_S).await?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A closed store with rows in every table: its file, and what is read of it.
async fn stored(place: &Place, directory: &Path) -> (Vec<u8>, BTreeSet<String>) {
    let store = place.open().await;
    store.check_numbers(NOW_S).await.unwrap();
    for number in 1..=3 {
        store.commit(&group(&[number])).await.unwrap();
    }
    let fold = Fold {
        upto: 1,
        exemplars: Vec::new(),
        slices: (1..=12)
            .map(|number| slice(Tier::Ten, 10 * number, "checkout", 3))
            .collect(),
        tallies: vec![tally(7, Tier::Minute, 3600), tally(8, Tier::Hour, 7200)],
        streams: vec![(9, vec![9; 20]), (10, vec![10; 20])],
        counters: vec![("counted".to_owned(), 5)],
    };
    store.fold(&fold).await.unwrap();
    store
        .seal(&[slice(Tier::Hour, 3600, "checkout", 36)], 3600)
        .await
        .unwrap();
    store.set_spans_since(SECRET_S).await.unwrap();
    let fires = [1, 2, 3].map(|number| page(number, Kind::Fire, &["oncall", "team"]));
    let fired = |incident, version| AlertChange {
        history: Some(History::Fired {
            severity: "page".to_owned(),
            fired_s: 100 * incident,
            reason: "burn rate 20 over 1h and 5m".to_owned(),
            late: false,
        }),
        ..change(&format!("checkout-{incident}"), version, incident)
    };
    let changes = [fired(1, 0), fired(2, 0), fired(3, 0)];
    store.transition(&changes, &fires).await.unwrap();
    attempt(&store, "oncall", Next::Accepted).await;
    attempt(&store, "team", Next::Retry { due_ms: 90_000 }).await;
    let resolved = AlertChange {
        history: Some(History::Resolved {
            resolved_s: 700,
            reason: "burn rate 0.5 over 5m".to_owned(),
        }),
        ..change("checkout-1", 1, 1)
    };
    let resolve = page(1, Kind::Resolve, &[]);
    store.transition(&[resolved], &[resolve]).await.unwrap();
    let written = facts(&store).await.unwrap();
    store.close().await;
    let bytes = std::fs::read(directory.join("sloburn.db")).unwrap();
    (bytes, written)
}

/// Tables, or indexes, each with the places of its records in the file.
async fn roots(place: &Place, bytes: &[u8], names: &[&str]) -> Vec<(String, Vec<Range<usize>>)> {
    let Location::Directory(directory) = &place.location else {
        unreachable!("it is SQLite");
    };
    let file = directory.join("sloburn.db").display().to_string();
    let mut connection = sqlx::SqliteConnection::connect(&file).await.unwrap();
    let root = "select rootpage from sqlite_master where name = $1";
    let mut roots = Vec::new();
    for name in names {
        let page: i64 = sqlx::query_scalar(root)
            .bind(*name)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        roots.push((
            (*name).to_owned(),
            records(bytes, usize::try_from(page).unwrap()),
        ));
    }
    roots
}

/// Where the values of a page's records are: each table here is one leaf. What SQLite keeps in front of them, their
/// kinds and lengths, it checks itself for the most part.
fn records(bytes: &[u8], page: usize) -> Vec<Range<usize>> {
    let short = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    let start = (page - 1) * short(PAGE_SIZE);
    let kind = bytes[start];
    assert!(kind == TABLE_LEAF || kind == INDEX_LEAF, "no leaf: {kind}");
    let record = |cell: usize| {
        let mut at = start + short(start + 8 + 2 * cell);
        let length = varint(bytes, &mut at);
        if kind == TABLE_LEAF {
            varint(bytes, &mut at);
        }
        let end = at + length;
        let begin = at;
        let header = varint(bytes, &mut at);
        begin + header..end
    };
    (0..short(start + 3)).map(record).collect()
}

fn varint(bytes: &[u8], at: &mut usize) -> usize {
    let mut value = 0;
    loop {
        let byte = bytes[*at];
        *at += 1;
        value = value << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

/// Everything that is counted, judged or paged by, a line for each row.
async fn facts(store: &Store) -> Result<BTreeSet<String>, StoreError> {
    let mut facts = BTreeSet::new();
    let mut tell = |line: String| _ = facts.insert(line);
    tell(format!("folded {}", store.folded().await?));
    tell(format!("sealed_until {}", store.sealed_until().await?));
    tell(format!("incident {}", store.next_incident().await?));
    tell(format!("spans {:?}", store.span_state().await?));
    for row in store.journal_after(store.folded().await?).await? {
        tell(format!("journal {} {:?}", row.seq, row.delta));
    }
    for row in store.series().await? {
        tell(format!("series {row:?}"));
    }
    for row in store.streams().await? {
        tell(format!("stream {row:?}"));
    }
    for row in store.counters().await? {
        tell(format!("counter {row:?}"));
    }
    for tier in [Tier::Ten, Tier::Hour] {
        for row in store.slices(tier, None, 0, 100_000).await? {
            // The pack carries a checksum of its own.
            tell(format!(
                "{:?}",
                SliceRow {
                    pack: Vec::new(),
                    ..row
                }
            ));
        }
    }
    for row in store.tallies(&[7, 8], 0).await? {
        tell(format!("{row:?}"));
    }
    for row in store.alerts().await? {
        tell(format!("{row:?}"));
    }
    for row in store.open_incidents().await? {
        tell(format!("open {row:?}"));
    }
    for row in store.history(None, 100).await? {
        tell(format!("{row:?}"));
    }
    facts.append(&mut paged(store).await?);
    Ok(facts)
}

/// The same of pages.
async fn paged(store: &Store) -> Result<BTreeSet<String>, StoreError> {
    let mut facts = BTreeSet::new();
    let mut tell = |line: String| _ = facts.insert(line);
    for receiver in ["oncall", "team"] {
        for row in store.owed(receiver, 100).await? {
            tell(format!("to {receiver} {row:?}"));
        }
        for row in store.unaccepted(receiver, 100).await? {
            tell(format!("{receiver} has not accepted {row:?}"));
        }
    }
    for row in store.deliveries(None, 100).await? {
        tell(format!(
            "{:?}",
            (
                row.receiver,
                row.incident,
                row.kind,
                row.notice,
                row.done_ms
            )
        ));
    }
    Ok(facts)
}
