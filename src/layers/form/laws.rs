//! The law of the form: what it lets through decodes, to what it said; and it lets through
//! whatever an honest encoder writes. Held against two decoders, a generated and a dynamic one.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value as Decoded};

use super::sample::{CALL, bytes, number, pool, varint};
use super::*;
use crate::decision::Value;

const ASK: &str = "
    message Ask {
        int32 a = 1; int64 b = 2; uint32 c = 3; uint64 d = 4; sint32 e = 5; sint64 f = 6; bool g = 7;
        fixed32 h = 8; fixed64 i = 9; sfixed32 j = 10; sfixed64 k = 11; float l = 12; double m = 13;
        string n = 14; bytes o = 15; Ask p = 16; repeated Ask q = 17; repeated int32 r = 18;
        repeated string s = 19; repeated fixed64 t = 20; map<string, Ask> u = 21; optional string v = 22;
        oneof w { string x = 23; Ask y = 24; uint64 z = 25; }
        google.protobuf.Struct extra = 26; google.protobuf.FieldMask mask = 300;
        map<int32, string> labels = 301; google.protobuf.Timestamp at = 302; repeated double far = 303;
    }";

/// What the generated code would be.
#[derive(Clone, PartialEq, prost::Message)]
struct Ask {
    #[prost(int32, tag = "1")]
    a: i32,
    #[prost(int64, tag = "2")]
    b: i64,
    #[prost(uint32, tag = "3")]
    c: u32,
    #[prost(uint64, tag = "4")]
    d: u64,
    #[prost(sint32, tag = "5")]
    e: i32,
    #[prost(sint64, tag = "6")]
    f: i64,
    #[prost(bool, tag = "7")]
    g: bool,
    #[prost(fixed32, tag = "8")]
    h: u32,
    #[prost(fixed64, tag = "9")]
    i: u64,
    #[prost(sfixed32, tag = "10")]
    j: i32,
    #[prost(sfixed64, tag = "11")]
    k: i64,
    #[prost(float, tag = "12")]
    l: f32,
    #[prost(double, tag = "13")]
    m: f64,
    #[prost(string, tag = "14")]
    n: String,
    #[prost(bytes = "vec", tag = "15")]
    o: Vec<u8>,
    #[prost(message, optional, boxed, tag = "16")]
    p: Option<Box<Ask>>,
    #[prost(message, repeated, tag = "17")]
    q: Vec<Ask>,
    #[prost(int32, repeated, tag = "18")]
    r: Vec<i32>,
    #[prost(string, repeated, tag = "19")]
    s: Vec<String>,
    #[prost(fixed64, repeated, tag = "20")]
    t: Vec<u64>,
    #[prost(map = "string, message", tag = "21")]
    u: HashMap<String, Ask>,
    #[prost(string, optional, tag = "22")]
    v: Option<String>,
    #[prost(oneof = "Which", tags = "23, 24, 25")]
    w: Option<Which>,
    #[prost(message, optional, tag = "26")]
    extra: Option<prost_types::Struct>,
    #[prost(message, optional, tag = "300")]
    mask: Option<prost_types::FieldMask>,
    #[prost(map = "int32, string", tag = "301")]
    labels: HashMap<i32, String>,
    #[prost(message, optional, tag = "302")]
    at: Option<prost_types::Timestamp>,
    #[prost(double, repeated, tag = "303")]
    far: Vec<f64>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Which {
    #[prost(string, tag = "23")]
    X(String),
    #[prost(message, tag = "24")]
    Y(Box<Ask>),
    #[prost(uint64, tag = "25")]
    Z(u64),
}

type Facts = BTreeMap<String, Vec<Value>>;

/// The facts of a decoded message, by walking what the dynamic decoder made of it.
fn facts(message: &DynamicMessage, prefix: &str, depth: usize, facts: &mut Facts) {
    for (field, value) in message.fields() {
        let path = format!("{prefix}{}", field.name());
        let values = match value {
            Decoded::List(values) => values.as_slice(),
            Decoded::Map(_) => {
                facts.entry(path).or_default().push(Value::Set);
                continue;
            }
            one => std::slice::from_ref(one),
        };
        for value in values {
            let known = facts.entry(path.clone()).or_default();
            match value {
                // Presence of a real: ±0 without presence is not sent by the one, but by the other.
                Decoded::F32(real)
                    if !field.supports_presence() && !field.is_list() && *real == 0.0 => {}
                Decoded::F64(real)
                    if !field.supports_presence() && !field.is_list() && *real == 0.0 => {}
                value => known.push(fact(value)),
            }
            if let Decoded::Message(below) = value
                && depth > 1
            {
                self::facts(below, &format!("{path}."), depth - 1, facts);
            }
        }
    }
    facts.retain(|_, values| !values.is_empty());
}

fn fact(value: &Decoded) -> Value {
    match value {
        Decoded::Bool(v) => Value::Number((*v).into()),
        Decoded::I32(v) | Decoded::EnumNumber(v) => Value::Number((*v).into()),
        Decoded::I64(v) => Value::Number(*v),
        Decoded::U32(v) => Value::Number((*v).into()),
        Decoded::U64(v) => Value::Number(i64::try_from(*v).unwrap_or(i64::MAX)),
        Decoded::String(text) => Value::Text(text.clone()),
        _ => Value::Set,
    }
}

struct World {
    forms: Forms,
    ask: prost_reflect::MessageDescriptor,
}

fn world() -> World {
    let pool = pool(ASK);
    let ask = pool.get_message_by_name("test.v1.Ask").unwrap();
    World { forms: Forms::compile(&pool).unwrap(), ask }
}

impl World {
    /// Holds the law for `message`, and says whether it was let through.
    fn holds(&self, message: &[u8]) -> bool {
        let form = self.forms.inspect(CALL, message, true).unwrap();
        let plain = self.forms.inspect(CALL, message, false).unwrap();
        assert_eq!(form.faults, plain.faults);
        if !form.faults.is_empty() {
            return false;
        }
        let dynamic = DynamicMessage::decode(self.ask.clone(), message).unwrap();
        let mut told = Facts::new();
        for (path, value) in form.fields.iter() {
            told.entry(path.to_owned()).or_default().push(value.clone());
        }
        let mut decoded = Facts::new();
        facts(&dynamic, "", 3, &mut decoded);
        assert_eq!(told, decoded);
        // The generated decoder sees no more and no less: its encoding says the same.
        let generated = Ask::decode(message).unwrap().encode_to_vec();
        let again = DynamicMessage::decode(self.ask.clone(), generated.as_slice()).unwrap();
        let mut seen = Facts::new();
        facts(&again, "", 3, &mut seen);
        assert_eq!(told, seen);
        true
    }
}

/// The fields of a message, mostly of the right kinds, in any order and number.
fn records(depth: u32) -> BoxedStrategy<Vec<u8>> {
    let text = prop_oneof![Just(String::new()), ".{0,6}"];
    let inner = if depth == 0 { Just(Vec::new()).boxed() } else { records(depth - 1) };
    let entry = (text.clone(), inner.clone())
        .prop_map(|(key, value)| [bytes(1, key), bytes(2, value)].concat());
    let leaf = (text.clone(), any::<i32>(), any::<f64>()).prop_map(|(key, n, real)| {
        let value = match n % 3 {
            0 => bytes(3, &key),
            1 => number(4, 1),
            _ => [vec![17], real.to_le_bytes().to_vec()].concat(),
        };
        bytes(1, [bytes(1, &key), bytes(2, value)].concat())
    });
    let numbers = prop_oneof![any::<u64>(), 0..3u64];
    let record = prop_oneof![
        6 => (1..8u32, numbers.clone()).prop_map(|(field, n)| number(field, n)),
        2 => (prop_oneof![Just(8u32), Just(10), Just(12)], any::<[u8; 4]>())
            .prop_map(|(field, n)| [varint(u64::from(field) << 3 | 5), n.to_vec()].concat()),
        2 => (prop_oneof![Just(9u32), Just(11), Just(13), Just(20), Just(303)], any::<[u8; 8]>())
            .prop_map(|(field, n)| [varint(u64::from(field) << 3 | 1), n.to_vec()].concat()),
        4 => (prop_oneof![Just(14u32), Just(15), Just(19), Just(22), Just(23)], text)
            .prop_map(|(field, text)| bytes(field, text)),
        3 => (prop_oneof![Just(16u32), Just(17), Just(24)], inner).prop_map(|(field, m)| bytes(field, m)),
        1 => numbers.clone().prop_map(|n| number(18, n)),
        1 => numbers.clone().prop_map(|n| number(25, n)),
        1 => prop::collection::vec(numbers.clone(), 0..4)
            .prop_map(|all| bytes(18, all.into_iter().flat_map(varint).collect::<Vec<_>>())),
        1 => prop::collection::vec(any::<[u8; 8]>(), 0..3).prop_map(|all| bytes(20, all.concat())),
        1 => entry.prop_map(|entry| bytes(21, entry)),
        1 => leaf.prop_map(|leaf| bytes(26, leaf)),
        1 => prop::collection::vec("[a-z.]{0,5}", 0..3)
            .prop_map(|paths| bytes(300, paths.iter().flat_map(|p| bytes(1, p)).collect::<Vec<_>>())),
        1 => (numbers.clone(), "[a-z]{0,3}")
            .prop_map(|(key, text)| bytes(301, [number(1, key), bytes(2, text)].concat())),
        1 => (numbers.clone(), numbers.clone())
            .prop_map(|(s, n)| bytes(302, [number(1, s), number(2, n)].concat())),
        1 => (27..40u32, numbers).prop_map(|(field, n)| number(field, n)),
    ];
    prop::collection::vec(record, 0..5).prop_map(|all| all.concat()).boxed()
}

/// A change of some bytes, of which most leave something to read.
#[derive(Debug, Clone)]
enum Change {
    Put(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Twice(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (at(), prop::collection::vec(any::<u8>(), 1..4)).prop_map(|(at, b)| Change::Insert(at, b)),
        (at(), 1..4usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (at(), at()).prop_map(|(from, to)| Change::Twice(from, to)),
    ]
}

impl Change {
    fn apply(self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        match self {
            Self::Put(at, byte) if len > 0 => bytes[at.index(len)] = byte,
            Self::Put(_, byte) => bytes.push(byte),
            Self::Insert(at, more) => {
                let at = at.index(len + 1);
                bytes.splice(at..at, more);
            }
            Self::Remove(at, count) => {
                let at = at.index(len + 1);
                bytes.drain(at..(at + count).min(len));
            }
            Self::Twice(from, to) => {
                let (from, to) = (from.index(len + 1), to.index(len + 1));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.extend(part);
            }
        }
    }
}

/// Cases in which more than a few were let through, so that the law says something.
fn many(holds: impl Fn(&[u8]) -> bool, messages: impl Strategy<Value = Vec<u8>>, least: u32) {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let passed = std::cell::Cell::new(0u32);
    let run = runner.run(&messages, |message| {
        passed.set(passed.get() + u32::from(holds(&message)));
        Ok(())
    });
    run.unwrap();
    assert!(passed.get() >= least, "only {} were let through", passed.get());
}

#[test]
fn random_bytes_that_pass_decode_to_what_was_said() {
    let world = world();
    many(|m| world.holds(m), prop::collection::vec(any::<u8>(), 0..12), 5);
}

#[test]
fn records_in_any_order_that_pass_decode_to_what_was_said() {
    let world = world();
    many(|m| world.holds(m), records(3), 50);
}

#[test]
fn changed_messages_that_pass_decode_to_what_was_said() {
    let world = world();
    let changed =
        (records(3), prop::collection::vec(change(), 1..4)).prop_map(|(mut m, changes)| {
            for change in changes {
                change.apply(&mut m);
            }
            m
        });
    many(|m| world.holds(m), changed, 25);
}

#[test]
fn whatever_an_honest_encoder_writes_passes() {
    let world = world();
    let honest =
        records(3).prop_filter_map("decodes", |m| Some(Ask::decode(&*m).ok()?.encode_to_vec()));
    many(|m| world.holds(m), honest, 256);
}

#[test]
fn the_deepest_that_passes_is_not_too_deep_for_the_decoder() {
    let world = world();
    for (field, wrap) in [(16, false), (17, false), (24, false), (21, true)] {
        let mut message = Vec::new();
        let mut passed = 0;
        while world.holds(&message) && passed < 100 {
            passed += 1;
            message = bytes(field, if wrap { bytes(2, message) } else { message });
        }
        assert!((16..=32).contains(&passed), "{passed} levels of field {field}");
    }
}
