//! What customers do in the shop: visits with all their calls, drawn from a seeded generator.
//!
//! Numbers of visits are exact: after any time, each journey has been made as often as its rate says, rounded down.
//! Times, regions, tiers and failures are drawn; the same seed and the same steps give the same visits.

use std::f64::consts::TAU;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::faults::{self, Effect, Failure, Fault};
use super::shop::{JOURNEYS, Journey, Operation, Region, Service, Step, Tier, Work};

/// How many requests, of those nothing is wrong with, fail all the same. None of payments: its objective is so strict
/// that one failure among its first few hundred requests would open a ticket.
const STRAY_FAILURES: f64 = 0.000_15;

/// Time on the wire, each way.
const HOP: Duration = Duration::from_micros(700);

/// The generator of all visits.
#[derive(Debug)]
pub(crate) struct Traffic {
    random: StdRng,
    /// How long the shop was open before the demo's start: faults begin after it, and traffic grows during it.
    history: Duration,
    upto: Duration,
}

/// One visit of a customer: a trace.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) region: Region,
    pub(crate) tier: Tier,
    /// When the last of its calls ended, since the shop opened.
    pub(crate) ended: Duration,
    pub(crate) root: Call,
}

/// One span.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) version: &'static str,
    pub(crate) shape: Shape,
    /// Since the visit's start.
    pub(crate) begins: Duration,
    pub(crate) took: Duration,
    /// What went wrong here, when it is this span that knows.
    pub(crate) error: Option<(&'static str, &'static str)>,
    pub(crate) calls: Vec<Call>,
}

/// What kind of span a call is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A request being answered.
    Server {
        operation: &'static Operation,
        status: u16,
    },
    /// A request being made of another service.
    Client {
        operation: &'static Operation,
        status: u16,
    },
    /// Work inside a service, and whether it failed.
    Inside { name: &'static str, failed: bool },
}

/// What is known of a visit while its calls are drawn.
#[derive(Clone, Copy, Debug)]
struct Setting {
    region: Region,
    fault: Option<&'static Fault>,
}

