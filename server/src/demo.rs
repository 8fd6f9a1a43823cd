//! `sloburn demo`: a small shop whose live traffic real OpenTelemetry exporters send to this server, with faults that
//! come and go, and an inbox that receives the pages.

mod announcement;
mod business;
mod catalog;
mod faults;
mod fleet;
mod inbox;
mod place;
mod shop;
mod traffic;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::announcement::Announcement;
use self::business::{Business, Sent};
use self::fleet::{Endpoints, Fleet};
use self::inbox::Inbox;
use self::place::Place;
use crate::cli::{DemoArgs, ServeArgs};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::serve::{Server, runtime, stop_requested};
use crate::telemetry::Telemetry;

/// Log lines of the demo: only what somebody should look at, so that what it prints stays readable.
const LOG: &str = "warn";

/// Longest wait for threads of the shop's SDKs once everything else has ended.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Runs the subcommand until Ctrl-C, SIGTERM, or the end of `--for`.
pub fn main(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(run(args));
    runtime.shutdown_timeout(LAST_WAIT);
    outcome?.shutdown();
    Ok(ExitCode::SUCCESS)
}

async fn run(args: DemoArgs) -> anyhow::Result<Telemetry> {
    let place = Place::open(args.data.as_deref(), args.specs.as_deref())?;
    let secret: [u8; 32] = rand::random();
    let (listener, inbox_address) = listen_inbox(args.inbox_listen).await?;
    let config = configuration(&args, &place, inbox_address, &secret)?;
    let dashboards = config.base_url.clone();
    let telemetry = Telemetry::start(&config.telemetry)?;
    // A store that has a past already keeps it: ours would be counted beside it.
    let past = is_new(place.data());
    let server = Box::pin(Server::start(config)).await?;
    let addresses = server.addresses();

    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let inbox = Inbox::new(secret.to_vec(), dashboards.clone(), SystemClock).router();
    let stopped = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        axum::serve(listener, inbox)
            .with_graceful_shutdown(stopped)
            .await
    });

    let endpoints = Endpoints::of(addresses.otlp_grpc, addresses.otlp_http);
    let fleet = Fleet::open(&endpoints).context("cannot set up the shop's exporters")?;
    let business = Business::new(fleet, SystemClock);
    say(&Announcement {
        dashboards,
        inbox: inbox_address,
        otlp_grpc: addresses.otlp_grpc,
        otlp_http: addresses.otlp_http,
        run_for: args.run_for,
        past,
        own_specs: args.specs.is_none(),
    })?;
    let sent = do_business(business, past, args.run_for, &stop).await?;
    say(&format_args!("\nStopped. {sent}"))?;
    server.stop().await;
    while tasks.join_next().await.is_some() {}
    Ok(telemetry)
}

/// Sends past and present until somebody or `run_for` stops it; then `stop` is cancelled.
async fn do_business(
    business: Business,
    past: bool,
    run_for: Option<Duration>,
    stop: &CancellationToken,
) -> anyhow::Result<Sent> {
    let mut tasks = JoinSet::new();
    if past {
        let (past, until) = (business.clone(), stop.clone());
        tasks.spawn_blocking(move || {
            if let Err(error) = past.send_past(&until) {
                tracing::warn!(error = %error, "the shop's past could not be sent; charts begin with now");
            }
        });
    }
    let (present, until) = (business.clone(), stop.clone());
    let present = async move { present.send_present(&until).await };
    let end = async {
        tokio::select! {
            asked = stop_requested() => asked,
            () = elapsed(run_for) => Ok(()),
        }
    };
    let stopping = async {
        let asked = end.await;
        stop.cancel();
        asked
    };
    let (sent, asked) = tokio::join!(present, stopping);
    asked?;
    while tasks.join_next().await.is_some() {}
    tasks.spawn_blocking(move || {
        if let Err(error) = business.close() {
            tracing::debug!(error = %error, "an exporter did not end as it should");
        }
    });
    while tasks.join_next().await.is_some() {}
    Ok(sent)
}

async fn elapsed(run_for: Option<Duration>) {
    match run_for {
        Some(run_for) => tokio::time::sleep(run_for).await,
        None => std::future::pending().await,
    }
}

async fn listen_inbox(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} for the inbox (--inbox-listen)"))?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// The configuration of an ordinary server, with the inbox as its only receiver.
fn configuration(
    args: &DemoArgs,
    place: &Place,
    inbox: SocketAddr,
    secret: &[u8],
) -> anyhow::Result<Config> {
    let secret = place.keep_secret(&format!("whsec_{}", BASE64_STANDARD.encode(secret)))?;
    let text = format!(
        "[[receivers]]\nname = \"inbox\"\nkind = \"webhook\"\nurl = \"http://{inbox}/hook\"\nallow_private = true\nsecret = \"file:{}\"\n",
        secret.display()
    );
    let web = chosen(args.web_listen)
        .with_context(|| format!("cannot listen on {} for the dashboards", args.web_listen))?;
    let options = ServeArgs {
        specs: Some(place.specs().to_owned()),
        data: Some(place.data().to_owned()),
        otlp_grpc_listen: Some(args.otlp_grpc_listen),
        otlp_http_listen: Some(args.otlp_http_listen),
        web_listen: Some(web),
        log: Some(LOG.to_owned()),
        ..ServeArgs::default()
    };
    Ok(Config::from_text(&options, &text, "demo")?)
}

/// The address with a free port in place of 0: links in pages need to know it before the server listens.
fn chosen(address: SocketAddr) -> std::io::Result<SocketAddr> {
    if address.port() != 0 {
        return Ok(address);
    }
    std::net::TcpListener::bind(address)?.local_addr()
}

/// Whether a folder is empty or not there yet.
fn is_new(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

fn say(text: &impl std::fmt::Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::{chosen, is_new};

    #[test]
    fn a_store_with_a_past_is_known_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_new(folder.path()));
        assert!(is_new(&folder.path().join("absent")));
        std::fs::write(folder.path().join("sloburn.db"), "").unwrap();
        assert!(!is_new(folder.path()));
    }

    #[test]
    fn links_never_lead_to_port_0() {
        let any = chosen("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(any.ip().is_loopback() && any.port() != 0);
        let given = "127.0.0.1:8080".parse().unwrap();
        assert_eq!(chosen(given).unwrap(), given);
    }
}
