//! Senders that mean harm, or that only seem to: what they send costs a bounded amount, gets the right answer, and
//! takes nothing from the honest ones.

mod bombs;
mod cardinality;
mod connections;
mod floods;
mod http1;
mod poison;

use std::time::Duration;

use acceptance::home::Home;
use acceptance::otlp::{Spans, send};
use acceptance::sloburn::Sloburn;
use acceptance::specs;
use anyhow::{Context, Result, ensure};

/// Longest that an honest sender waits for its answer during an attack: exporters give up after 10 s.
const PATIENCE: Duration = Duration::from_secs(9);

/// A home with one objective, over the service `shop`.
fn shop() -> Result<Home> {
    let home = Home::new()?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "1d"),
    )?;
    Ok(home)
}

/// An honest sender's request is counted in time, attack or not.
async fn honest_is_served(sloburn: &Sloburn) -> Result<()> {
    let (endpoint, spans) = (sloburn.http(), Spans::now("shop", 1, 0));
    let sent = tokio::time::timeout(PATIENCE, send(&endpoint, &spans)).await;
    let status = sent.context("an honest sender waited for too long")??;
    ensure!(status == 200, "an honest sender got {status}");
    Ok(())
}
