use super::Store;
use crate::store::SpecChangeRow;

fn change(at_s: i64, objective: &str, mark: i64) -> SpecChangeRow {
    SpecChangeRow {
        at_s,
        objective: objective.to_owned(),
        mark,
        what: format!("change {mark} \0"),
    }
}

pub(super) async fn changes_of_specs_are_kept_in_order(store: &Store) {
    assert_eq!(store.spec_marks().await.unwrap(), []);
    let rows = [change(10, "b", 1), change(10, "a", 2), change(10, "b", 3)];
    store.note_spec_changes(&rows).await.unwrap();
    store.note_spec_changes(&[]).await.unwrap();
    store.note_spec_changes(&[change(5, "c", 0)]).await.unwrap();
    let marks = store.spec_marks().await.unwrap();
    let expected = [("a", 2), ("b", 3), ("c", 0)].map(|(name, mark)| (name.to_owned(), mark));
    assert_eq!(marks, expected);
    let newest = store.spec_changes(2).await.unwrap();
    let names: Vec<_> = newest
        .iter()
        .map(|row| (row.at_s, row.objective.as_str()))
        .collect();
    assert_eq!(names, [(5, "c"), (10, "b")]);
    let many: Vec<_> = (0..1_200).map(|n| change(20, "many", n)).collect();
    store.note_spec_changes(&many).await.unwrap();
    assert_eq!(store.spec_changes(2_000).await.unwrap().len(), 1_204);
}
