//! Memory that requests hold while they are read and decoded: one bound for all of them.
//!
//! Room is taken for bytes that came, never for bytes that were announced: thousands of requests that announce the
//! largest size and send nothing hold nothing. So many that have half come may fill the room together; then one of
//! them at a time goes on without it, until it is done and gives back what it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::timeout;

use super::refusal::Refusal;

/// Room is taken in steps of this size, in bytes.
pub(super) const STEP: usize = 64 << 10;

/// The step below the first [`STEP`], in bytes.
const CRUMB: usize = 1 << 10;

/// The memory all requests share. Clones share one bound.
#[derive(Clone, Debug)]
pub(super) struct Room {
    bytes: Arc<Semaphore>,
    /// Who has it needs no room.
    turn: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    hold: Duration,
}

/// What one request holds of it, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Room,
    permit: Option<OwnedSemaphorePermit>,
    turn: Option<OwnedSemaphorePermit>,
}

/// Somebody who waits for room.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Room {
    /// Room for `bytes`, for which a request waits at most `hold`.
    pub(super) fn new(bytes: usize, hold: Duration) -> Room {
        Room {
            bytes: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            turn: Arc::new(Semaphore::new(1)),
            waiting: Arc::default(),
            hold,
        }
    }

    /// A share that holds nothing yet.
    pub(super) fn share(&self) -> Share {
        Share {
            room: self.clone(),
            permit: None,
            turn: None,
        }
    }
}

impl Share {
    /// Waits until the share holds at least `bytes`; [`Refusal::Busy`] when others keep theirs for too long.
    pub(super) async fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let held = self.held();
        if bytes <= held || self.turn.is_some() {
            return Ok(());
        }
        // Small ones take what they are: thousands of them may have begun.
        let step = if bytes < STEP { CRUMB } else { STEP };
        let missing = (bytes - held).next_multiple_of(step);
        let missing = u32::try_from(missing).map_err(|_| Refusal::Busy)?;
        let more = match Arc::clone(&self.room.bytes).try_acquire_many_owned(missing) {
            Ok(more) => more,
            Err(TryAcquireError::Closed) => return Err(Refusal::Busy),
            Err(TryAcquireError::NoPermits) => return self.wait_for(missing).await,
        };
        self.keep(more);
        Ok(())
    }

    /// Whether others wait for room.
    pub(super) fn is_pressed(&self) -> bool {
        self.room.waiting.load(Ordering::Relaxed) > 0
    }

    async fn wait_for(&mut self, missing: u32) -> Result<(), Refusal> {
        let room = self.room.clone();
        room.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&room.waiting);
        let more = Arc::clone(&room.bytes).acquire_many_owned(missing);
        let turn = Arc::clone(&room.turn).acquire_owned();
        let either = timeout(room.hold, async {
            tokio::select! {
                biased;
                more = more => more.map(|more| (Some(more), None)),
                turn = turn => turn.map(|turn| (None, Some(turn))),
            }
        });
        let (more, turn) = either
            .await
            .map_err(|_| Refusal::Busy)?
            .map_err(|_| Refusal::Busy)?;
        self.turn = turn;
        if let Some(more) = more {
            self.keep(more);
        }
        Ok(())
    }

    fn keep(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
    }

    /// Bytes held.
    fn held(&self) -> usize {
        self.permit
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(8);

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_the_room_others_hold_and_then_is_refused() {
        let room = Room::new(4 * STEP, HOLD);
        let mut first = room.share();
        first.grow_to(STEP + 1).await.unwrap();
        first.grow_to(2 * STEP).await.unwrap();
        let mut second = room.share();
        second.grow_to(2 * STEP).await.unwrap();
        let mut in_turn = room.share();
        in_turn.grow_to(100 * STEP).await.unwrap();

        let started = tokio::time::Instant::now();
        let refused = second.grow_to(3 * STEP).await;
        assert!(matches!(refused, Err(Refusal::Busy)));
        assert_eq!(started.elapsed(), HOLD);
        assert!(!second.is_pressed());

        drop(first);
        second.grow_to(4 * STEP).await.unwrap();
        assert_eq!(started.elapsed(), HOLD);
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_have_half_come_all_finish() {
        let room = Room::new(8 * STEP, HOLD);
        let mut shares: Vec<_> = (0..8).map(|_| room.share()).collect();
        for share in &mut shares {
            share.grow_to(STEP).await.unwrap();
        }
        let mut tasks = tokio::task::JoinSet::new();
        for mut share in shares {
            tasks.spawn(async move {
                share.grow_to(5 * STEP).await?;
                tokio::task::yield_now().await;
                share.grow_to(7 * STEP).await
            });
        }
        for outcome in tasks.join_all().await {
            outcome.unwrap();
        }
    }
}
