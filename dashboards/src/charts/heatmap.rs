//! Two-hue heatmap: log latency × time, stronger = more of them (square-root scale), blue within the
//! objective and orange against it, lines of p50 and p99.

use super::plot::{Band, Data, Label, Note, Percent, Plot, TimeAxis, middles};
use super::svg::{Path, Svg, WIDTH};
use crate::format;
use crate::number::{place, real};
use crate::view::{LatencyColumn, LatencyGrid};

const SHADES: usize = 9;
const WITHIN: [&str; SHADES] = ["q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9"];
const AGAINST: [&str; SHADES] = ["b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9"];
/// Latencies labelled on the axis, in µs.
const LABELLED: [u64; 7] = [
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// A log axis of latency, shared by charts that are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    low_us: f64,
    high_us: f64,
}

impl Scale {
    /// The axis that holds all values and thresholds of these grids, with a little room.
    pub(crate) fn of<'a>(grids: impl IntoIterator<Item = &'a LatencyGrid>) -> Scale {
        let (mut low, mut high) = (u64::MAX, 0);
        for grid in grids {
            let values = grid.columns.iter().flat_map(|column| &column.values);
            for value in values
                .map(|(value, _)| *value)
                .chain(grid.threshold.iter().map(|t| t.bound_us))
            {
                (low, high) = (low.min(value.max(1)), high.max(value.max(1)));
            }
        }
        if high == 0 {
            (low, high) = (1_000, 1_000_000);
        }
        let (low_us, high_us) = (real(low) / 1.6, real(high) * 1.6);
        Scale { low_us, high_us }
    }

    /// Rows of equal height on the log axis such that a threshold is an edge between two of them.
    fn rows(self, rows: usize, threshold_us: Option<u64>) -> Rows {
        let height = (self.high_us / self.low_us).ln() / real(rows);
        let Some(threshold_us) = threshold_us else {
            return Rows {
                low: self.low_us.ln(),
                height,
                count: rows,
                edge: None,
            };
        };
        let bound = (real(threshold_us.max(1))).ln();
        let below = ((bound - self.low_us.ln()) / height).ceil().max(0.0);
        let edge = place(below);
        Rows {
            low: bound - below * height,
            height,
            count: rows + 1,
            edge: Some((edge, threshold_us)),
        }
    }
}

/// The rows of one heatmap.
#[derive(Clone, Copy, Debug)]
struct Rows {
    low: f64,
    height: f64,
    count: usize,
    /// First row above the threshold, and the threshold.
    edge: Option<(usize, u64)>,
}

impl Rows {
    /// Height of a value in 0 – 1 from the bottom.
    fn place(self, us: u64) -> f64 {
        let rows = ((real(us.max(1))).ln() - self.low) / self.height;
        let place = rows / real(self.count);
        place.clamp(0.0, 1.0)
    }

    /// The row of a value, from the bottom. What lies exactly on the threshold is within it.
    fn row(self, us: u64) -> usize {
        let row = place(self.place(us) * real(self.count));
        let row = row.min(self.count - 1);
        match self.edge {
            Some((edge, bound)) if us > bound => row.max(edge.min(self.count - 1)),
            Some((edge, _)) => row.min(edge.saturating_sub(1)),
            None => row,
        }
    }
}

/// The large heatmap with axis, lines and table.
pub(crate) fn large(grid: &LatencyGrid) -> Plot {
    let height = 330;
    let scale = Scale::of([grid]);
    let threshold = grid.threshold.as_ref().map(|threshold| threshold.bound_us);
    let rows = scale.rows(46, threshold);
    let mut svg = Svg::new(f64::from(height)).with_class("hm");
    cells(&mut svg, grid, rows, f64::from(height));
    quantiles(&mut svg, grid, rows, f64::from(height));
    let axis = axis(grid);
    let mut y: Vec<Label> = LABELLED
        .into_iter()
        .filter(|us| (0.001..0.999).contains(&rows.place(*us)))
        .filter(|us| {
            threshold.is_none_or(|bound| (rows.place(*us) - rows.place(bound)).abs() > 0.06)
        })
        .map(|us| Label {
            at: top(rows.place(us)),
            text: format::latency(us),
            class: "",
        })
        .collect();
    if let Some(bound) = threshold {
        threshold_line(&mut svg, rows, bound, f64::from(height));
        y.push(Label {
            at: top(rows.place(bound)),
            text: format::latency(bound),
            class: "strong",
        });
    }
    let notes = grid
        .columns
        .iter()
        .find(|column| column.p50_us.is_some())
        .map(|column| {
            [("p99", column.p99_us), ("p50", column.p50_us)].map(|(name, us)| Note {
                left: Percent(0.5),
                top: top(rows.place(us.unwrap_or(1)) + 0.025),
                text: name.to_owned(),
                class: "l halo strong",
            })
        });
    Plot {
        height,
        says: says(grid),
        svg: svg.finish(),
        y,
        x: axis.labels(None),
        notes: notes.into_iter().flatten().collect(),
        bands: gaps(grid),
        data: Some(table(grid, axis)),
        ..Plot::default()
    }
}

/// A small one, on a scale shared with its neighbours.
pub(crate) fn small(grid: &LatencyGrid, scale: Scale) -> Plot {
    let height = 84;
    let threshold = grid.threshold.as_ref().map(|threshold| threshold.bound_us);
    let rows = scale.rows(26, threshold);
    let mut svg = Svg::new(f64::from(height)).with_class("hm");
    cells(&mut svg, grid, rows, f64::from(height));
    if let Some(bound) = threshold {
        threshold_line(&mut svg, rows, bound, f64::from(height));
    }
    Plot {
        height,
        says: says(grid),
        svg: svg.finish(),
        bands: gaps(grid),
        bare: true,
        ..Plot::default()
    }
}

