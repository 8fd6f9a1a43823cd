//! `make chaos`: every fault in an order by chance, on SQLite and on PostgreSQL at the same time, until the rounds or
//! the time are over. A failure tells the seed that repeats its schedule.

use std::process::ExitCode;
use std::time::Duration;

use acceptance::chaos::fault::{FAULTS, Fault};
use acceptance::chaos::rounds;
use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;

/// Rounds end with the one that is under way when so much time has passed.
const MINUTES: u64 = 9;

/// What is to be done: arguments `seed=N`, `rounds=N`, `minutes=N`, `fault=N`, each may be missing or empty.
#[derive(Debug, Clone, Copy)]
struct Plan {
    seed: u64,
    rounds: usize,
    time: Duration,
    fault: Option<Fault>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let plan = plan(&std::env::args().skip(1).collect::<Vec<_>>())?;
    say(&format!("seed {}", plan.seed));
    // Whichever fails first ends the run: what the other would still find is found by the next.
    let held = tokio::try_join!(lane(false, plan), lane(true, plan));
    held.with_context(|| format!("repeat it with: make chaos SEED={}", plan.seed))
        .map(drop)
}

fn plan(arguments: &[String]) -> Result<Plan> {
    let number = |name: &str| -> Result<Option<u64>> {
        let given = arguments
            .iter()
            .find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
        let given = given.filter(|text| !text.is_empty());
        given
            .map(|text| {
                text.parse()
                    .with_context(|| format!("`{name}={text}` is no number"))
            })
            .transpose()
    };
    let fault = number("fault")?.map(|number| {
        let place = usize::try_from(number).unwrap_or(0).checked_sub(1);
        let fault = place.and_then(|place| FAULTS.get(place));
        fault
            .copied()
            .with_context(|| format!("faults are numbered 1 to {}", FAULTS.len()))
    });
    Ok(Plan {
        seed: number("seed")?.unwrap_or_else(rand::random),
        rounds: number("rounds")?.map_or(usize::MAX, |rounds| {
            usize::try_from(rounds).unwrap_or(usize::MAX)
        }),
        time: Duration::from_mins(number("minutes")?.unwrap_or(MINUTES)),
        fault: fault.transpose()?,
    })
}

/// One lane to its end.
async fn lane(postgres: bool, plan: Plan) -> Result<()> {
    let name = if postgres { "postgres" } else { "sqlite" };
    let started = Instant::now();
    let mut lane = rounds::lane(postgres).await?;
    let mut rng = StdRng::seed_from_u64(plan.seed ^ u64::from(postgres));
    let mut waiting: Vec<Fault> = Vec::new();
    for number in 1..=plan.rounds {
        if started.elapsed() >= plan.time {
            break;
        }
        if waiting.is_empty() {
            let one = |fault: &Fault| plan.fault.is_none_or(|only| only == *fault);
            let all = FAULTS.into_iter().filter(one);
            waiting = all.filter(|fault| fault.strikes(postgres)).collect();
            waiting.shuffle(&mut rng);
        }
        let Some(fault) = waiting.pop() else {
            break;
        };
        let begun = Instant::now();
        // A stream of chance for each round: what one takes of it changes no other.
        let mut chance = StdRng::seed_from_u64(rng.random());
        let what = format!("{name}, round {number}, fault {} {fault:?}", fault.number());
        rounds::round(&mut lane, fault, &mut chance)
            .await
            .context(what.clone())?;
        let (sent, _) = lane.oracle.sizes();
        say(&format!(
            "{what}: held, {:.1} s, {sent} requests so far",
            begun.elapsed().as_secs_f64()
        ));
    }
    lane.end().await
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn say(line: &str) {
    println!("{line}");
}
