//! Damage that can be made good from other rows.

use super::rows::{AlertRow, HistoryRow, Kind, OutboxRow};
use super::{Engine, RowKey, Store, StoreError, postgres, sqlite, within};

/// A damaged page: as found, so that none of it need be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPage {
    /// Its row.
    pub id: i64,
    /// Name of the receiver.
    pub receiver: String,
    /// Incident number.
    pub incident: i64,
    /// Objective id.
    pub objective: String,
    /// Rule name.
    pub rule: String,
    /// What it says; a fire, if that cannot be read.
    pub kind: Kind,
    /// JSON, once.
    pub notice: String,
    /// When it was decided, Unix milliseconds.
    pub created_ms: i64,
    /// When it was accepted, if both the row and an attempt say that it was; Unix milliseconds.
    pub delivered_ms: Option<i64>,
}

/// What is written in place of a damaged page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MendedPage {
    /// To its receivers, of either kind.
    pub page: OutboxRow,
    /// When it was accepted, Unix milliseconds; none: it is owed.
    pub delivered_ms: Option<i64>,
}

/// A damaged incident: as found, and what rows that are whole tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundIncident {
    /// As found: none of it need be true.
    pub row: HistoryRow,
    /// The page that told of it, JSON.
    pub fire: Option<String>,
    /// The page that told its end, JSON.
    pub resolve: Option<String>,
    /// The alert with its number, or else of its objective and rule.
    pub alert: Option<AlertRow>,
    /// No incident has the number that the alert names.
    pub number_is_free: bool,
}

impl Store {
    /// Reads some of the pages and incidents behind the last ones, and notes those that are damaged. Returns the
    /// last ones; each the highest there is after the end. If an index would keep an owed page from its receiver,
    /// indexes are made anew.
    pub async fn scrub(&self, after: (i64, i64)) -> Result<(i64, i64), StoreError> {
        let (last, astray) = on_engine!(self, mend::scrub(after))?;
        if astray {
            match &*self.engine {
                Engine::Sqlite(engine) => _ = engine.make_indexes().await,
                Engine::Postgres(_) => tracing::error!(
                    "an owed page is not found by the index `outbox_owed`; run `reindex table outbox`"
                ),
            }
        }
        Ok(last)
    }

    /// Notes damaged numbers and replaces them by what other rows tell. To call before anything is loaded.
    pub async fn check_numbers(&self, now_s: i64) -> Result<(), StoreError> {
        on_engine!(self, numbers::check_numbers())?;
        self.quarantine(now_s).await?;
        on_engine!(self, numbers::continue_journal())
    }

    /// One incident; none if it is damaged or not there.
    pub async fn incident(&self, number: i64) -> Result<Option<HistoryRow>, StoreError> {
        on_engine!(self, mend::incident(number))
    }

    /// A damaged page; none if it was mended.
    pub async fn found_page(&self, id: i64) -> Result<Option<FoundPage>, StoreError> {
        on_engine!(self, mend::found_page(id))
    }

    /// Puts a damaged page into quarantine and these in its place.
    pub async fn mend_page(
        &self,
        id: i64,
        mended: &[MendedPage],
        now_s: i64,
    ) -> Result<(), StoreError> {
        kept!(self, mend::mend_page(id, mended, now_s))?;
        self.noted().remove(&[(RowKey::Page(id), String::new())]);
        Ok(())
    }

    /// A noted row is whole after all, or gone.
    pub fn forget_damage(&self, row: &RowKey) {
        self.noted().remove(&[(row.clone(), String::new())]);
    }

    /// A damaged incident; none if it was mended.
    pub async fn found_incident(&self, number: i64) -> Result<Option<FoundIncident>, StoreError> {
        on_engine!(self, mend::found_incident(number))
    }

    /// Puts a damaged incident into quarantine and this one in its place.
    pub async fn mend_incident(
        &self,
        number: i64,
        row: &HistoryRow,
        now_s: i64,
    ) -> Result<(), StoreError> {
        kept!(self, mend::mend_incident(number, row, now_s))?;
        self.noted()
            .remove(&[(RowKey::Incident(number), String::new())]);
        Ok(())
    }

    /// Whether what failed is an index that does not fit its table, and was made anew: then the call may be made
    /// again. Not without end: a disk that decays is not mended so.
    pub(super) async fn makes_indexes(&self, error: &StoreError) -> bool {
        match &*self.engine {
            Engine::Sqlite(engine) if error.is_index() => engine.make_indexes().await,
            Engine::Sqlite(_) | Engine::Postgres(_) => false,
        }
    }
}
