//! The tables that messages are read by, compiled once from their descriptors.

use std::collections::HashMap;
use std::sync::Arc;

use prost_reflect::{FieldDescriptor, Kind as Described, MessageDescriptor};

use super::FormError;
use super::rules::{Rules, refuse_others};
use super::scalar::Kind;

/// How many fields a message may have: one bit each of what has been seen.
const FIELDS: usize = 128;
/// How many of them may be repeated: one counter each.
pub(super) const LISTS: usize = 16;
/// The field numbers that are looked up directly; a message rarely has others.
const DENSE: usize = 256;
/// How many names deep the facts of a request go.
const NAMES_DEEP: usize = 3;

/// One message type.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By field number: the field's place plus one, 0 for none.
    dense: Vec<u8>,
    /// Number and place of the fields beyond, in order of number.
    sparse: Vec<(u32, u8)>,
    pub(super) fields: Vec<Field>,
    /// The fields at which it is a fault to be absent.
    pub(super) demanded: u128,
    /// The places of the lists that are judged as a whole.
    pub(super) judged_lists: Vec<usize>,
    /// In an entry of a map, the message that is its value, which is there even if not sent.
    pub(super) implied: u128,
}

/// One field of a message type.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) number: u32,
    pub(super) kind: Kind,
    /// The counter of a repeated field; a map is a list of its entries.
    pub(super) list: Option<usize>,
    pub(super) map: bool,
    /// Whether "not sent" and "sent as zero" differ.
    pub(super) presence: bool,
    /// Its own bit among the fields.
    pub(super) bit: u128,
    /// The bits that may not have been seen before it: its own and its oneof's. None for a list.
    pub(super) rivals: u128,
    pub(super) rules: Rules,
    /// What is wrong when it is absent.
    pub(super) absent: Option<Box<str>>,
}

/// The paths of a message's fields, aligned with [`Table::fields`].
#[derive(Debug)]
pub(super) struct Names {
    pub(super) path: Arc<str>,
    pub(super) below: Vec<Names>,
}

impl Table {
    /// The field of `number`, with its place.
    pub(super) fn field(&self, number: u32) -> Option<(usize, &Field)> {
        let place = match self.dense.get(usize::try_from(number).ok()?) {
            Some(0) => return None,
            Some(place) => usize::from(*place) - 1,
            None => {
                let found =
                    self.sparse.binary_search_by_key(&number, |(number, _)| *number).ok()?;
                usize::from(self.sparse.get(found)?.1)
            }
        };
        Some((place, self.fields.get(place)?))
    }

    /// The fields whose bits are set.
    pub(super) fn of_bits(&self, mut bits: u128) -> impl Iterator<Item = &Field> {
        std::iter::from_fn(move || {
            let place = usize::try_from(bits.trailing_zeros()).ok()?;
            bits &= bits.wrapping_sub(1);
            self.fields.get(place)
        })
    }

    fn number(&mut self, place: usize, number: u32) -> Option<()> {
        match usize::try_from(number).ok()? {
            at if at < DENSE => {
                if self.dense.len() <= at {
                    self.dense.resize(at + 1, 0);
                }
                *self.dense.get_mut(at)? = u8::try_from(place + 1).ok()?;
            }
            _ => self.sparse.push((number, u8::try_from(place).ok()?)),
        }
        Some(())
    }
}

/// Collects the tables of all message types that are met, each once.
#[derive(Debug, Default)]
pub(super) struct Tables {
    places: HashMap<String, usize>,
    met: Vec<MessageDescriptor>,
    done: Vec<Table>,
}

impl Tables {
    /// The place that the table of `message` has, or will have after [`Tables::compile`].
    pub(super) fn place(&mut self, message: &MessageDescriptor) -> usize {
        if let Some(place) = self.places.get(message.full_name()) {
            return *place;
        }
        let place = self.met.len();
        self.places.insert(message.full_name().to_owned(), place);
        self.met.push(message.clone());
        place
    }

    /// Compiles whatever was met, and what is met on the way.
    pub(super) fn compile(mut self) -> Result<Vec<Table>, FormError> {
        while let Some(message) = self.met.get(self.done.len()).cloned() {
            let table = self.table(&message)?;
            self.done.push(table);
        }
        Ok(self.done)
    }

    fn table(&mut self, message: &MessageDescriptor) -> Result<Table, FormError> {
        refuse_others(message)?;
        let too_many = |what| FormError::TooMany { at: message.full_name().to_owned(), what };
        let described: Vec<FieldDescriptor> = message.fields().collect();
        if described.len() > FIELDS {
            return Err(too_many("fields"));
        }
        let mut table = Table::default();
        let mut lists = 0;
        for (place, (field, bit)) in described.iter().zip(bits()).enumerate() {
            let list = (field.is_list() || field.is_map()).then_some(lists);
            lists += usize::from(list.is_some());
            let compiled = self.field(field, bit, list, rivals(field, bit, &described))?;
            if compiled.rules.list.any() {
                table.judged_lists.push(place);
            }
            if message.is_map_entry() && matches!(compiled.kind, Kind::Message(_)) {
                table.implied |= bit;
            }
            if compiled.absent.is_some() {
                table.demanded |= bit;
            }
            table.number(place, field.number()).ok_or_else(|| too_many("fields"))?;
            table.fields.push(compiled);
        }
        if lists > LISTS {
            return Err(too_many("repeated fields"));
        }
        table.sparse.sort_unstable();
        Ok(table)
    }

    fn field(
        &mut self,
        field: &FieldDescriptor,
        bit: u128,
        list: Option<usize>,
        rivals: u128,
    ) -> Result<Field, FormError> {
        if field.is_group() {
            return Err(FormError::Group { at: field.full_name().to_owned() });
        }
        let rules = Rules::of(field)?;
        let kind = match field.kind() {
            Described::Message(message) => Kind::Message(self.place(&message)),
            described => Kind::scalar(&described).unwrap_or(Kind::Bytes),
        };
        let presence = field.supports_presence();
        Ok(Field {
            name: field.name().into(),
            number: field.number(),
            kind,
            list,
            map: field.is_map(),
            presence,
            bit,
            rivals,
            absent: rules.when_absent(kind, presence, list.is_some()).map(Into::into),
            rules,
        })
    }
}

/// One bit for each field, lowest first.
fn bits() -> impl Iterator<Item = u128> {
    (0..u128::BITS).map(|at| 1 << at)
}

fn rivals(field: &FieldDescriptor, bit: u128, all: &[FieldDescriptor]) -> u128 {
    if field.is_list() || field.is_map() {
        return 0;
    }
    let Some(oneof) = field.containing_oneof() else { return bit };
    let same = |other: &FieldDescriptor| other.containing_oneof().as_ref() == Some(&oneof);
    all.iter().zip(bits()).filter(|(other, _)| same(other)).fold(0, |rivals, (_, bit)| rivals | bit)
}

/// The paths under `table`, [`NAMES_DEEP`] names deep.
pub(super) fn names(tables: &[Table], table: usize) -> Vec<Names> {
    names_below(tables, table, "", NAMES_DEEP)
}

fn names_below(tables: &[Table], table: usize, prefix: &str, depth: usize) -> Vec<Names> {
    let Some(table) = tables.get(table).filter(|_| depth > 0) else { return Vec::new() };
    let names = table.fields.iter().map(|field| {
        let path = format!("{prefix}{}", field.name);
        let below = match field.kind {
            Kind::Message(below) if !field.map => {
                names_below(tables, below, &format!("{path}."), depth - 1)
            }
            _ => Vec::new(),
        };
        Names { path: path.into(), below }
    });
    names.collect()
}
