//! Civil times and time zones as people write them.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The IANA zone of that name, from the database that is built in: the same on every machine.
///
/// ```
/// assert!(slo_specs::zone_named("Europe/Berlin").is_some());
/// assert!(slo_specs::zone_named("Europe/Berlim").is_none());
/// ```
pub fn zone_named(name: &str) -> Option<TimeZone> {
    let zone = TimeZoneDatabase::bundled().get(name).ok()?;
    zone.iana_name().is_some().then_some(zone)
}

/// Names of every zone.
pub(crate) fn zone_names() -> Vec<String> {
    let database = TimeZoneDatabase::bundled();
    database.available().map(|name| name.to_string()).collect()
}

/// A civil time: a date, a space or `T`, and a time with or without seconds; a date alone is its midnight.
///
/// ```
/// let noon = slo_specs::civil_time("2024-02-29 12:00").unwrap();
/// assert_eq!(noon.to_string(), "2024-02-29T12:00:00");
/// assert_eq!(slo_specs::civil_time("2024-02-30 12:00"), None);
/// assert_eq!(slo_specs::civil_time("2024-02-29T12:00:00Z"), None, "that is an instant");
/// ```
pub fn civil_time(text: &str) -> Option<DateTime> {
    let text = text.trim();
    [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M",
    ]
    .iter()
    .find_map(|form| DateTime::strptime(form, text).ok())
    .or_else(|| {
        let date = jiff::civil::Date::strptime("%Y-%m-%d", text).ok()?;
        Some(date.to_datetime(jiff::civil::Time::midnight()))
    })
}

/// The instant of a civil time, in Unix seconds. A time that a clock change skips is as much later as
/// it skips; of a time that comes twice it is the first.
pub fn instant_of(zone: &TimeZone, civil: DateTime) -> i64 {
    match zone.to_ambiguous_timestamp(civil).compatible() {
        Ok(instant) => instant.as_second(),
        // Beyond the years that can be told.
        Err(_) if civil.year() > 0 => i64::MAX,
        Err(_) => i64::MIN,
    }
}
