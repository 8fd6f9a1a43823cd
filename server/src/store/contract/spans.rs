//! Fingerprints of spans: kept with their commit, sorted, forgotten.

use super::*;
use crate::store::{ChunkId, SpanState};

fn with_prints(number: u8, prints: &[(i64, Vec<u8>)]) -> Group {
    Group {
        prints: prints.to_vec(),
        ..group(&[number])
    }
}

pub(super) async fn a_commit_keeps_the_fingerprints_of_its_spans(store: &Store) {
    let prints = [(7, vec![1; 8]), (8, vec![2; 16])];
    let first = store.commit(&with_prints(1, &prints)).await.unwrap();
    let more = with_prints(2, &[(7, vec![3; 8])]);
    let second = store.commit(&more).await.unwrap();

    assert_eq!(store.span_parts().await.unwrap(), [7, 8]);
    let seven = store.span_commits(7).await.unwrap();
    assert_eq!(
        seven,
        [(first, Some(vec![1; 8])), (second, Some(vec![3; 8]))]
    );
    store.drop_span_commits(7, first).await.unwrap();
    let seven = store.span_commits(7).await.unwrap();
    assert_eq!(seven, [(second, Some(vec![3; 8]))], "what came later stays");
    let eight = store.span_commits(8).await.unwrap();
    assert_eq!(eight, [(first, Some(vec![2; 16]))], "another part stays");
}

pub(super) async fn sorted_fingerprints_are_found_by_chunk(store: &Store) {
    let chunk = |first: i64, fill| ((7, 1, first), vec![fill; 16_384]);
    let chunks: Vec<(ChunkId, Vec<u8>)> = (0..600).map(|number| chunk(number - 300, 5)).collect();
    store.put_span_chunks(&chunks).await.unwrap();
    store.put_span_chunks(&chunks).await.unwrap();

    let ids: Vec<ChunkId> = chunks.iter().map(|(id, _)| *id).collect();
    assert_eq!(
        store.span_chunk_ids().await.unwrap(),
        ids,
        "in order, each once"
    );
    let mut found = store.span_chunks(&ids).await.unwrap();
    found.sort();
    let whole = chunks.into_iter().map(|(id, prints)| (id, Some(prints)));
    assert_eq!(found, whole.collect::<Vec<_>>());
    let other = store.span_chunks(&[(7, 2, -300), (8, 1, -300)]).await;
    assert_eq!(other.unwrap(), []);
    assert_eq!(store.span_chunks(&[]).await.unwrap(), []);
}

pub(super) async fn forgetting_takes_whole_parts_and_remembers_that(store: &Store) {
    let prints = [(7, vec![1; 8]), (8, vec![2; 8])];
    store.commit(&with_prints(1, &prints)).await.unwrap();
    let chunks: Vec<(ChunkId, Vec<u8>)> =
        (0..200).map(|at| ((6 + at % 3, 1, at), vec![1])).collect();
    store.put_span_chunks(&chunks).await.unwrap();

    store.forget_spans(8).await.unwrap();
    assert_eq!(store.span_parts().await.unwrap(), [8]);
    let ids = store.span_chunk_ids().await.unwrap();
    assert!(
        ids.len() == 66 && ids.iter().all(|(part, ..)| *part == 8),
        "{ids:?}"
    );
    store.forget_spans(5).await.unwrap();
    let state = store.span_state().await.unwrap();
    assert_eq!(state.forgotten_part, 8, "it never goes back");

    store.set_spans_since(5).await.unwrap();
    store.clear_spans().await.unwrap();
    assert!(store.span_parts().await.unwrap().is_empty());
    assert_eq!(store.span_chunk_ids().await.unwrap(), []);
    assert_eq!(
        store.span_state().await.unwrap(),
        SpanState {
            since_s: 0,
            ..state
        }
    );
}

pub(super) async fn the_secret_stays_and_is_its_own(place: &Place, other: &Place) {
    let store = place.open().await;
    let state = store.span_state().await.unwrap();
    store.close().await;
    assert_eq!(place.open().await.span_state().await.unwrap(), state);
    let other = other.open().await.span_state().await.unwrap();
    assert_ne!(other.secret, state.secret);
    assert_ne!(state.secret[..8], state.secret[8..]);
}
