//! What comes in, its fold, and its end.

use super::*;

pub(super) async fn answers_that_are_no_full_success_are_kept(store: &Store) {
    let mut three = group(&[1, 2]);
    three.requests.push((hash(3), Vec::new()));
    store.commit(&three).await.unwrap();

    let mut answers = store
        .answers(&[hash(1), hash(2), hash(3), hash(4)])
        .await
        .unwrap();
    answers.sort();
    assert_eq!(answers, [(hash(1), vec![1]), (hash(2), vec![2])]);
    assert_eq!(store.answers(&[]).await.unwrap(), []);
}

pub(super) async fn requests_are_kept_with_their_time_beyond_the_fold(store: &Store) {
    assert!(store.request_parts(60).await.unwrap().is_empty());
    let mut early = group(&[1, 2]);
    early.received_s = 100;
    let folded = store.commit(&early).await.unwrap();
    let mut late = group(&[3]);
    late.received_s = 161;
    store.commit(&late).await.unwrap();
    let fold = Fold {
        upto: folded,
        ..Fold::default()
    };
    store.fold(&fold).await.unwrap();

    let requests = async |from_s, to_s| -> Vec<(i64, Vec<[u8; 16]>)> {
        let batches = store.requests(from_s, to_s).await.unwrap();
        let whole = batches
            .into_iter()
            .map(|(at, hashes)| (at, hashes.unwrap()));
        whole.collect()
    };
    assert_eq!(requests(100, 161).await, [(100, vec![hash(1), hash(2)])]);
    assert_eq!(requests(101, 162).await, [(161, vec![hash(3)])]);
    assert_eq!(requests(162, 999).await, []);
    let mut parts = store.request_parts(60).await.unwrap();
    parts.sort_unstable();
    assert_eq!(parts, [1, 2]);
}

pub(super) async fn large_groups_are_stored_whole(store: &Store) {
    let mut large = group(&[]);
    let hashes: Vec<[u8; 16]> = (0..1_234_u128).map(u128::to_be_bytes).collect();
    large.requests = hashes.iter().map(|&hash| (hash, Vec::new())).collect();
    large.series = (0..1_234).map(|id| (id, vec![7; 300])).collect();
    large.delta = vec![9; 3_000_000];
    let seq = store.commit(&large).await.unwrap();

    let batches = store.requests(0, i64::MAX).await.unwrap();
    let [(_, Ok(stored))] = batches.as_slice() else {
        panic!("{batches:?}");
    };
    assert_eq!(*stored, hashes);
    assert_eq!(store.series().await.unwrap(), large.series);
    let tail = store.journal_after(seq - 1).await.unwrap();
    assert_eq!(numbered(tail), [(seq, large.delta)]);
}

pub(super) async fn the_journal_outlives_a_process_that_ends_without_closing(place: &Place) {
    let store = place.open().await;
    let first = store.commit(&group(&[1])).await.unwrap();
    let second = store.commit(&group(&[2])).await.unwrap();
    drop(store);

    let store = place.open().await;
    assert_eq!(
        numbered(store.journal_after(0).await.unwrap()),
        [(first, vec![1]), (second, vec![2])]
    );
    assert_eq!(store.journal_after(second).await.unwrap(), []);
    assert_eq!(store.answers(&[hash(1)]).await.unwrap().len(), 1);
}

pub(super) async fn a_seq_is_never_used_again(place: &Place) {
    let store = place.open().await;
    let seq = store.commit(&group(&[1])).await.unwrap();
    let fold = Fold {
        upto: seq,
        ..Fold::default()
    };
    store.fold(&fold).await.unwrap();
    store.close().await;

    let store = place.open().await;
    assert!(store.commit(&group(&[2])).await.unwrap() > seq);
}

