//! The HTTP client of the tests.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result};

/// A client with time limits that follows no redirect; one for the whole test process.
pub fn client() -> Result<reqwest::Client> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client.clone());
    }
    // Fails only when another test of this process was first: then there is one already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(3))
        .redirect(reqwest::redirect::Policy::none())
        // Each test has a runtime of its own; a connection must not outlive it in a pool.
        .pool_max_idle_per_host(0)
        .build()
        .context("no HTTP client")?;
    Ok(CLIENT.get_or_init(|| client).clone())
}
