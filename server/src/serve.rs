//! `sloburn serve`: puts the parts together, in the order that loses nothing, and takes them apart.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use collector::{FingerprintKey, RequestHasher};
use slo_specs::Problem;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::builtin::Ingest;
use crate::catalog;
use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::config::{Config, Listen};
use crate::dedup::{Bounds, Dedup, Seen};
use crate::fold::{Folder, request_horizon_s};
use crate::journal::queue::{JournalHandle, Queue};
use crate::journal::resent::Resent;
use crate::journal::writer::Writer;
use crate::listen::{self, Pool};
use crate::metrics::Metrics;
use crate::overflow::Overflow;
use crate::page;
use crate::probes::{self, Health};
use crate::receive::{self, Receive};
use crate::reload::{Reloader, SpecProblems};
use crate::resume::{Resumed, locked, resume, stored_alerts};
use crate::ring::Ring;
use crate::segments::{Segments, Unsaved};
use crate::senders::Senders;
use crate::snapshot::{Snapshot, Snapshots};
use crate::storage::{self, StorageWatch};
use crate::store::{Location, OpenError, Store};
use crate::telemetry::Telemetry;
use crate::tick::{Ticker, floor_tick};
use crate::web;

/// Requests that may wait for the journal's writer: a few group commits.
const QUEUE_REQUESTS: usize = 1024;
/// Longest time that tasks have to end after the listeners are closed.
const STOP_TIME: Duration = Duration::from_secs(10);
/// Longest time that work on threads of its own has to end after all else.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Runs the subcommand until SIGINT or SIGTERM.
pub fn main(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let config = Config::resolve(args)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let telemetry = Telemetry::start(&config.telemetry)?;
        let mut server = Box::pin(Server::start(config)).await?;
        telemetry.export(server.metrics());
        server.announce()?;
        let code = tokio::select! {
            stopped = stop_requested() => stopped.map(|()| ExitCode::SUCCESS)?,
            () = server.failed() => ExitCode::FAILURE,
        };
        server.stop().await;
        anyhow::Ok((telemetry, code))
    });
    let code = outcome.map(|(telemetry, code)| {
        // Off the runtime's threads, which it needs to send what is left.
        telemetry.shutdown();
        code
    });
    // A plan that is being made holds nothing up.
    runtime.shutdown_timeout(LAST_WAIT);
    code
}

/// The runtime of every long-running subcommand; TLS is set up before anything connects.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // A second call finds it installed, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Returns when the process is asked to stop.
pub(crate) async fn stop_requested() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    addresses: Listen,
    /// Stops the listeners.
    accepting: CancellationToken,
    /// Stops everything else.
    working: CancellationToken,
    listeners: JoinSet<()>,
    tasks: JoinSet<()>,
    store: Store,
    health: Health,
    metrics: Metrics,
}

/// Open sockets, before anything is served on them.
struct Sockets {
    otlp_grpc: TcpListener,
    otlp_http: TcpListener,
    web: TcpListener,
}

