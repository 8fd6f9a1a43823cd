//! What the demo prints when it is ready: where to look, and what will happen when.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::business::HISTORY;
use super::faults::{CYCLE, FAULTS};
use super::shop::{JOURNEYS, Region, Service};

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    /// Base URL of the dashboards, without a slash at the end.
    pub(crate) dashboards: String,
    pub(crate) inbox: SocketAddr,
    pub(crate) otlp_grpc: SocketAddr,
    pub(crate) otlp_http: SocketAddr,
    /// How long the demo will run, unless until Ctrl-C.
    pub(crate) run_for: Option<Duration>,
    /// Whether the shop's past is sent too.
    pub(crate) past: bool,
    /// Whether the objectives are the demo's own, so that we know what the faults will do.
    pub(crate) own_specs: bool,
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dashboards,
            inbox,
            otlp_grpc,
            otlp_http,
            ..
        } = self;
        writeln!(f, "\nsloburn demo is running.\n")?;
        writeln!(
            f,
            "  On-call      {dashboards}/oncall      what is burning now"
        )?;
        writeln!(
            f,
            "  Objectives   {dashboards}/slos        budgets, burn rates, alerts"
        )?;
        writeln!(f, "  Debug        {dashboards}/debug/checkout")?;
        writeln!(f, "  Overview     {dashboards}/executive")?;
        writeln!(
            f,
            "  Inbox        http://{inbox}/            the pages, as their receiver gets them"
        )?;
        writeln!(
            f,
            "  OTLP         {otlp_grpc} (gRPC), {otlp_http} (HTTP): your own services may send too\n"
        )?;
        let per_minute: u64 = JOURNEYS.iter().map(|journey| journey.per_minute).sum();
        writeln!(
            f,
            "A shop of {} services in {} regions sends {} requests a second.",
            Service::ALL.len(),
            Region::ALL.len(),
            per_minute / 60,
        )?;
        if self.past {
            writeln!(
                f,
                "The spans of its last {} arrive in the first seconds.",
                Words(HISTORY)
            )?;
        }
        writeln!(f, "Faults, from now, and again every {}:", Words(CYCLE))?;
        for fault in &FAULTS {
            let (from, to) = (Clock(fault.begins), Clock(fault.begins + fault.lasts));
            writeln!(f, "  {from}–{to}  {}", fault.title)?;
        }
        if self.own_specs {
            writeln!(
                f,
                "The first one pages half a minute after it begins and resolves within half a minute of its end."
            )?;
        }
        match self.run_for {
            Some(run_for) => writeln!(f, "\nStops after {}, or with Ctrl-C.", Words(run_for)),
            None => writeln!(f, "\nCtrl-C stops it."),
        }
    }
}

/// `3:20`.
struct Clock(Duration);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        write!(f, "{}:{:02}", seconds / 60, seconds % 60)
    }
}

/// `90 s`, or `3 min` when it is whole minutes.
struct Words(Duration);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds >= 60 && seconds.is_multiple_of(60) {
            write!(f, "{} min", seconds / 60)
        } else {
            write!(f, "{seconds} s")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Announcement, Clock, Words};
    use std::time::Duration;

    #[test]
    fn it_names_every_address_and_when_the_first_fault_comes() {
        let text = Announcement {
            dashboards: "http://127.0.0.1:8080".to_owned(),
            inbox: "127.0.0.1:8090".parse().unwrap(),
            otlp_grpc: "127.0.0.1:4317".parse().unwrap(),
            otlp_http: "127.0.0.1:4318".parse().unwrap(),
            run_for: Some(Duration::from_mins(3)),
            past: true,
            own_specs: true,
        }
        .to_string();
        for expected in [
            "http://127.0.0.1:8080/oncall",
            "http://127.0.0.1:8090/",
            "127.0.0.1:4317 (gRPC)",
            "127.0.0.1:4318 (HTTP)",
            "120 requests a second",
            "  0:40–2:00  checkout 4.21.3 is rolled out in eu-west and fails",
            "Stops after 3 min",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }

    #[test]
    fn times_are_written_as_people_do() {
        assert_eq!(Clock(Duration::from_secs(605)).to_string(), "10:05");
        assert_eq!(Words(Duration::from_secs(90)).to_string(), "90 s");
        assert_eq!(Words(Duration::from_mins(10)).to_string(), "10 min");
        assert_eq!(Words(Duration::ZERO).to_string(), "0 s");
    }
}
