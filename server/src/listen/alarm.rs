//! The timer of an HTTP/1 connection: one alarm that is put off, where hyper would set and cancel one for every request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time::sleep_until;

/// A timer for one task, whose sleeps share an alarm.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarm {
    /// Set for the deadline of an earlier sleep, or of the one that is under way.
    set: Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>,
}

#[derive(Debug)]
struct Until {
    deadline: Instant,
    alarm: Alarm,
}

impl Timer for Alarm {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until {
            deadline,
            alarm: self.clone(),
        })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline.into();
        let mut set = self
            .alarm
            .set
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let alarm = set.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() > deadline {
            alarm.as_mut().reset(deadline);
        }
        loop {
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if alarm.deadline() >= deadline {
                return Poll::Ready(());
            }
            // It went off for a sleep that is over.
            alarm.as_mut().reset(deadline);
        }
    }
}

impl Sleep for Until {}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn every_sleep_lasts_as_long_as_it_is_to() {
        let alarm = Alarm::default();
        let started = alarm.now();
        alarm.sleep(SECOND).await;
        assert_eq!(alarm.now() - started, SECOND);
        // Given up; those that follow end later, sooner, and when it would have ended.
        for (given_up, then) in [(3, 5), (9, 2), (4, 4)] {
            let (began, given_up) = (alarm.now(), alarm.sleep(given_up * SECOND));
            assert!(tokio::time::timeout(SECOND, given_up).await.is_err());
            alarm.sleep(then * SECOND).await;
            assert_eq!(alarm.now() - began, (then + 1) * SECOND);
        }
        alarm.sleep_until(started).await;
    }
}
