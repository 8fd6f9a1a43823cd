//! Ready again after kill -9: a store with an hour of data, ended by force in the middle of its work.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::server::Times;
use crate::{Bench, median, words};

/// What a start after kill -9 took, and over what.
pub struct Restart {
    /// Median, in seconds, from the start of the process to `/readyz` 200.
    pub ready_s: f64,
    pub worst_s: f64,
    pub spans: u64,
    pub series: u64,
    /// Rows by table, if they could be counted.
    pub rows: String,
    pub mib: f64,
}

/// Fills a store with spans of a whole hour, then ends and starts the server as often as there are runs.
pub fn measure(bench: &Bench) -> Result<Restart> {
    let data = bench.data("restart");
    let options = words("--via grpc --templates 800 --max-age-ms 3600000");
    let filling = Times {
        warmup: 0,
        seconds: bench.times.seconds * 2,
        settle: bench.times.settle,
    };
    let mut server = bench.server(&bench.spans, &data)?;
    let mut spans = server.load(&options, filling)?["accepted"]
        .as_u64()
        .unwrap_or(0);
    let series = server.series()?;
    let mut took = Vec::new();
    for _ in 0..bench.runs {
        // More of it, so that something is always left to be done again.
        let more = Times {
            seconds: 2,
            settle: 0,
            ..filling
        };
        spans += server.load(&options, more)?["accepted"]
            .as_u64()
            .unwrap_or(0);
        drop(server);
        let began = Instant::now();
        server = bench.server(&bench.spans, &data)?;
        took.push(began.elapsed().as_secs_f64());
    }
    drop(server);
    Ok(Restart {
        worst_s: took.iter().copied().fold(0.0, f64::max),
        ready_s: median(took),
        spans,
        series,
        rows: rows(&data),
        mib: size(&data) as f64 / f64::from(1 << 20),
    })
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

/// Counts with Python, which the tests need anyway: the generator has no use for a database library.
fn rows(data: &Path) -> String {
    let program = "import glob,sqlite3,sys\n\
        found=[]\n\
        for f in glob.glob(sys.argv[1]+'/*'):\n \
        try:\n  \
        c=sqlite3.connect(f)\n  \
        t=[r[0] for r in c.execute(\"select name from sqlite_master where type='table'\")]\n  \
        found+=[(c.execute('select count(*) from \"%s\"'%n).fetchone()[0],n) for n in t]\n \
        except sqlite3.DatabaseError: pass\n\
        print(', '.join('%s %d'%(n,c) for c,n in sorted(found,reverse=True)[:4] if c))";
    Command::new("python3")
        .args(["-c", program])
        .arg(data)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|said| said.trim().to_owned())
        .filter(|said| !said.is_empty())
        .unwrap_or_else(|| "not counted".to_owned())
}
