//! Single values: of which kind a field is, and what its bytes mean.

use prost_reflect::Kind as Described;

use super::wire::{Broken, Payload, Wire};
use crate::decision::Value;

const WRONG_TYPE: Broken = "has the wrong type";
const NOT_TEXT: Broken = "is not valid UTF-8";

/// What a field holds one of, or a list of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Bool,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    Text,
    Bytes,
    /// A message, by its place in the list of tables.
    Message(usize),
}

impl Kind {
    /// The kind of a described field; `None` for a message, which the caller must find a table for.
    pub(super) const fn scalar(described: &Described) -> Option<Self> {
        Some(match described {
            // An enum is an int32 on the wire, and open: unknown numbers are kept.
            Described::Int32 | Described::Enum(_) => Self::Int32,
            Described::Int64 => Self::Int64,
            Described::Uint32 => Self::Uint32,
            Described::Uint64 => Self::Uint64,
            Described::Sint32 => Self::Sint32,
            Described::Sint64 => Self::Sint64,
            Described::Bool => Self::Bool,
            Described::Fixed32 => Self::Fixed32,
            Described::Fixed64 => Self::Fixed64,
            Described::Sfixed32 => Self::Sfixed32,
            Described::Sfixed64 => Self::Sfixed64,
            Described::Float => Self::Float,
            Described::Double => Self::Double,
            Described::String => Self::Text,
            Described::Bytes => Self::Bytes,
            Described::Message(_) => return None,
        })
    }

    /// Whether a list of these may come packed.
    pub(super) const fn packs(self) -> bool {
        !matches!(self, Self::Text | Self::Bytes | Self::Message(_))
    }

    /// The next element of a packed list, as it would stand on the wire alone.
    pub(super) fn unpack<'m>(self, packed: &mut Wire<'m>) -> Result<Payload<'m>, Broken> {
        Ok(match self {
            Self::Fixed32 | Self::Sfixed32 | Self::Float => Payload::Fixed32(packed.fixed()?),
            Self::Fixed64 | Self::Sfixed64 | Self::Double => Payload::Fixed64(packed.fixed()?),
            _ => Payload::Varint(packed.varint()?),
        })
    }

    /// What a field of this kind without presence holds when it is not sent.
    pub(super) const fn zero(self) -> Scalar<'static> {
        match self {
            Self::Text => Scalar::Text(""),
            Self::Bytes | Self::Message(_) => Scalar::Bytes(&[]),
            Self::Float | Self::Double => Scalar::Real(0.0),
            _ => Scalar::Number(0),
        }
    }
}

/// One decoded value, borrowed from the message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'m> {
    Text(&'m str),
    Bytes(&'m [u8]),
    /// Wide enough for both `int64` and `uint64`.
    Number(i128),
    Real(f64),
}

impl<'m> Scalar<'m> {
    /// Decodes just as the generated code does: too wide a varint loses its upper bits.
    pub(super) fn read(kind: Kind, payload: Payload<'m>) -> Result<Self, Broken> {
        Ok(match (kind, payload) {
            (Kind::Int32, Payload::Varint(v)) => Self::Number(low(v).cast_signed().into()),
            (Kind::Int64, Payload::Varint(v)) => Self::Number(v.cast_signed().into()),
            (Kind::Uint32, Payload::Varint(v)) => Self::Number(low(v).into()),
            (Kind::Uint64, Payload::Varint(v)) => Self::Number(v.into()),
            (Kind::Sint32, Payload::Varint(v)) => {
                Self::Number(((low(v) >> 1).cast_signed() ^ -(low(v) & 1).cast_signed()).into())
            }
            (Kind::Sint64, Payload::Varint(v)) => {
                Self::Number(((v >> 1).cast_signed() ^ -(v & 1).cast_signed()).into())
            }
            (Kind::Bool, Payload::Varint(v)) => Self::Number((v != 0).into()),
            (Kind::Fixed32, Payload::Fixed32(b)) => Self::Number(u32::from_le_bytes(b).into()),
            (Kind::Sfixed32, Payload::Fixed32(b)) => Self::Number(i32::from_le_bytes(b).into()),
            (Kind::Float, Payload::Fixed32(b)) => Self::Real(f32::from_le_bytes(b).into()),
            (Kind::Fixed64, Payload::Fixed64(b)) => Self::Number(u64::from_le_bytes(b).into()),
            (Kind::Sfixed64, Payload::Fixed64(b)) => Self::Number(i64::from_le_bytes(b).into()),
            (Kind::Double, Payload::Fixed64(b)) => Self::Real(f64::from_le_bytes(b)),
            (Kind::Text, Payload::Bytes(b)) => {
                Self::Text(std::str::from_utf8(b).map_err(|_| NOT_TEXT)?)
            }
            (Kind::Bytes | Kind::Message(_), Payload::Bytes(b)) => Self::Bytes(b),
            _ => return Err(WRONG_TYPE),
        })
    }

    pub(super) fn is_zero(self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Number(number) => number == 0,
            Self::Real(real) => real == 0.0,
        }
    }

    /// The fact that the judge of a rule sees.
    pub(super) fn fact(self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::Number(number) => Value::Number(i64::try_from(number).unwrap_or(i64::MAX)),
            Self::Bytes(_) | Self::Real(_) => Value::Set,
        }
    }
}

/// The lower half of a varint.
fn low(varint: u64) -> u32 {
    let [a, b, c, d, ..] = varint.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
