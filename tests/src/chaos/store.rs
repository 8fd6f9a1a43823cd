//! What the store of a stopped sloburn holds, read past sloburn: the counts of every slice, to the unit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::postgres::Postgres;

/// Requests and failed requests by service and end of the 10-second slice in Unix seconds.
pub type Slices = BTreeMap<(String, i64), (u64, u64)>;

const SLICES: &str = "select service, end_s, requests, failed from slice where tier = 10";

/// Where a sloburn keeps what it counts.
#[derive(Debug)]
pub enum Place<'a> {
    /// A data directory; no sloburn may be using it.
    Directory(PathBuf),
    /// A PostgreSQL cluster.
    Postgres(&'a Postgres),
}

impl Place<'_> {
    /// Every 10-second slice.
    pub async fn slices(&self) -> Result<Slices> {
        let rows = self.query(SLICES).await?;
        rows.lines().map(slice).collect()
    }

    /// Forgets all tallies: the next start counts them again from the slices.
    pub async fn forget_tallies(&self) -> Result<()> {
        self.query("delete from tally").await.map(drop)
    }

    /// Rows, one a line, columns separated by `|`.
    async fn query(&self, sql: &str) -> Result<String> {
        match self {
            Place::Postgres(postgres) => postgres.psql("sloburn", sql).await,
            Place::Directory(directory) => sqlite(directory, sql).await,
        }
    }
}

/// Python has a SQLite in its standard library. It is older than sloburn's, which is no danger while it is alone.
async fn sqlite(directory: &Path, sql: &str) -> Result<String> {
    let program = "import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for row in database.execute(sys.argv[2]):
    print('|'.join(str(column) for column in row))
database.commit()";
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(directory.join("sloburn.db"))
        .arg(sql)
        .stdin(Stdio::null())
        .output()
        .await?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the store cannot be read: {told}");
    Ok(String::from_utf8(output.stdout)?)
}

fn slice(row: &str) -> Result<((String, i64), (u64, u64))> {
    let columns: Vec<&str> = row.split('|').collect();
    let [service, end, requests, failed] = columns[..] else {
        anyhow::bail!("not a slice: {row}");
    };
    let numbers = || -> Result<_> { Ok((end.parse()?, requests.parse()?, failed.parse()?)) };
    let (end, requests, failed) = numbers().with_context(|| format!("not a slice: {row}"))?;
    Ok(((service.to_owned(), end), (requests, failed)))
}