pub(super) async fn a_fold_replaces_rows_and_ends_the_journal(store: &Store) {
    let first = store.commit(&group(&[1])).await.unwrap();
    let second = store.commit(&group(&[2])).await.unwrap();
    let fold = |upto, requests| Fold {
        upto,
        exemplars: vec![exemplars(10, "cart", requests)],
        slices: vec![slice(Tier::Ten, 10, "cart", requests)],
        tallies: vec![tally(-7, Tier::Minute, 3600)],
        streams: vec![(1, vec![1]), (2, vec![2])],
        counters: vec![("received".to_owned(), requests)],
    };
    store.fold(&fold(first, 5)).await.unwrap();
    let gone = Fold {
        streams: vec![(1, Vec::new()), (2, vec![3])],
        ..fold(first, 6)
    };
    store.fold(&gone).await.unwrap();

    assert_eq!(store.folded().await.unwrap(), first);
    let tail = numbered(store.journal_after(0).await.unwrap());
    assert_eq!(tail, [(second, vec![2])]);
    let ten = store.slices(Tier::Ten, None, 0, 10).await.unwrap();
    assert_eq!(ten, [slice(Tier::Ten, 10, "cart", 6)]);
    assert_eq!(
        store.exemplars("cart", 0, 10).await.unwrap(),
        [exemplars(10, "cart", 6)]
    );
    assert_eq!(store.exemplars("cart", 10, 20).await.unwrap(), []);
    let wanted = [(10, "cart".to_owned()), (10, "shop".to_owned())];
    assert_eq!(
        store.exemplars_at(&wanted).await.unwrap(),
        [exemplars(10, "cart", 6)]
    );
    let tallies = store.tallies(&[-7, 8], 0).await.unwrap();
    assert_eq!(tallies, [tally(-7, Tier::Minute, 3600)]);
    assert_eq!(store.tallies(&[-7], 3600).await.unwrap(), []);
    assert_eq!(store.streams().await.unwrap(), [(2, vec![3])]);
    let counters = store.counters().await.unwrap();
    assert_eq!(counters, [("received".to_owned(), 6)]);
}

pub(super) async fn a_fold_given_up_half_way_leaves_no_trace(store: &Store) {
    let mut done = 0;
    for round in 1..=40_u64 {
        let number = u8::try_from(round).unwrap();
        let seq = store.commit(&group(&[number])).await.unwrap();
        let fold = Fold {
            upto: seq,
            slices: vec![slice(Tier::Ten, 10, "cart", seq)],
            counters: vec![("received".to_owned(), seq)],
            ..Fold::default()
        };
        let patience = Duration::from_micros(round * 50);
        let finished = tokio::time::timeout(patience, store.fold(&fold)).await;
        if let Ok(finished) = finished {
            finished.unwrap();
            done = seq;
        }
        // The next write waits for the end of the one given up, so that this is what it left.
        store.ping_write().await.unwrap();

        let folded = store.folded().await.unwrap();
        assert!(folded == done || folded == seq, "{folded} {done} {seq}");
        done = folded;
        let counters = store.counters().await.unwrap();
        let slices = store.slices(Tier::Ten, None, 0, 10).await.unwrap();
        let tail = store.journal_after(0).await.unwrap();
        if folded > 0 {
            assert_eq!(counters, [("received".to_owned(), folded)]);
            assert_eq!(slices, [slice(Tier::Ten, 10, "cart", folded)]);
        }
        assert!(tail.iter().all(|row| row.seq > folded));
        assert_eq!(
            tail.last().map(|last| last.seq == seq),
            (folded < seq).then_some(true)
        );
    }
}

pub(super) async fn slices_are_found_by_tier_time_and_service(store: &Store) {
    let rows = [
        slice(Tier::Minute, 60, "cart", 1),
        slice(Tier::Minute, 60, "shop", 2),
        slice(Tier::Minute, 120, "cart", 3),
        slice(Tier::Hour, 3600, "cart", 4),
    ];
    store.seal(&rows, 3600).await.unwrap();
    assert_eq!(store.sealed_until().await.unwrap(), 3600);

    let minutes = store.slices(Tier::Minute, None, 0, 120).await.unwrap();
    assert_eq!(minutes, rows[..3]);
    let after = store.slices(Tier::Minute, None, 60, 120).await.unwrap();
    assert_eq!(after, rows[2..3]);
    let shop = Some(&["shop".to_owned()][..]);
    let shop = store.slices(Tier::Minute, shop, 0, 120).await.unwrap();
    assert_eq!(shop, rows[1..2]);
    let nobody = store.slices(Tier::Minute, Some(&[]), 0, 120).await.unwrap();
    assert_eq!(nobody, []);
    let first = store.first_end(Tier::Minute).await.unwrap();
    assert_eq!(first, Some(60));
    assert_eq!(store.first_end(Tier::Ten).await.unwrap(), None);
    let at = [
        (Tier::Hour, 3600, "cart".to_owned()),
        (Tier::Minute, 60, "shop".to_owned()),
        (Tier::Ten, 60, "shop".to_owned()),
    ];
    let at = store.slices_at(&at).await.unwrap();
    assert_eq!(at, [rows[1].clone(), rows[3].clone()]);
    let demand = store.demand(Tier::Minute, 60, 120).await.unwrap();
    let expected = Demand {
        end_s: 120,
        service: "cart".to_owned(),
        requests: 3,
        failed: 1,
    };
    assert_eq!(demand, [expected]);
    assert_eq!(store.services().await.unwrap(), ["cart", "shop"]);
}

