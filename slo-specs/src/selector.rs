//! Selectors: which spans or metric points an indicator counts.

use std::fmt::Write as _;

use regex::Regex;

/// Which events: all conditions must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// Spans or metric points.
    pub signal: Signal,
    /// Span kind in lower case: `server`, `client`, `producer`, `consumer`, `internal`.
    pub span_kind: Option<String>,
    /// Tests of the span's name.
    pub span_name: Vec<Test>,
    /// Span status in lower case: `error`, `ok`, `unset`.
    pub status: Option<String>,
    /// Only spans without a parent: each stands for a whole trace.
    pub root: bool,
    /// Metric name.
    pub metric: Option<String>,
    /// How the metric's points are read.
    pub read_as: ReadAs,
    /// Tests of attributes, sorted by key.
    pub matchers: Vec<Matcher>,
}

/// What kind of telemetry a selector looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric points.
    Metrics,
}

/// How the points of a metric are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadAs {
    /// As they were sent: what a sum grew by, the values of a histogram, the level of a gauge.
    #[default]
    AsSent,
    /// What a running total grew by, also one that is sent as a gauge; beside it every stream and
    /// slice that was looked at. `value: increase`.
    Growth,
    /// How long ago the Unix time was that a gauge holds, in seconds. `value: age_s`.
    Age,
    /// The ratio that a gauge holds: each point is a million events, and as many of them are good
    /// as it says. `raw`.
    Share,
    /// What a sum grew by, or how many events a gauge says there were. `counter: false`.
    Amount,
}

/// One attribute and a test of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Matcher {
    /// Attribute key, such as `http.route`.
    pub key: String,
    /// What its value must be like.
    pub test: Test,
}

/// A test of one value. A missing attribute passes `Not`, `NotRegex` and `Exists(false)` only.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal to one of these.
    In(Vec<Scalar>),
    /// Equal to none of these, or missing.
    Not(Vec<Scalar>),
    /// A text that begins so.
    Prefix(String),
    /// A text in which this is found somewhere; anchor with `^` and `$` for the whole.
    Regex(Pattern),
    /// A text in which this is found nowhere, or missing.
    NotRegex(Pattern),
    /// A number, or a numeric text, above this.
    Gt(f64),
    /// A number, or a numeric text, at or above this.
    Gte(f64),
    /// A number, or a numeric text, below this.
    Lt(f64),
    /// A number, or a numeric text, at or below this.
    Lte(f64),
    /// Present (true) or missing (false).
    Exists(bool),
}

/// A compiled regular expression, equal to another of the same text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// A value as written in a spec. A number equals the text that spells it and any number of the same
/// value; a boolean equals the text `true` or `false`.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// True or false.
    Bool(bool),
    /// A number: the text as written, and its value.
    Number(String, f64),
}

/// An attribute's value as the subject has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttributeRef<'a> {
    /// Text; arrays and maps as their JSON.
    Text(&'a str),
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Double(f64),
}

/// What a selector asks of a series of events.
pub trait Subject {
    /// Spans or metric points.
    fn signal(&self) -> Signal;
    /// Span kind in lower case; empty for metrics.
    fn kind(&self) -> &str;
    /// Span name or metric name.
    fn name(&self) -> &str;
    /// Span status in lower case; empty for metrics.
    fn status(&self) -> &str;
    /// Whether they are spans without a parent.
    fn is_root(&self) -> bool;
    /// Whether they are what a selector that reads so selects.
    fn is_read_as(&self, read_as: ReadAs) -> bool;
    /// An attribute: the event's own first, then its scope's, then its resource's.
    fn attribute(&self, key: &str) -> Option<AttributeRef<'_>>;
}

impl Selector {
    /// Whether all conditions hold.
    pub fn matches(&self, subject: &impl Subject) -> bool {
        subject.is_read_as(self.read_as) && self.names(subject)
    }

    /// Whether all conditions hold but for how it is read.
    pub fn names(&self, subject: &impl Subject) -> bool {
        let equal = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        self.signal == subject.signal()
            && (!self.root || subject.is_root())
            && equal(&self.span_kind, subject.kind())
            && equal(&self.status, subject.status())
            && equal(&self.metric, subject.name())
            && self
                .span_name
                .iter()
                .all(|t| t.passes(Some(AttributeRef::Text(subject.name()))))
            && self
                .matchers
                .iter()
                .all(|m| m.test.passes(subject.attribute(&m.key)))
    }

    /// A text that is equal for equal selectors, in every version.
    pub(crate) fn canonical(&self) -> String {
        let mut text = match self.signal {
            Signal::Traces => "traces".to_owned(),
            Signal::Metrics => "metrics".to_owned(),
        };
        let plain = [
            ("kind", &self.span_kind),
            ("status", &self.status),
            ("metric", &self.metric),
        ];
        for (name, value) in plain {
            if let Some(value) = value {
                push(&mut text, format_args!("{name}={value:?}"));
            }
        }
        if self.root {
            push(&mut text, format_args!("root"));
        }
        if self.read_as != ReadAs::AsSent {
            push(&mut text, format_args!("read {}", self.read_as.name()));
        }
        for test in &self.span_name {
            push(&mut text, format_args!("name {}", test.canonical()));
        }
        for Matcher { key, test } in &self.matchers {
            push(&mut text, format_args!("{key:?} {}", test.canonical()));
        }
        text
    }
}

