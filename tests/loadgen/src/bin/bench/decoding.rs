//! Decoding alone: the medians that criterion left behind.

use std::path::Path;

use serde_json::Value;

/// Microseconds per item of every benchmark of decoding, by its name; empty when there was none.
pub fn medians(criterion: &Path) -> Vec<(String, f64)> {
    let groups = [
        "decode and measure 100 spans",
        "decode and absorb 100 points",
    ];
    let mut found: Vec<_> = groups
        .iter()
        .flat_map(|group| of_group(&criterion.join(group), group))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn of_group(folder: &Path, group: &str) -> Vec<(String, f64)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let one = |path: &Path| -> Option<(String, f64)> {
        let text = std::fs::read_to_string(path.join("new/estimates.json")).ok()?;
        let estimates: Value = serde_json::from_str(&text).ok()?;
        let nanoseconds = estimates["median"]["point_estimate"].as_f64()?;
        let name = path.file_name()?.to_str()?;
        Some((format!("{group}: {name}"), nanoseconds / 1000.0 / 100.0))
    };
    entries
        .filter_map(|entry| one(&entry.ok()?.path()))
        .collect()
}