impl Traffic {
    /// A generator whose shop opened `history` before the demo's start.
    pub(crate) fn new(seed: u64, history: Duration) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            history,
            upto: Duration::ZERO,
        }
    }

    /// Leaves out everything up to `to`, which is since the shop opened: nobody visits while the machine sleeps.
    pub(crate) fn skip(&mut self, to: Duration) {
        self.upto = self.upto.max(to);
    }

    /// All visits that ended after the last call's `to` and up to this one, which is since the shop opened.
    pub(crate) fn until(&mut self, to: Duration) -> Vec<Visit> {
        let from = self.upto;
        let Some(span) = to.checked_sub(from) else {
            return Vec::new();
        };
        self.upto = to;
        let mut visits = Vec::new();
        for journey in &JOURNEYS {
            let due = self.due(journey, to) - self.due(journey, from);
            for _ in 0..due {
                let ended = from + span.mul_f64(self.random.random());
                visits.push(self.visit(journey.operation, ended));
            }
        }
        visits
    }

    /// How often a journey has been made at `at`: during the history traffic grows evenly from a quarter to the whole.
    fn due(&self, journey: &Journey, at: Duration) -> u64 {
        let history = self.history.as_millis();
        let rising = at.as_millis().min(history);
        let steady = at.as_millis() - rising;
        // ∫ (1/4 + 3/4 · t/H) dt = t/4 + 3t²/8H
        let grown = if history == 0 {
            0
        } else {
            (2 * history * rising + 3 * rising * rising) / (8 * history)
        };
        u64::try_from(u128::from(journey.per_minute) * (grown + steady) / 60_000)
            .unwrap_or(u64::MAX)
    }

    fn visit(&mut self, operation: &'static Operation, ended: Duration) -> Visit {
        let region = Region::of_percent(self.random.random_range(0..100));
        let tier = Tier::of_percent(self.random.random_range(0..100));
        let fault = ended.checked_sub(self.history).and_then(faults::active);
        let root = self.answer(operation, Setting { region, fault }, Duration::ZERO);
        Visit {
            region,
            tier,
            ended,
            root,
        }
    }

    /// The server span of an operation, with all it calls.
    fn answer(
        &mut self,
        operation: &'static Operation,
        setting: Setting,
        begins: Duration,
    ) -> Call {
        let service = operation.service;
        let fault = setting
            .fault
            .filter(|fault| fault.touches(operation, setting.region));
        let (version, failure) = self.fate(service, fault);
        let slowness = match fault.map(|fault| &fault.effect) {
            Some(Effect::Slow { factor }) => *factor,
            _ => 1.0,
        };
        let own = self.time(operation.work).mul_f64(slowness);
        let mut call = Call {
            service,
            version,
            shape: Shape::Server {
                operation,
                status: 200,
            },
            begins,
            took: own / 2,
            error: None,
            calls: Vec::new(),
        };
        let status = if let Some(failure) = failure {
            call.wait_and_fail(&failure);
            failure.status
        } else if service != Service::Payments && self.happens(STRAY_FAILURES) {
            call.error = Some((
                "WorkerLost",
                "the worker went away while it served this request",
            ));
            500
        } else if let Some(refusal) = operation
            .refusal
            .filter(|refusal| self.happens(refusal.share))
        {
            refusal.status
        } else {
            self.steps(operation, setting, slowness, &mut call)
        };
        call.took += own / 2;
        call.shape = Shape::Server { operation, status };
        call
    }

    /// Draws an operation's steps into its call and returns the status the caller answers with.
    fn steps(
        &mut self,
        operation: &'static Operation,
        setting: Setting,
        slowness: f64,
        call: &mut Call,
    ) -> u16 {
        for step in operation.steps {
            let at = call.begins + call.took;
            match step {
                Step::Inside(name, work) => {
                    let took = self.time(*work).mul_f64(slowness);
                    call.add(call.inside(name, at, took));
                }
                Step::Call(called) => {
                    let (client, status) = self.ask(called, setting, call, at);
                    call.add(client);
                    match status {
                        500.. => {
                            call.error = Some(("CallFailed", "a service this one needs failed"));
                            return if status == 503 { 503 } else { 502 };
                        }
                        400.. => return status,
                        _ => {}
                    }
                }
            }
        }
        200
    }

    /// The client span of a call from `caller`, with the server span inside it, and the status it got.
    fn ask(
        &mut self,
        operation: &'static Operation,
        setting: Setting,
        caller: &Call,
        begins: Duration,
    ) -> (Call, u16) {
        let server = self.answer(operation, setting, begins + HOP);
        let status = match server.shape {
            Shape::Server { status, .. } => status,
            Shape::Client { .. } | Shape::Inside { .. } => 200,
        };
        let client = Call {
            service: caller.service,
            version: caller.version,
            shape: Shape::Client { operation, status },
            begins,
            took: server.took + 2 * HOP,
            error: None,
            calls: vec![server],
        };
        (client, status)
    }

    /// Which version takes a request, and whether the fault makes it fail.
    fn fate(
        &mut self,
        service: Service,
        fault: Option<&'static Fault>,
    ) -> (&'static str, Option<Failure>) {
        match fault.map(|fault| &fault.effect) {
            Some(Effect::BadRelease {
                version,
                takes,
                fails,
                failure,
            }) if self.happens(*takes) => (version, self.happens(*fails).then_some(*failure)),
            Some(Effect::Failing { fails, failure }) => {
                (service.version(), self.happens(*fails).then_some(*failure))
            }
            _ => (service.version(), None),
        }
    }

    fn happens(&mut self, share: f64) -> bool {
        self.random.random::<f64>() < share
    }

    /// A log-normal time, by Box and Muller, never more than half a minute.
    fn time(&mut self, work: Work) -> Duration {
        let radius = (-2.0 * (1.0 - self.random.random::<f64>()).ln()).sqrt();
        let normal = radius * (TAU * self.random.random::<f64>()).cos();
        work.median
            .mul_f64((work.spread * normal).exp())
            .min(Duration::from_secs(30))
    }
}

impl Visit {
    /// When the visit began, since the shop opened.
    pub(crate) fn began(&self) -> Duration {
        self.ended.saturating_sub(self.root.took)
    }
}

impl Call {
    /// Visits this call and all it made, callers first.
    pub(crate) fn each(&self, see: &mut impl FnMut(&Call)) {
        see(self);
        for call in &self.calls {
            call.each(see);
        }
    }

    fn inside(&self, name: &'static str, begins: Duration, took: Duration) -> Self {
        Self {
            service: self.service,
            version: self.version,
            shape: Shape::Inside {
                name,
                failed: false,
            },
            begins,
            took,
            error: None,
            calls: Vec::new(),
        }
    }

    fn add(&mut self, call: Self) {
        self.took += call.took;
        self.calls.push(call);
    }

    fn wait_and_fail(&mut self, failure: &Failure) {
        let mut waiting = self.inside(failure.waits_in, self.begins + self.took, failure.waits);
        waiting.shape = Shape::Inside {
            name: failure.waits_in,
            failed: true,
        };
        waiting.error = Some(failure.error);
        self.error = Some(failure.error);
        self.add(waiting);
    }
}

#[cfg(test)]
mod tests;