impl ReadAs {
    /// A word for it that never changes: indicators are stored under it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsSent => "as-sent",
            Self::Growth => "growth",
            Self::Age => "age",
            Self::Share => "share",
            Self::Amount => "amount",
        }
    }
}

impl Test {
    /// Whether a value, or its absence, passes.
    pub fn passes(&self, value: Option<AttributeRef<'_>>) -> bool {
        let number = || value.and_then(AttributeRef::number);
        match self {
            Self::In(any) => value.is_some_and(|value| any.iter().any(|s| s.equals(value))),
            Self::Not(none) => value.is_none_or(|value| !none.iter().any(|s| s.equals(value))),
            Self::Prefix(prefix) => value.is_some_and(|value| value.text().starts_with(prefix)),
            Self::Regex(Pattern(regex)) => value.is_some_and(|value| regex.is_match(&value.text())),
            Self::NotRegex(Pattern(regex)) => {
                value.is_none_or(|value| !regex.is_match(&value.text()))
            }
            Self::Gt(bound) => number().is_some_and(|number| number > *bound),
            Self::Gte(bound) => number().is_some_and(|number| number >= *bound),
            Self::Lt(bound) => number().is_some_and(|number| number < *bound),
            Self::Lte(bound) => number().is_some_and(|number| number <= *bound),
            Self::Exists(wanted) => value.is_some() == *wanted,
        }
    }

    fn canonical(&self) -> String {
        let list = |scalars: &[Scalar]| {
            let mut texts: Vec<String> = scalars.iter().map(Scalar::canonical).collect();
            texts.sort();
            texts.dedup();
            texts.join(",")
        };
        match self {
            Self::In(any) => format!("in {}", list(any)),
            Self::Not(none) => format!("not {}", list(none)),
            Self::Prefix(prefix) => format!("prefix {prefix:?}"),
            Self::Regex(pattern) => format!("regex {:?}", pattern.as_str()),
            Self::NotRegex(pattern) => format!("not-regex {:?}", pattern.as_str()),
            Self::Gt(bound) => format!("gt {:016x}", bound.to_bits()),
            Self::Gte(bound) => format!("gte {:016x}", bound.to_bits()),
            Self::Lt(bound) => format!("lt {:016x}", bound.to_bits()),
            Self::Lte(bound) => format!("lte {:016x}", bound.to_bits()),
            Self::Exists(wanted) => format!("exists {wanted}"),
        }
    }
}

impl Pattern {
    /// Compiles a regular expression; it runs in linear time and takes at most 1 MiB.
    ///
    /// # Errors
    /// What is wrong with the expression, in one line.
    pub fn new(text: &str) -> Result<Self, String> {
        regex::RegexBuilder::new(text)
            .size_limit(1 << 20)
            .build()
            .map(Self)
            .map_err(|error| {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.trim().trim_start_matches("error: ").to_owned()
            })
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Scalar {
    /// Whether a value found in telemetry is this one.
    pub fn equals(&self, value: AttributeRef<'_>) -> bool {
        match (self, value) {
            (Self::Text(wanted), found) => found.text() == wanted.as_str(),
            (Self::Bool(wanted), AttributeRef::Bool(found)) => *wanted == found,
            (Self::Bool(wanted), AttributeRef::Text(found)) => {
                found == if *wanted { "true" } else { "false" }
            }
            (Self::Number(text, _), AttributeRef::Text(found)) => found == text,
            (Self::Number(text, number), AttributeRef::Int(found)) => text
                .parse::<i64>()
                .map_or_else(|_| same(found_f64(found), *number), |n| n == found),
            (Self::Number(_, number), AttributeRef::Double(found)) => same(found, *number),
            (Self::Bool(_) | Self::Number(..), _) => false,
        }
    }

    fn canonical(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Bool(value) => value.to_string(),
            Self::Number(text, _) => text.clone(),
        }
    }
}

impl<'a> AttributeRef<'a> {
    /// The value as text.
    pub fn text(self) -> std::borrow::Cow<'a, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Bool(value) => if value { "true" } else { "false" }.into(),
            Self::Int(value) => value.to_string().into(),
            Self::Double(value) => value.to_string().into(),
        }
    }

    /// The value as a number, if it is one or spells one.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            Self::Bool(_) => None,
            Self::Int(value) => Some(found_f64(value)),
            Self::Double(value) => Some(value),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "attributes above 2^53 are not compared by value"
)]
fn found_f64(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::float_cmp, reason = "equality is what the spec asks for")]
fn same(left: f64, right: f64) -> bool {
    left == right
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.push(';');
    write!(text, "{part}").unwrap_or_default();
}