pub(super) async fn any_service_name_can_be_stored(store: &Store) {
    let names = ["", "'; drop table slice; --", "Ä\u{0}ö", "\u{10ffff}"];
    let rows: Vec<SliceRow> = names
        .iter()
        .map(|name| slice(Tier::Ten, 10, name, 1))
        .collect();
    store.seal(&rows, 0).await.unwrap();

    let wanted = names.map(|name| (Tier::Ten, 10, name.to_owned()));
    assert_eq!(store.slices_at(&wanted).await.unwrap().len(), 4);
    let services = store.services().await.unwrap();
    assert_eq!(services, [names[0], names[1], "Ä\u{fffd}ö", names[3]]);
}

pub(super) async fn retention_deletes_what_is_older_and_nothing_else(store: &Store) {
    let mut rows: Vec<SliceRow> = (1..=1_200)
        .map(|n| slice(Tier::Ten, n * 10, "cart", n))
        .collect();
    rows.push(slice(Tier::Minute, 60, "cart", 1));
    rows.push(slice(Tier::Hour, 3600, "cart", 1));
    store.seal(&rows, 0).await.unwrap();
    let hours = [tally(1, Tier::Ten, 3600), tally(1, Tier::Ten, 7200)];
    store.put_tallies(&hours).await.unwrap();
    store
        .put_tallies(&[tally(1, Tier::Hour, 3600)])
        .await
        .unwrap();
    let seq = store.commit(&group(&[1])).await.unwrap();
    let fold = Fold {
        upto: seq - 1,
        exemplars: (1..=1_200).map(|n| exemplars(n * 10, "cart", n)).collect(),
        ..Fold::default()
    };
    store.fold(&fold).await.unwrap();

    assert_eq!(store.trim(&Trim::default()).await.unwrap(), 0);
    let trim = Trim {
        ten_before_s: 11_000,
        minute_before_s: 60,
        tally_ten_before_s: 7200,
        request_before_s: 1_700_000_001,
        ..Trim::default()
    };
    assert_eq!(store.trim(&trim).await.unwrap(), 1_099 + 1_099 + 1 + 1);

    let tens = store.slices(Tier::Ten, None, 0, 20_000).await.unwrap();
    assert_eq!(tens.len(), 101);
    assert_eq!(tens[0].end_s, 11_000);
    let traces = store.exemplars("cart", 0, 20_000).await.unwrap();
    assert_eq!((traces.len(), traces[0].end_s), (101, 11_000));
    let minutes = store.slices(Tier::Minute, None, 0, 60).await.unwrap();
    assert_eq!(minutes.len(), 1);
    let tallies = store.tallies(&[1], 0).await.unwrap();
    assert_eq!(
        tallies,
        [tally(1, Tier::Ten, 7200), tally(1, Tier::Hour, 3600)]
    );
    assert_eq!(store.answers(&[hash(1)]).await.unwrap(), []);
}

pub(super) async fn minutes_that_no_sum_replaced_are_kept_as_long_as_sums(store: &Store) {
    let [replaced, alone] = [3_600, 7_200].map(|end_s| tally(1, Tier::Minute, end_s));
    let (of_another, sum) = (tally(2, Tier::Hour, 7_200), tally(1, Tier::Hour, 3_600));
    let rows = [replaced, alone.clone(), of_another.clone(), sum.clone()];
    store.put_tallies(&rows).await.unwrap();
    let mut trim = Trim {
        tally_minute_before_s: 10_000,
        ..Trim::default()
    };
    assert_eq!(store.trim(&trim).await.unwrap(), 1);
    let left = store.tallies(&[1, 2], 0).await.unwrap();
    assert_eq!(left, [alone, sum, of_another]);
    trim.tally_hour_before_s = 10_000;
    assert_eq!(store.trim(&trim).await.unwrap(), 3);
}

pub(super) async fn tallies_of_other_indicators_are_forgotten(store: &Store) {
    let rows = [1, 2, 3].map(|fingerprint| tally(fingerprint, Tier::Hour, 3600));
    store.put_tallies(&rows).await.unwrap();
    store.keep_tallies(&[2, 4]).await.unwrap();
    assert_eq!(store.tallies(&[1, 2, 3], 0).await.unwrap(), rows[1..2]);
}

fn exemplars(end_s: i64, service: &str, traces: i64) -> ExemplarRow {
    ExemplarRow {
        end_s,
        service: service.to_owned(),
        traces: traces.to_le_bytes().to_vec(),
    }
}

/// Rows as seq and delta.
fn numbered(rows: Vec<JournalRow>) -> Vec<(i64, Vec<u8>)> {
    rows.into_iter().map(|row| (row.seq, row.delta)).collect()
}
