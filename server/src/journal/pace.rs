//! When a group is committed: at once while few send; while many do, commits are some way apart, as each costs the same
//! however few it holds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
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

/// How those who send tell the writer that enough of them wait: waking it for each would cost more than its share of
/// the commit.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// So many are waited for; 0 if none are.
    wanted: AtomicUsize,
    enough: Notify,
}

impl Pace {
    /// Takes requests into the group until it is time to commit it.
    pub(super) async fn fill<T>(
        &mut self,
        group: &mut Vec<T>,
        queue: &mut mpsc::Receiver<T>,
        company: &Company,
    ) {
        if let Some(until) = self.until {
            let wanted = ENOUGH.saturating_sub(group.len());
            company.wanted.store(wanted, Ordering::SeqCst);
            let enough = async {
                while queue.len() < wanted && !queue.is_closed() {
                    company.enough.notified().await;
                }
            };
            // One that is missed comes with the next, or waits until the commit is due.
            drop(timeout_at(until, enough).await);
            company.wanted.store(0, Ordering::SeqCst);
        }
        while group.len() < GROUP_REQUESTS
            && let Ok(queued) = queue.try_recv()
        {
            group.push(queued);
        }
        self.until = (group.len() >= MANY).then(|| Instant::now() + APART);
    }
}

impl Company {
    /// Another one waits; with it, so many do.
    pub(super) fn comes(&self, waiting: usize) {
        let wanted = self.wanted.load(Ordering::SeqCst);
        if wanted > 0 && waiting >= wanted {
            self.enough.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    /// How long a group waits that begins with these requests, right after one of `before`, while another request
    /// comes every `every`; and of how many it is in the end.
    async fn wait(before: usize, begins: usize, every: Duration) -> (Duration, usize) {
        let (sender, mut queue) = mpsc::channel(1024);
        let (mut pace, company) = (Pace::default(), Arc::new(Company::default()));
        pace.fill(&mut vec![(); before], &mut queue, &company).await;
        let mut sending = JoinSet::new();
        let told = Arc::clone(&company);
        sending.spawn(async move {
            for _ in 0..1000 {
                tokio::time::sleep(every).await;
                if sender.send(()).await.is_err() {
                    break;
                }
                told.comes(sender.max_capacity() - sender.capacity());
            }
        });
        let (started, mut group) = (Instant::now(), vec![(); begins]);
        pace.fill(&mut group, &mut queue, &company).await;
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
        let (mut pace, company) = (Pace::default(), Company::default());
        pace.fill(&mut vec![(); MANY], &mut queue, &company).await;
        sender.send(()).await.unwrap();
        drop(sender);
        let (started, mut group) = (Instant::now(), vec![()]);
        pace.fill(&mut group, &mut queue, &company).await;
        assert_eq!((started.elapsed(), group.len()), (Duration::ZERO, 2));
    }
}
