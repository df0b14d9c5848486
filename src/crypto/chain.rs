//! The ledger's hash chain: what makes a change to old entries show (`model.md` §8).
//!
//! An entry's hash is SHA-256 of the hash before it, followed by the bytes of its body. The bytes are
//! stored as hashed, so that verification never writes them anew (`edges.md` §4).

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Beyond this, up or down, a whole number is not the only one that reads back as the same double.
const MAX_EXACT: u64 = 1 << 53;

/// The value has no canonical form that keeps what it says.
#[derive(Debug, thiserror::Error)]
pub enum NoCanonicalForm {
    /// RFC 8785 writes numbers as doubles; this one would come out as another. Such numbers go in as strings.
    #[error("`{0}` is beyond 2^53 and would be written as another number: give it as a string")]
    Inexact(serde_json::Number),
    /// The serializer's own reason.
    #[error("the value cannot be written as canonical JSON")]
    Json(#[source] serde_json::Error),
}

/// Writes `value` as RFC 8785 says: keys sorted by UTF-16 units, no spaces, numbers as ECMAScript prints them.
pub fn canonical(value: &Value) -> Result<Vec<u8>, NoCanonicalForm> {
    if let Some(number) = inexact(value) {
        return Err(NoCanonicalForm::Inexact(number.clone()));
    }
    serde_json_canonicalizer::to_vec(value).map_err(NoCanonicalForm::Json)
}

fn inexact(value: &Value) -> Option<&serde_json::Number> {
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            size.is_some_and(|size| size > MAX_EXACT).then_some(number)
        }
        Value::Array(items) => items.iter().find_map(inexact),
        Value::Object(fields) => fields.values().find_map(inexact),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// Returns what stands before a tenant's first entry: SHA-256 of the text of its id.
pub fn first(tenant: &str) -> [u8; 32] {
    Sha256::digest(tenant).into()
}

/// Returns the SHA-256 of some bytes.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Returns the hash of the entry with this `body` that follows the entry with the hash `prev`.
pub fn link(prev: &[u8; 32], body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(prev).chain_update(body).finalize().into()
}

/// Writes bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads 32 bytes from lower-case hexadecimal digits, and from nothing else.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |letter: u8| match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    let mut digits = text.bytes();
    for byte in &mut bytes {
        *byte = (digit(digits.next()?)? << 4) | digit(digits.next()?)?;
    }
    digits.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(json: &str) -> String {
        let value = serde_json::from_str(json).unwrap();
        String::from_utf8(canonical(&value).unwrap()).unwrap()
    }

    #[test]
    fn rfc_8785_sample_object_comes_out_as_printed_there() {
        let sample = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        assert_eq!(
            text(sample),
            concat!(
                r#"{"literals":[null,true,false],"#,
                r#""numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
                r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
            )
        );
    }

    #[test]
    fn keys_are_sorted_by_utf_16_units_as_rfc_8785_shows() {
        let sample =
            r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        assert_eq!(
            text(sample),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn numbers_are_written_as_appendix_b_of_rfc_8785_lists_them() {
        for (bits, wanted) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        ] {
            let written = canonical(&json!(f64::from_bits(bits))).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), wanted);
        }
    }

    #[test]
    fn a_whole_number_that_would_change_is_refused_and_not_changed() {
        assert_eq!(
            canonical(&json!({"at": [1_u64 << 53]})).unwrap(),
            br#"{"at":[9007199254740992]}"#
        );
        assert!(canonical(&json!({"at": [(1_u64 << 53) + 1]})).is_err());
        assert!(canonical(&json!(u64::MAX)).is_err());
        assert!(canonical(&json!(i64::MIN)).is_err());
    }

    #[test]
    fn the_chain_starts_and_goes_on_as_sha_256_says() {
        let start = first("abc");
        let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&start), wanted);
        let mut both = start.to_vec();
        both.extend_from_slice(b"{}");
        assert_eq!(link(&start, b"{}"), <[u8; 32]>::from(Sha256::digest(&both)));
        assert_eq!(hex(&[0, 15, 255]), "000fff");
        assert_eq!(unhex(&hex(&start)), Some(start));
        for bad in
            [&wanted[1..], &wanted.to_uppercase(), &format!("{wanted}0"), &wanted.replace('b', "g")]
        {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_canonical_form_says_the_same_and_is_its_own_canonical_form(value in values()) {
            let once = canonical(&value).unwrap();
            let back: Value = serde_json::from_slice(&once).unwrap();
            // A double that is a whole number beyond 2^53 reads back as an integer too large to be
            // sure of, or as a double: only the exact ones go round.
            if let Ok(twice) = canonical(&back) {
                prop_assert_eq!(once, twice);
            }
        }

        #[test]
        fn another_body_or_another_past_is_another_hash(
            prev: [u8; 32], body: Vec<u8>, at: prop::sample::Index, bit in 0_u32..8,
        ) {
            let hash = link(&prev, &body);
            let mut past = prev;
            past[at.index(32)] ^= 1 << bit;
            prop_assert_ne!(hash, link(&past, &body));
            let mut longer = body.clone();
            longer.push(0);
            prop_assert_ne!(hash, link(&prev, &longer));
            if !body.is_empty() {
                let mut other = body.clone();
                other[at.index(body.len())] ^= 1 << bit;
                prop_assert_ne!(hash, link(&prev, &other));
            }
        }
    }
}
