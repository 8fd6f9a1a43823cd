//! When a group is committed: at once while few send; while many do, commits are some way apart, as each costs the same
//! however few it holds.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Most requests in one commit: more gains little, as the sync is already shared by hundreds.
pub(super) const GROUP_REQUESTS: usize = 256;
/// So many requests in a commit are many senders' and not one's or two's.
const MANY: usize = 8;
/// A group of so many waits for no more: they share a commit well enough.
const ENOUGH: usize = 64;
/// While many send, from the beginning of a commit to that of the next: what it adds to the time of an acknowledgement.
const APART: Duration = Duration::from_millis(5);

/// Paces the commits of one writer.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Until when a small group waits for company.
    until: Option<Instant>,
}

impl Pace {
    /// Takes requests into the group until it is time to commit it.
    pub(super) async fn fill<T>(&mut self, group: &mut Vec<T>, queue: &mut mpsc::Receiver<T>) {
        if let Some(until) = self.until {
            while group.len() < ENOUGH {
                let room = GROUP_REQUESTS - group.len();
                match timeout_at(until, queue.recv_many(group, room)).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        }
        self.until = (group.len() >= MANY).then(|| Instant::now() + APART);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    /// How long a group waits that begins with these requests, right after one of `before`, while another request
    /// comes every `every`; and of how many it is in the end.
    async fn wait(before: usize, begins: usize, every: Duration) -> (Duration, usize) {
        let (sender, mut queue) = mpsc::channel(1024);
        let mut pace = Pace::default();
        pace.fill(&mut vec![(); before], &mut queue).await;
        let mut sending = JoinSet::new();
        sending.spawn(async move {
            for _ in 0..1000 {
                tokio::time::sleep(every).await;
                if sender.send(()).await.is_err() {
                    break;
                }
            }
        });
        let (started, mut group) = (Instant::now(), vec![(); begins]);
        pace.fill(&mut group, &mut queue).await;
        sending.abort_all();
        (started.elapsed(), group.len())
    }

    #[tokio::test(start_paused = true)]
    async fn commits_are_apart_while_many_send_and_at_once_otherwise() {
        let ms = Duration::from_millis;
        for (case, before, begins, every, expected) in [
            ("the first one", 0, 1, ms(1), (ms(0), 1)),
            ("few send", MANY - 1, 1, ms(1), (ms(0), 1)),
            ("many send", MANY, 1, ms(2), (APART, 3)),
            ("many sent, nobody else does", MANY, 1, ms(9), (APART, 1)),
            (
                "enough came meanwhile",
                MANY,
                ENOUGH - 2,
                ms(1),
                (ms(2), ENOUGH),
            ),
            ("enough at once", MANY, ENOUGH, ms(1), (ms(0), ENOUGH)),
        ] {
            assert_eq!(wait(before, begins, every).await, expected, "{case}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_when_the_queue_closes_waits_for_nothing() {
        let (sender, mut queue) = mpsc::channel(1024);
        let mut pace = Pace::default();
        pace.fill(&mut vec![(); MANY], &mut queue).await;
        sender.send(()).await.unwrap();
        drop(sender);
        let (started, mut group) = (Instant::now(), vec![()]);
        pace.fill(&mut group, &mut queue).await;
        assert_eq!((started.elapsed(), group.len()), (Duration::ZERO, 2));
    }
}