impl Server {
    /// Starts all parts; returns when requests are accepted.
    pub async fn start(config: Config) -> anyhow::Result<Server> {
        let files = catalog::read(std::slice::from_ref(&config.specs))?;
        let loaded = catalog::resolve(&files, config.ingest_slo);
        refuse_bad_specs(&loaded.problems)?;
        let written = Arc::new(loaded.catalog);
        // The sockets are open before the state is loaded: senders wait in the backlog meanwhile.
        let sockets = Sockets::open(config.listen).await?;
        let store = Store::open(&config.location).await?;
        let (health, now) = (Health::new(), SystemClock.now());
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), now);
        let mut segments = Segments::resume(Arc::clone(&written), &store.counters().await?);
        let catalog = segments.catalog();
        let resumed = load(&config.location, &store, &catalog, now.as_second()).await?;
        segments.note_lost_series(resumed.lost_series);
        let (seen, key) = seen(&store, &config, &metrics).await?;
        let measure = catalog::measure(&catalog, &config.counting, key.as_ref());
        let measure = Arc::new(ArcSwap::from_pointee(measure));
        let (journal, queue) = JournalHandle::new(QUEUE_REQUESTS);
        let (owed, senders) = (journal.owed().clone(), Senders::default());
        metrics.ledger(locked(&resumed.live).classes());
        let snapshots = Snapshots::new(Snapshot::empty(Arc::clone(&catalog), floor_tick(now)));
        let overflow = Arc::new(Overflow::new(&catalog, Arc::clone(&resumed.known)));
        let parts = receive::Parts {
            journal,
            measure: Arc::clone(&measure),
            known: Arc::clone(&resumed.known),
            overflow: Arc::clone(&overflow),
            ring: Ring::new(config.ring_bytes),
            metrics: metrics.clone(),
            hasher: RequestHasher::new(&store.span_state().await?.secret),
            senders: senders.clone(),
            clock: SystemClock,
            limits: config.receive.clone(),
        };
        let mut server = Server::new(&sockets, &store, &health, &metrics)?;
        let wired = Wired {
            owed,
            ingest: config.ingest_slo.then(Ingest::new).map(Arc::new),
            senders,
            store,
            live: Arc::clone(&resumed.live),
            snapshots,
            metrics,
            health,
            measure,
            overflow,
            problems: Arc::new(ArcSwap::from_pointee(loaded.problems)),
        };
        let reloader = Reloader::new(
            &config,
            &files,
            written,
            &wired.problems,
            wired.store.clone(),
        );
        server
            .start_tasks(&config, &wired, (resumed, seen, segments), queue, reloader)
            .await?;
        server.listen(&config, sockets, parts, wired);
        Ok(server)
    }

    /// Nothing runs yet.
    fn new(
        sockets: &Sockets,
        store: &Store,
        health: &Health,
        metrics: &Metrics,
    ) -> anyhow::Result<Server> {
        Ok(Server {
            addresses: sockets.addresses()?,
            accepting: CancellationToken::new(),
            working: CancellationToken::new(),
            listeners: JoinSet::new(),
            tasks: JoinSet::new(),
            store: store.clone(),
            health: health.clone(),
            metrics: metrics.clone(),
        })
    }

    async fn start_tasks(
        &mut self,
        config: &Config,
        wired: &Wired,
        (resumed, seen, segments): (Resumed, Option<Seen>, Segments),
        queue: Queue,
        (reloader, proposed): (Reloader, mpsc::Receiver<Arc<slo_specs::Catalog>>),
    ) -> anyhow::Result<()> {
        let owed = Arc::new(Notify::new());
        let receivers = Arc::new(config.receivers.clone());
        for problem in page::unrouted(&receivers, locked(&wired.live).catalog()) {
            tracing::warn!("{problem}");
        }
        let unjudged_from = resumed.unjudged_from;
        let max_future = config.counting.max_future;
        let now_s = SystemClock.now().as_second();
        let resent = Resent::load(wired.store.clone(), max_future, now_s).await?;
        let writer = Writer::new(wired, resumed.known, resumed.streams, resent, seen);
        self.tasks.spawn(writer.run(queue));
        let folder = Folder::new(
            wired.store.clone(),
            Arc::clone(&wired.live),
            config.retention,
            i64::try_from(config.counting.max_late.as_secs()).unwrap_or(i64::MAX),
        );
        let storage = StorageWatch::start(wired, &receivers, &config.base_url, &owed).await?;
        let mut ticker = Ticker {
            store: wired.store.clone(),
            live: Arc::clone(&wired.live),
            senders: wired.senders.clone(),
            folder,
            judge: stored_alerts(&wired.store, unjudged_from).await?,
            alerts_in_doubt: false,
            snapshots: wired.snapshots.clone(),
            receivers: Arc::clone(&receivers),
            base_url: config.base_url.clone(),
            owed: Arc::clone(&owed),
            problems: Arc::clone(&wired.problems),
            segments,
            unsaved_segments: Unsaved::default(),
            proposed,
            measure: Arc::clone(&wired.measure),
            overflow: Arc::clone(&wired.overflow),
            counting: config.counting.clone(),
            metrics: wired.metrics.clone(),
            health: wired.health.clone(),
            storage,
            clock: SystemClock,
        };
        // The first tick is now: pages show the state of the store, not of an empty process.
        ticker.tick(floor_tick(SystemClock.now())).await;
        self.tasks.spawn(ticker.run(self.working.clone()));
        self.tasks.spawn(storage::check_after_crash(
            wired.store.clone(),
            wired.health.clone(),
            self.working.clone(),
        ));
        let deliveries = page::Workers::new(
            wired.store.clone(),
            receivers,
            owed,
            wired.metrics.clone(),
            SystemClock,
        )?;
        self.tasks.spawn(deliveries.run(self.working.clone()));
        self.tasks.spawn(reloader.run(self.working.clone()));
        Ok(())
    }

    fn listen(&mut self, config: &Config, sockets: Sockets, parts: receive::Parts, wired: Wired) {
        let (sending, looking) = listen::divide(&config.connections, listen::raise_descriptors());
        let (sending, looking) = (Pool::new(sending), Pool::new(looking));
        let otlp = Receive::new(parts);
        let web = web::router(web::State {
            store: wired.store,
            live: wired.live,
            snapshots: wired.snapshots,
            stop: self.accepting.clone(),
            planning: Arc::default(),
            specs: config.specs.clone(),
        })
        .merge(probes::router(wired.health, wired.metrics));
        let stop = || self.accepting.clone();
        for listener in [sockets.otlp_grpc, sockets.otlp_http] {
            let serving = listen::serve(listener, otlp.clone(), sending.clone(), stop());
            self.listeners.spawn(serving);
        }
        let serving = listen::serve(sockets.web, web, looking, stop());
        self.listeners.spawn(serving);
    }

    /// The addresses that are listened on, with the ports that were given out for port 0.
    pub fn addresses(&self) -> Listen {
        self.addresses
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Tells on standard output where the server listens, for people and for scripts.
    pub fn announce(&self) -> anyhow::Result<()> {
        use std::io::Write as _;
        let Listen {
            otlp_grpc,
            otlp_http,
            web,
        } = self.addresses;
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "listening otlp-grpc={otlp_grpc} otlp-http={otlp_http} web={web}"
        )?;
        out.flush()?;
        Ok(())
    }

    /// Returns when a task has ended that should run until the stop: a server that only seems to
    /// work is worse than one that is started again, and the journal makes that safe.
    pub async fn failed(&mut self) {
        if let Some(ended) = self.tasks.join_next().await {
            let why = ended.err().map(|error| error.to_string());
            tracing::error!(task.error = why, "a task ended unexpectedly; stopping");
        }
    }

    /// Stops accepting, finishes what is in flight, commits, folds, and ends.
    pub async fn stop(mut self) {
        self.health.stopping();
        self.accepting.cancel();
        while self.listeners.join_next().await.is_some() {}
        failpoint!("stop.drained");
        self.working.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIME, ended).await.is_err() {
            tracing::warn!("some tasks did not end in time; the journal has what they left");
        }
        self.store.close().await;
    }
}

