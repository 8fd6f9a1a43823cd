//! Who may open a store, and when it lets go.

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::*;
use crate::store::Location;

pub(super) async fn a_second_process_is_refused(place: &Place) {
    let store = place.open().await;
    let refused = Store::open(&place.location).await.unwrap_err().to_string();
    let named = match &place.location {
        Location::Directory(directory) => directory.display().to_string(),
        Location::Postgres(_) => "localhost:5432/test_".to_owned(),
    };
    assert!(
        refused.starts_with("another sloburn is using the "),
        "{refused}"
    );
    assert!(refused.contains(&named), "{refused}");
    store.ping_write().await.unwrap();
    store.close().await;

    place.open().await.ping_write().await.unwrap();
}

pub(super) async fn a_newer_schema_is_refused_and_left_alone(place: &Place) {
    let store = place.open().await;
    store.commit(&group(&[1])).await.unwrap();
    store.close().await;
    let newer = "insert into _sqlx_migrations \
        (version, description, success, checksum, execution_time) values (4711, 'later', true, '', 0)";
    let epoch = "select value from meta where name = 'epoch'";
    let opened: i64 = match &place.location {
        Location::Directory(directory) => {
            let file = directory.join("sloburn.db").display().to_string();
            let mut connection = sqlx::SqliteConnection::connect(&file).await.unwrap();
            sqlx::query(newer).execute(&mut connection).await.unwrap();
            refused(place).await;
            sqlx::query_scalar(epoch)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        }
        Location::Postgres(url) => {
            let mut connection = connect(url).await;
            sqlx::query(newer).execute(&mut connection).await.unwrap();
            refused(place).await;
            sqlx::query_scalar(epoch)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        }
    };
    assert_eq!(opened, 1, "the refused opening wrote");
}

async fn refused(place: &Place) {
    let refused = Store::open(&place.location).await.unwrap_err();
    let sentence = refused.to_string();
    assert!(
        matches!(refused, OpenError::NewerSchema { found: 4711, .. }),
        "{sentence}"
    );
    assert!(sentence.contains("made by a newer sloburn"), "{sentence}");
}

pub(super) async fn a_closed_store_refuses_writes(store: &Store) {
    store.clone().close().await;
    let refused = store.commit(&group(&[1])).await.unwrap_err();
    assert!(matches!(refused, StoreError::Closed), "{refused}");
    let refused = store.ping_write().await.unwrap_err();
    assert!(matches!(refused, StoreError::Closed), "{refused}");
}

/// What a disk must have room for that is nearly full, when only pages are written.
#[tokio::test]
async fn the_log_is_as_long_whatever_the_size_of_pages() {
    for page_bytes in [1024, 4096, 16384, 65536] {
        let place = Place::sqlite();
        let Location::Directory(directory) = &place.location else {
            unreachable!("it is SQLite");
        };
        // As an earlier version made it.
        let options = SqliteConnectOptions::new()
            .filename(directory.join("sloburn.db"))
            .create_if_missing(true)
            .page_size(page_bytes);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql("create table t (a); drop table t")
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let store = place.open().await;
        for number in 0..32 {
            let group = Group {
                delta: vec![number; 256 << 10],
                ..group(&[number])
            };
            store.commit(&group).await.unwrap();
        }
        let log = std::fs::metadata(directory.join("sloburn.db-wal"));
        let log = log.unwrap().len();
        assert!(
            (4 << 20..5 << 20).contains(&log),
            "{log} bytes with pages of {page_bytes}"
        );
        let mut connection = options.connect().await.unwrap();
        let kept: u32 = sqlx::query_scalar("pragma page_size")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(kept, page_bytes);
    }
}

#[tokio::test]
async fn an_unwritable_directory_is_one_sentence() {
    let refused = Store::open(&Location::Directory("/proc/sloburn".into()))
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "cannot write in the data directory `/proc/sloburn`"
    );
}

#[tokio::test]
async fn a_wrong_database_url_is_refused_without_showing_it() {
    for url in [
        "mysql:hunter2",
        "postgres://u:hunter2@h:port/x",
        "postgres://u:hunter2@localhost:1/x",
    ] {
        let refused = Store::open(&Location::Postgres(url.into()))
            .await
            .unwrap_err();
        let shown = format!("{refused} {refused:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn a_lost_postgres_connection_comes_back_with_its_lock() {
    let place = Place::postgres().await;
    let store = place.open().await;
    kill_lock_holder(&place).await;
    store.commit(&group(&[1])).await.unwrap();

    let refused = Store::open(&place.location).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::DatabaseInUse { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_process_that_lost_postgres_to_another_never_writes_again() {
    let place = Place::postgres().await;
    let store = place.open().await;
    kill_lock_holder(&place).await;
    let other = place.open().await;
    let refused = store.commit(&group(&[1])).await.unwrap_err();
    assert!(matches!(refused, StoreError::LockLost), "{refused}");
    other.commit(&group(&[1])).await.unwrap();
    other.close().await;

    let refused = store.commit(&group(&[2])).await.unwrap_err();
    assert!(matches!(refused, StoreError::Superseded), "{refused}");
}

/// Ends the session that holds the advisory lock, as a failing network would.
async fn kill_lock_holder(place: &Place) {
    let Location::Postgres(url) = &place.location else {
        panic!("not PostgreSQL");
    };
    let mut connection = connect(url).await;
    let killed: Vec<bool> = sqlx::query_scalar(
        "select pg_terminate_backend(pid, 5000) from pg_locks \
         where locktype = 'advisory' and database = \
         (select oid from pg_database where datname = current_database())",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(killed, [true]);
}

async fn connect(url: &SecretString) -> PgConnection {
    PgConnection::connect(url.expose_secret()).await.unwrap()
}
