//! The clocks of those who send, by resource, over the last five minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use collector::Sender;

/// Resources told apart; the spans of further ones are told together.
const MOST: usize = 1_000;
/// A minute in seconds: the grain of the five minutes.
const MINUTE_S: i64 = 60;
const MINUTES: i64 = 5;
/// A resource that was silent for so long gives its place to a new one, in seconds.
const SILENT_S: i64 = 600;

/// The clocks of senders since the start of the process. Clones share one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Senders {
    table: Arc<Mutex<Table>>,
}

/// One resource as of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) service: String,
    pub(crate) instance: String,
    /// The least time from a span's end to its arrival in the last five minutes, in nanoseconds;
    /// below 0 the sender's clock is ahead. `None` without spans in that time.
    pub(crate) skew_nanos: Option<i64>,
    /// Since the resource has its place.
    pub(crate) spans: u64,
    pub(crate) clamped: u64,
    pub(crate) future: u64,
}

/// All senders as of a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standings {
    /// Those furthest ahead first, then those furthest behind.
    pub(crate) senders: Vec<Standing>,
    /// All that found no place, with empty names; `None` if all did.
    pub(crate) rest: Option<Standing>,
}

#[derive(Debug, Default)]
struct Table {
    /// By service, then by instance: found without making a text.
    services: HashMap<Box<str>, HashMap<Box<str>, Clock>>,
    count: usize,
    rest: Option<Clock>,
    /// When silent ones were last looked for.
    trimmed_s: i64,
}

#[derive(Debug, Default)]
struct Clock {
    /// The least of this minute and of each of the five before: Unix minute and nanoseconds.
    minutes: [Option<(i64, i64)>; 6],
    last_s: i64,
    spans: u64,
    clamped: u64,
    future: u64,
}

impl Senders {
    /// Notes what a request tells of its senders.
    pub(crate) fn note(&self, senders: &[Sender], now_s: i64) {
        if senders.is_empty() {
            return;
        }
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        for sender in senders {
            table.clock(sender, now_s).note(sender, now_s);
        }
    }

    /// Every sender as of now.
    pub(crate) fn standings(&self, now_s: i64) -> Standings {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut senders: Vec<_> = table
            .services
            .iter()
            .flat_map(|(service, instances)| {
                instances
                    .iter()
                    .map(move |(instance, clock)| clock.standing(service, instance, now_s))
            })
            .collect();
        // A clock ahead is what costs spans; then what is furthest behind.
        senders.sort_by_cached_key(|one| {
            let skew = one.skew_nanos.unwrap_or(0);
            (
                skew.min(0),
                -skew,
                one.service.clone(),
                one.instance.clone(),
            )
        });
        Standings {
            senders,
            rest: table.rest.as_ref().map(|rest| rest.standing("", "", now_s)),
        }
    }
}

impl Table {
    fn clock(&mut self, sender: &Sender, now_s: i64) -> &mut Clock {
        let known = self
            .services
            .get(&*sender.service)
            .is_some_and(|instances| instances.contains_key(&*sender.instance));
        if !known && self.count >= MOST {
            self.trim(now_s);
        }
        if sender.service.is_empty() || (!known && self.count >= MOST) {
            return self.rest.get_or_insert_default();
        }
        self.count += usize::from(!known);
        if !self.services.contains_key(&*sender.service) {
            self.services
                .insert(sender.service.as_str().into(), HashMap::new());
        }
        let instances = self.services.entry(sender.service.as_str().into());
        let instances = instances.or_default();
        instances
            .entry(sender.instance.as_str().into())
            .or_default()
    }

    /// Forgets who is silent, once a minute at most: a flood of new names must not cost a walk each.
    fn trim(&mut self, now_s: i64) {
        if now_s < self.trimmed_s + MINUTE_S {
            return;
        }
        self.trimmed_s = now_s;
        for instances in self.services.values_mut() {
            instances.retain(|_, clock| clock.last_s + SILENT_S > now_s);
        }
        self.services.retain(|_, instances| !instances.is_empty());
        self.count = self.services.values().map(HashMap::len).sum();
    }
}

impl Clock {
    fn note(&mut self, sender: &Sender, now_s: i64) {
        let minute = now_s.div_euclid(MINUTE_S);
        let place = usize::try_from(minute.rem_euclid(MINUTES + 1)).unwrap_or_default();
        let least = match self.minutes[place] {
            Some((at, least)) if at == minute => least.min(sender.least_nanos),
            _ => sender.least_nanos,
        };
        self.minutes[place] = Some((minute, least));
        self.last_s = now_s;
        self.spans += sender.spans;
        self.clamped += sender.clamped;
        self.future += sender.future;
    }

    fn standing(&self, service: &str, instance: &str, now_s: i64) -> Standing {
        let oldest = now_s.div_euclid(MINUTE_S) - MINUTES;
        let recent = self.minutes.iter().flatten();
        let recent = recent.filter(|(minute, _)| *minute >= oldest);
        Standing {
            service: service.to_owned(),
            instance: instance.to_owned(),
            skew_nanos: recent.map(|(_, least)| *least).min(),
            spans: self.spans,
            clamped: self.clamped,
            future: self.future,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(instance: &str, least_nanos: i64) -> Sender {
        Sender {
            service: "shop".to_owned(),
            instance: instance.to_owned(),
            least_nanos,
            spans: 2,
            clamped: 1,
            future: 0,
        }
    }

    #[test]
    fn the_least_of_five_minutes_is_the_skew() {
        let senders = Senders::default();
        let skew = |now| senders.standings(now).senders[0].skew_nanos;
        senders.note(&[sender("a", -7)], 0);
        senders.note(&[sender("a", 5)], 120);
        assert_eq!(skew(120), Some(-7));
        assert_eq!(skew(359), Some(-7), "five full minutes later");
        assert_eq!(skew(360), Some(5));
        assert_eq!(skew(600), None, "silent for longer");
        assert_eq!(senders.standings(600).senders[0].spans, 4);
    }

    #[test]
    fn the_furthest_ahead_come_first_then_the_furthest_behind() {
        let senders = Senders::default();
        for (name, skew) in [("late", 90), ("right", 0), ("ahead", -30), ("far", -60)] {
            senders.note(&[sender(name, skew)], 0);
        }
        let names: Vec<_> = senders.standings(0).senders;
        let names: Vec<_> = names.iter().map(|one| &*one.instance).collect();
        assert_eq!(names, ["far", "ahead", "late", "right"]);
    }

    #[test]
    fn beyond_a_thousand_the_rest_is_told_exactly_until_places_are_free() {
        let senders = Senders::default();
        let many: Vec<_> = (0..1_005).map(|n| sender(&format!("i{n}"), n)).collect();
        senders.note(&many, 100);
        let standings = senders.standings(100);
        assert_eq!(standings.senders.len(), 1_000);
        let rest = standings.rest.unwrap();
        assert_eq!((rest.spans, rest.skew_nanos), (10, Some(1_000)));
        senders.note(&[sender("new", 1)], 800);
        assert_eq!(
            senders.standings(800).senders.len(),
            1,
            "who was silent is forgotten"
        );
    }
}