/// What several tasks share.
#[derive(Debug, Clone)]
pub(crate) struct Wired {
    /// Where the classes of spans are counted for sloburn's own objective, if it has one.
    pub(crate) ingest: Option<Arc<Ingest>>,
    /// Whose clocks are off.
    pub(crate) senders: Senders,
    /// Classes that wait for a commit.
    pub(crate) owed: crate::classes::Owed,
    pub(crate) store: Store,
    pub(crate) live: Arc<Mutex<crate::live::Live>>,
    pub(crate) snapshots: Snapshots,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) measure: Arc<ArcSwap<collector::Measure>>,
    pub(crate) overflow: Arc<Overflow>,
    /// What the last reload found wrong, shown on every page.
    pub(crate) problems: SpecProblems,
}

impl Sockets {
    async fn open(listen: Listen) -> anyhow::Result<Sockets> {
        Ok(Sockets {
            otlp_grpc: open(listen.otlp_grpc, "OTLP over gRPC").await?,
            otlp_http: open(listen.otlp_http, "OTLP over HTTP").await?,
            web: open(listen.web, "the dashboards").await?,
        })
    }

    fn addresses(&self) -> anyhow::Result<Listen> {
        Ok(Listen {
            otlp_grpc: self.otlp_grpc.local_addr()?,
            otlp_http: self.otlp_http.local_addr()?,
            web: self.web.local_addr()?,
        })
    }
}

/// The spans counted before and what tells them apart, if that is wanted; else what is left of them is dropped.
async fn seen(
    store: &Store,
    config: &Config,
    metrics: &Metrics,
) -> anyhow::Result<(Option<Seen>, Option<FingerprintKey>)> {
    let late_s = i64::try_from(config.counting.max_late.as_secs()).unwrap_or(i64::MAX);
    metrics.dedup_horizon("request", request_horizon_s(late_s));
    let state = store.span_state().await?;
    if config.dedup == Dedup::Request {
        if state.since_s != 0 {
            store.clear_spans().await?;
        }
        return Ok((None, None));
    }
    let bounds = Bounds {
        max_late: config.counting.max_late,
        max_bytes: config.dedup_bytes,
    };
    let now_s = SystemClock.now().as_second();
    let seen = Seen::load(store, bounds, now_s).await?;
    Ok((Some(seen), Some(FingerprintKey::new(&state.secret))))
}

async fn open(address: SocketAddr, what: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} for {what}"))
}

/// What is stored, or why it could not be loaded.
async fn load(
    location: &Location,
    store: &Store,
    catalog: &Arc<slo_specs::Catalog>,
    now_s: i64,
) -> anyhow::Result<Resumed> {
    let loaded = Box::pin(resume(store, Arc::clone(catalog), now_s)).await;
    loaded.map_err(|error| match OpenError::damaged(location, error) {
        Ok(damaged) => damaged.into(),
        Err(other) => other.into(),
    })
}

/// A server does not start with specs that would not be judged as written.
fn refuse_bad_specs(problems: &[Problem]) -> anyhow::Result<()> {
    let errors: Vec<String> = problems
        .iter()
        .filter(|problem| problem.is_error())
        .map(Problem::with_help)
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    anyhow::bail!(
        "the specs have {} problem(s):\n{}",
        errors.len(),
        errors.join("\n")
    )
}
