//! What a process occupies, as the kernel accounts for it.

use std::fs;

use anyhow::{Context, Result};

/// Memory and file descriptors of a process, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint(pub u32);

impl Footprint {
    /// Resident memory now, in bytes.
    pub fn resident(self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most resident memory since the start or since [`Footprint::forget_peak`], in bytes.
    pub fn peak(self) -> Result<u64> {
        self.status("VmHWM:")
    }

    /// From here on, the peak is that of what follows.
    pub fn forget_peak(self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.0);
        fs::write(&path, "5").with_context(|| format!("{path} cannot be written"))
    }

    /// Open file descriptors.
    pub fn descriptors(self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }

    /// Seconds of processor time, of all threads, user and system.
    pub fn cpu_seconds(self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // After the command's name, which may hold anything, fields 14 and 15 count ticks of 10 ms.
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks = ticks.map(|ticks| ticks.parse::<f64>().unwrap_or_default());
        Ok(ticks.sum::<f64>() / 100.0)
    }

    fn status(self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.split_whitespace().next());
        let kib: u64 = kib.with_context(|| format!("no {field}"))?.parse()?;
        Ok(kib * 1024)
    }
}
