//! Reads of a certificate what we ask of it: whom it names, and until when (RFC 5280, X509-SVID §2).
//!
//! Whoever showed it was verified before, by the library that did the handshake; that tells neither of the two.

use chrono::{DateTime, NaiveDate, Utc};

use crate::model::SpiffeId;

/// The extension that holds alternative names: 2.5.29.17.
const NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const TIME: u8 = 0x18;
/// `[0]`, before the version; `[3]`, before the extensions; and `[6]` of a name: a URI.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const URI: u8 = 0x86;

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The workload that it names: its one URI, if that is a SPIFFE id. With another URI beside it, it names nobody.
    pub spiffe_id: Option<SpiffeId>,
    /// From when it is good.
    pub not_before: DateTime<Utc>,
    /// And until when.
    pub not_after: DateTime<Utc>,
}

impl Certificate {
    /// Reads a certificate in DER; `None` for what is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut whole = Der(der);
        let mut outer = whole.expect(SEQUENCE)?;
        if !whole.0.is_empty() {
            return None;
        }
        let mut inner = outer.expect(SEQUENCE)?;
        inner.skip(VERSION);
        // Serial number, algorithm, issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            inner.expect(tag)?;
        }
        let mut validity = inner.expect(SEQUENCE)?;
        let not_before = time(validity.next()?)?;
        let not_after = time(validity.next()?)?;
        // Subject and key; and two more ids, which nobody uses.
        for tag in [SEQUENCE, SEQUENCE] {
            inner.expect(tag)?;
        }
        let mut spiffe_id = None;
        while let Some((tag, mut value)) = inner.next() {
            if tag == EXTENSIONS {
                spiffe_id = workload(value.expect(SEQUENCE)?)?;
            }
        }
        inner.0.is_empty().then_some(Self { spiffe_id, not_before, not_after })
    }
}

/// Finds the one URI among the alternative names; `None` where the extensions cannot be read.
#[expect(clippy::option_option, reason = "what cannot be read is not what names nobody")]
fn workload(mut extensions: Der<'_>) -> Option<Option<SpiffeId>> {
    let mut uris = Vec::new();
    while !extensions.0.is_empty() {
        let mut extension = extensions.expect(SEQUENCE)?;
        let id = extension.expect(OID)?;
        extension.skip(BOOLEAN);
        let mut value = extension.expect(OCTETS)?;
        if id.0 != NAMES {
            continue;
        }
        let mut names = value.expect(SEQUENCE)?;
        while !names.0.is_empty() {
            let (tag, name) = names.next()?;
            uris.extend((tag == URI).then_some(name.0));
        }
    }
    let [uri] = uris.as_slice() else { return Some(None) };
    Some(std::str::from_utf8(uri).ok().and_then(|uri| uri.parse().ok()))
}

/// Values in DER, one behind the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Takes the next value, with its tag; `None` at the end, and where there is none.
    fn next(&mut self) -> Option<(u8, Der<'a>)> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        // Up to 127 it is the length; from there on it says how many bytes are.
        let more = usize::from(first.checked_sub(0x80).unwrap_or_default());
        if more > 4 || *first == 0x80 {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(more)?;
        let length = match first {
            0..=0x7f => usize::from(*first),
            _ => bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)),
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, Der(value)))
    }

    fn expect(&mut self, tag: u8) -> Option<Der<'a>> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// Passes over a value that may be left out.
    fn skip(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }
}

/// Reads `YYMMDDHHMMSSZ`, whose years are from 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn time((tag, value): (u8, Der<'_>)) -> Option<DateTime<Utc>> {
    let digits = value.0.strip_suffix(b"Z")?;
    let wanted = match tag {
        UTC_TIME => 12,
        TIME => 14,
        _ => return None,
    };
    if digits.len() != wanted || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (year, rest) = digits.split_at_checked(digits.len().checked_sub(10)?)?;
    let number = |digits: &[u8]| {
        digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit.saturating_sub(b'0')))
    };
    let year = match (tag, number(year)) {
        (UTC_TIME, year @ ..50) => 2_000 + year,
        (UTC_TIME, year) => 1_900 + year,
        (_, year) => year,
    };
    let mut parts = rest.chunks(2).map(number);
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, parts.next()?, parts.next()?)?;
    Some(day.and_hms_opt(parts.next()?, parts.next()?, parts.next()?)?.and_utc())
}

#[cfg(test)]
mod tests {
    use chrono::Datelike as _;

    use super::*;

    fn read(name: &str) -> Option<Certificate> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/certificates");
        Certificate::read(&std::fs::read(format!("{folder}/{name}")).unwrap())
    }

    #[test]
    fn a_certificate_names_a_workload_by_its_one_uri() {
        let named = |name: &str| read(name).unwrap().spiffe_id.map(|id| id.to_string());
        assert_eq!(named("workload").unwrap(), "spiffe://prod.example/ns/shop/sa/web");
        assert_eq!(named("uri_and_names").unwrap(), "spiffe://a/b", "other names do not count");
        for nobody in ["no_names", "other_uri", "two_uris"] {
            assert_eq!(named(nobody), None, "{nobody}");
        }
        for none in ["cut", "endless", "too_long", "text"] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn its_times_are_written_in_two_ways() {
        let days = |name: &str| {
            let Certificate { not_before, not_after, .. } = read(name).unwrap();
            (not_before.year(), (not_after - not_before).num_days())
        };
        assert_eq!(days("workload"), (2026, 3_650));
        assert_eq!(days("beyond_2050"), (2026, 20_000));
        let written = |tag, text: &'static str| time((tag, Der(text.as_bytes())));
        let at = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
        assert_eq!(written(UTC_TIME, "491231235959Z"), at("2049-12-31T23:59:59Z"));
        assert_eq!(written(UTC_TIME, "500101000000Z"), at("1950-01-01T00:00:00Z"));
        assert_eq!(written(TIME, "20500101000000Z"), at("2050-01-01T00:00:00Z"));
        for bad in
            ["", "Z", "20500101000000", "2050010100000Z", "20501301000000Z", "2050010100000xZ"]
        {
            assert_eq!(written(TIME, bad), None, "{bad}");
        }
        assert_eq!(written(INTEGER, "20500101000000Z"), None);
    }
}