fn top(place: f64) -> Percent {
    Percent(100.0 - place * 100.0)
}

fn axis(grid: &LatencyGrid) -> TimeAxis {
    let length = grid
        .step
        .saturating_mul(u32::try_from(grid.columns.len()).unwrap_or(u32::MAX));
    TimeAxis {
        from: grid.from,
        to: grid.from.saturating_add(length).unwrap_or(grid.from),
    }
}

fn threshold_line(svg: &mut Svg, rows: Rows, bound: u64, height: f64) {
    svg.level("gt", height - rows.place(bound) * height);
}

/// One path a shade: runs of equal cells in a row are one rectangle.
fn cells(svg: &mut Svg, grid: &LatencyGrid, rows: Rows, height: f64) {
    let columns = grid.columns.len();
    let mut counts = vec![0_u64; columns * rows.count];
    for (index, column) in grid.columns.iter().enumerate() {
        for (us, count) in &column.values {
            if let Some(cell) = counts.get_mut(rows.row(*us) * columns + index) {
                *cell = cell.saturating_add(*count);
            }
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let mut paths: Vec<Path> = vec![Path::default(); SHADES * 2];
    for (row, cells) in counts.chunks(columns.max(1)).enumerate() {
        let against = rows.edge.is_some_and(|(edge, _)| row >= edge);
        let shades: Vec<usize> = cells.iter().map(|count| shade(*count, most)).collect();
        let mut start = 0;
        for run in shades.chunk_by(|left, right| left == right) {
            let end = start + run.len();
            let shade = run.first().copied().unwrap_or(0);
            if let Some(path) =
                paths.get_mut((shade + usize::from(against) * SHADES).wrapping_sub(1))
                && shade > 0
            {
                let x = |column: usize| real(column) / real(columns) * WIDTH;
                let y = |row: usize| height - real(row) / real(rows.count) * height;
                path.rect(x(start), y(row + 1), x(end), y(row));
            }
            start = end;
        }
    }
    for (class, path) in WITHIN.into_iter().chain(AGAINST).zip(&paths) {
        svg.path(class, path);
    }
}

/// Shade 1 – 9 of a count on a square-root scale; 0 for nothing.
fn shade(count: u64, most: u64) -> usize {
    if count == 0 {
        return 0;
    }
    let shade = place(((real(count) / real(most.max(1))).sqrt() * real(SHADES)).ceil());
    shade.clamp(1, SHADES)
}

fn quantiles(svg: &mut Svg, grid: &LatencyGrid, rows: Rows, height: f64) {
    for (class, of) in [
        (
            "ln ink thin",
            (|column| column.p50_us) as fn(&LatencyColumn) -> Option<u64>,
        ),
        ("ln ink", |column| column.p99_us),
    ] {
        let mut path = Path::default();
        let mut gap = true;
        for (index, column) in grid.columns.iter().enumerate() {
            let Some(us) = of(column) else {
                gap = true;
                continue;
            };
            let x = (real(index) + 0.5) / real(grid.columns.len()) * WIDTH;
            let y = height - rows.place(us) * height;
            if gap {
                path.jump(x, y);
            } else {
                path.add(x, y);
            }
            gap = false;
        }
        svg.path(class, &path);
    }
}

/// Hatched where nothing was measured.
fn gaps(grid: &LatencyGrid) -> Vec<Band> {
    let columns = grid.columns.len().max(1);
    let mut bands = Vec::new();
    let mut start = 0;
    for run in grid
        .columns
        .chunk_by(|a, b| a.values.is_empty() == b.values.is_empty())
    {
        if run.first().is_some_and(|column| column.values.is_empty()) {
            bands.push(Band {
                left: Percent(real(start) * 100.0 / real(columns)),
                width: Percent(real(run.len()) * 100.0 / real(columns)),
                class: "none",
            });
        }
        start += run.len();
    }
    bands
}

/// How many of the values were slower than the threshold, and how many there were.
pub(crate) fn against(grid: &LatencyGrid) -> Option<(u64, u64)> {
    grid.threshold.as_ref().map(|threshold| threshold.slow)
}

fn says(grid: &LatencyGrid) -> String {
    let p99: Vec<u64> = grid
        .columns
        .iter()
        .filter_map(|column| column.p99_us)
        .collect();
    let (Some(low), Some(high)) = (p99.iter().min(), p99.iter().max()) else {
        return "Nothing was measured in this time".to_owned();
    };
    let range = format!(
        "p99 between {} and {}",
        format::latency(*low),
        format::latency(*high)
    );
    match (against(grid), &grid.threshold) {
        (Some((slow, total)), Some(threshold)) => format!(
            "{range}; {} of {} {} slower than {}",
            format::count(slow),
            format::count(total),
            grid.counted,
            format::latency(threshold.bound_us)
        ),
        _ => range,
    }
}

fn table(grid: &LatencyGrid, axis: TimeAxis) -> Data {
    let shown = |us: Option<u64>| us.map_or_else(|| format::UNKNOWN.to_owned(), format::latency);
    let rows = grid.columns.iter().enumerate().map(|(index, column)| {
        let ahead = grid
            .step
            .saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
        let at = grid.from.saturating_add(ahead).unwrap_or(grid.from);
        vec![
            axis.row(at),
            format!("p50 {}", shown(column.p50_us)),
            format!("p99 {}", shown(column.p99_us)),
        ]
    });
    Data {
        columns: vec!["From", "Median", "99 of 100 within"],
        rows: rows.collect(),
        reach: middles(grid.columns.len()),
    }
}
