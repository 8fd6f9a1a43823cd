//! Named points where a test can make the server die, fail or halt, and a clock that a test can set.
//!
//! Only in builds with debug assertions: a release has neither the code nor the names. The environment
//! variable `SLOBURN_FAILPOINT` holds the plan, e.g. `journal.committed:kill@3,tick.folded:pause=200`:
//! point, action, and at which hit it is taken (the first, if not said). Actions:
//!
//! * `kill`: SIGKILL to this process; what other threads do within that millisecond is part of the fault;
//! * `error`: the operation fails after it was done, as when a connection breaks while it answers;
//! * `pause=MS`: the thread stands still.
//!
//! `SLOBURN_CLOCK_OFFSET` names a file with the seconds that this server's clock is off.

/// Marks a point; with a second argument, the error that the enclosing function may be made to return there.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        crate::failpoint::reach($name);
    };
    ($name:literal, $error:expr) => {
        #[cfg(debug_assertions)]
        if crate::failpoint::fails($name) {
            return Err($error);
        }
    };
}

#[cfg(debug_assertions)]
pub(crate) use planned::{clock_offset, fails, reach};

#[cfg(debug_assertions)]
mod planned {
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use jiff::SignedDuration;

    #[derive(Debug)]
    struct Planned {
        point: String,
        action: Action,
        hit: u32,
        hits: AtomicU32,
    }

    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    enum Action {
        Kill,
        Error,
        Pause(Duration),
    }

    /// Takes what is planned at a point.
    pub(crate) fn reach(point: &str) {
        fails(point);
    }

    /// The same; whether the operation must fail here.
    pub(crate) fn fails(point: &str) -> bool {
        static PLAN: OnceLock<Vec<Planned>> = OnceLock::new();
        let plan = PLAN.get_or_init(|| parse(&variable("SLOBURN_FAILPOINT").unwrap_or_default()));
        match due(plan, point) {
            None => return false,
            Some(Action::Error) => return true,
            Some(Action::Pause(time)) => std::thread::sleep(time),
            Some(Action::Kill) => kill(),
        }
        false
    }

    /// How far this server's clock is off.
    pub(crate) fn clock_offset() -> SignedDuration {
        static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
        let file = FILE.get_or_init(|| variable("SLOBURN_CLOCK_OFFSET").map(PathBuf::from));
        let seconds = file
            .as_ref()
            .and_then(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok());
        SignedDuration::from_secs(seconds.unwrap_or_default())
    }

    fn due(plan: &[Planned], point: &str) -> Option<Action> {
        let here = plan.iter().filter(|planned| planned.point == point);
        here.filter(|planned| planned.hits.fetch_add(1, Ordering::Relaxed) + 1 == planned.hit)
            .map(|planned| planned.action)
            .last()
    }

    /// What cannot be read is left out: the test that wrote it then misses its fault, and says so.
    fn parse(plan: &str) -> Vec<Planned> {
        plan.split(',').filter_map(planned).collect()
    }

    fn planned(text: &str) -> Option<Planned> {
        let (point, what) = text.split_once(':')?;
        let (action, hit) = what.split_once('@').unwrap_or((what, "1"));
        let action = match action.split_once('=') {
            None if action == "kill" => Action::Kill,
            None if action == "error" => Action::Error,
            Some(("pause", millis)) => Action::Pause(Duration::from_millis(millis.parse().ok()?)),
            _ => return None,
        };
        Some(Planned {
            point: point.to_owned(),
            action,
            hit: hit.parse().ok()?,
            hits: AtomicU32::new(0),
        })
    }

    /// The shell's parent is this process. It does not come back; if there is no shell, `abort` is as sudden.
    fn kill() {
        let shell = std::process::Command::new("/bin/sh")
            .args(["-c", "kill -s KILL $PPID"])
            .status();
        drop(shell);
        std::process::abort();
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a plan of faults is no configuration: no user has it"
    )]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn an_action_is_taken_at_its_hit_and_at_no_other() {
            let plan = parse("a:kill@2,a:pause=7,b:error,c:burn,d");
            let taken: Vec<_> = ["a", "a", "a", "b", "b", "c", "d"]
                .map(|point| due(&plan, point))
                .to_vec();
            let pause = Some(Action::Pause(Duration::from_millis(7)));
            let (kill, error) = (Some(Action::Kill), Some(Action::Error));
            assert_eq!(taken, [pause, kill, None, error, None, None, None]);
        }
    }
}
