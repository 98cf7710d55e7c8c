//! Days and times as the viewer's own calendar has them.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::clock::UnixMillis;

/// A viewer's time zone. Two viewers in one zone share its `key`, and so what is rendered for it.
#[derive(Debug, Clone)]
pub struct Zone {
    key: u32,
    name: Arc<str>,
    zone: TimeZone,
}

/// Every zone that anyone came from; bounded, because only names of the zone database get in.
static KNOWN: LazyLock<Mutex<HashMap<String, Zone>>> = LazyLock::new(Mutex::default);

impl Zone {
    /// The zone of this IANA name, as `Europe/Madrid`; UTC for anything else.
    pub fn named(name: &str) -> Self {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = known.get(name) {
            return zone.clone();
        }
        let found = TimeZone::get(name)
            .ok()
            .filter(|zone| zone.iana_name() == Some(name));
        let (name, zone) = match found {
            Some(zone) => (name, zone),
            None => ("UTC", TimeZone::UTC),
        };
        let key = u32::try_from(known.len()).unwrap_or(u32::MAX);
        known
            .entry(name.into())
            .or_insert_with(|| Self {
                key,
                name: name.into(),
                zone,
            })
            .clone()
    }

    /// Equal for equal zones, different for different ones, within this process.
    pub fn key(&self) -> u32 {
        self.key
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The day on which `moment` falls here.
    pub fn day(&self, moment: UnixMillis) -> Date {
        self.local(moment).date()
    }

    /// The time of day: `14:05`.
    pub fn time(&self, moment: UnixMillis) -> String {
        self.local(moment).strftime("%H:%M").to_string()
    }

    /// What a day chip says of `moment`: Today, Yesterday, a weekday, a date.
    pub fn day_label(&self, moment: UnixMillis, now: UnixMillis) -> String {
        label(self.day(moment), self.day(now))
    }

    /// What a line of the lobby says of `moment`: the time if today, else the day.
    pub fn lobby_label(&self, moment: UnixMillis, now: UnixMillis) -> String {
        let (day, today) = (self.day(moment), self.day(now));
        if day == today {
            self.time(moment)
        } else {
            label(day, today)
        }
    }

    /// A day and a time: `Today, 14:05`.
    pub fn moment_label(&self, moment: UnixMillis, now: UnixMillis) -> String {
        format!("{}, {}", self.day_label(moment, now), self.time(moment))
    }

    /// When somebody was last here, as coarse as people need it: `last seen today at 14:05`, `last seen on Monday`.
    pub fn seen_label(&self, moment: UnixMillis, now: UnixMillis) -> String {
        let (day, today) = (self.day(moment), self.day(now));
        match (today - day).get_days() {
            ..=0 => format!("last seen today at {}", self.time(moment)),
            1 => format!("last seen yesterday at {}", self.time(moment)),
            _ => format!("last seen on {}", label(day, today)),
        }
    }

    /// A moment to come: `until 17:05`, `until tomorrow, 09:00`, `until 9 Mar 2026`.
    pub fn until_label(&self, moment: UnixMillis, now: UnixMillis) -> String {
        let (day, time) = (self.day(moment), self.time(moment));
        match (day - self.day(now)).get_days() {
            ..=0 => format!("until {time}"),
            1 => format!("until tomorrow, {time}"),
            2..=6 => format!("until {}, {time}", day.strftime("%A")),
            _ => format!("until {}", day.strftime("%-d %b %Y")),
        }
    }

    fn local(&self, moment: UnixMillis) -> jiff::Zoned {
        Timestamp::from_millisecond(moment.0)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_zoned(self.zone.clone())
    }
}

/// `moment` for machines: `2026-03-04T12:00:00Z`.
pub fn iso(moment: UnixMillis) -> String {
    let second = Timestamp::from_second(moment.0.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH);
    second.to_string()
}

fn label(day: Date, today: Date) -> String {
    match (today - day).get_days() {
        0 => "Today".into(),
        1 => "Yesterday".into(),
        2..=6 => day.strftime("%A").to_string(),
        _ => day.strftime("%-d %b %Y").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-04T22:30:00Z, a Wednesday.
    const NOW: UnixMillis = UnixMillis(1_772_663_400_000);
    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_day_is_the_viewers_own() {
        let (utc, madrid, auckland) = (
            Zone::named("UTC"),
            Zone::named("Europe/Madrid"),
            Zone::named("Pacific/Auckland"),
        );
        let ago = |hours: i64| UnixMillis(NOW.0 - hours * HOUR);
        assert_eq!(
            (utc.time(NOW), madrid.time(NOW)),
            ("22:30".into(), "23:30".into())
        );
        assert_eq!(utc.day_label(ago(22), NOW), "Today");
        assert_eq!(utc.day_label(ago(23), NOW), "Yesterday");
        assert_eq!(auckland.day_label(ago(12), NOW), "Yesterday");
        assert_eq!(utc.day_label(ago(48), NOW), "Monday");
        assert_eq!(utc.day_label(ago(24 * 7), NOW), "25 Feb 2026");
        assert_eq!(utc.lobby_label(ago(1), NOW), "21:30");
        assert_eq!(utc.lobby_label(ago(24), NOW), "Yesterday");
    }

    #[test]
    fn the_past_and_the_future_have_coarse_names() {
        let utc = Zone::named("UTC");
        let ago = |hours: i64| UnixMillis(NOW.0 - hours * HOUR);
        assert_eq!(utc.seen_label(ago(1), NOW), "last seen today at 21:30");
        assert_eq!(utc.seen_label(ago(24), NOW), "last seen yesterday at 22:30");
        assert_eq!(utc.seen_label(ago(48), NOW), "last seen on Monday");
        assert_eq!(utc.moment_label(ago(24), NOW), "Yesterday, 22:30");
        assert_eq!(utc.until_label(ago(-1), NOW), "until 23:30");
        assert_eq!(utc.until_label(ago(-8), NOW), "until tomorrow, 06:30");
        assert_eq!(utc.until_label(ago(-48), NOW), "until Friday, 22:30");
        assert_eq!(utc.until_label(ago(-24 * 7), NOW), "until 11 Mar 2026");
    }

    #[test]
    fn what_is_no_zone_is_utc_and_is_not_remembered() {
        let before = KNOWN.lock().expect("no test panics with it").len();
        for name in [
            "",
            "Mars/Base",
            "../../etc/passwd",
            "<svg onload=1>",
            "europe/madrid",
        ] {
            assert_eq!(Zone::named(name).name(), "UTC");
        }
        let after = KNOWN.lock().expect("no test panics with it").len();
        assert!(after <= before + 4, "only real zones are kept");
    }

    #[test]
    fn zones_share_a_key_only_with_themselves() {
        assert_eq!(
            Zone::named("Europe/Madrid").key(),
            Zone::named("Europe/Madrid").key()
        );
        assert_ne!(
            Zone::named("Europe/Madrid").key(),
            Zone::named("Asia/Tokyo").key()
        );
    }
}
