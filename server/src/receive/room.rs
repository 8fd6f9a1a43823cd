//! Memory that requests hold while they are read and decoded: one bound for all of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::refusal::Refusal;

/// Room is taken in steps of this size, in bytes, when a body's length is not known beforehand.
pub(super) const STEP: usize = 64 << 10;

/// The memory all requests share. Clones share one bound.
#[derive(Clone, Debug)]
pub(super) struct Room {
    bytes: Arc<Semaphore>,
    hold: Duration,
}

/// What one request holds of it, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Room,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for `bytes`, for which a request waits at most `hold`.
    pub(super) fn new(bytes: usize, hold: Duration) -> Room {
        let bytes = Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)));
        Room { bytes, hold }
    }

    /// A share that holds nothing yet.
    pub(super) fn share(&self) -> Share {
        Share {
            room: self.clone(),
            permit: None,
        }
    }
}

impl Share {
    /// Waits until the share holds at least `bytes`; [`Refusal::Busy`] when others keep theirs for too long.
    pub(super) async fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let held = self.held();
        if bytes <= held {
            return Ok(());
        }
        let missing = (bytes - held).next_multiple_of(STEP);
        let missing = u32::try_from(missing).map_err(|_| Refusal::Busy)?;
        let more = Arc::clone(&self.room.bytes).acquire_many_owned(missing);
        let more = timeout(self.room.hold, more)
            .await
            .map_err(|_| Refusal::Busy)?
            .map_err(|_| Refusal::Busy)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
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

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_the_room_others_hold_and_then_is_refused() {
        let room = Room::new(4 * STEP, Duration::from_secs(8));
        let mut first = room.share();
        first.grow_to(STEP + 1).await.unwrap();
        first.grow_to(2 * STEP).await.unwrap();
        let mut second = room.share();
        second.grow_to(2 * STEP).await.unwrap();

        let started = tokio::time::Instant::now();
        let refused = second.grow_to(3 * STEP).await;
        assert!(matches!(refused, Err(Refusal::Busy)));
        assert_eq!(started.elapsed(), Duration::from_secs(8));

        drop(first);
        second.grow_to(4 * STEP).await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_secs(8));
    }
}
