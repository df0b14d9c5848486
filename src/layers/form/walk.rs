//! One pass over the bytes of a request.
//!
//! Nothing is allocated unless a fact is kept or a fault is found: what has been seen of a message
//! is a few words on the stack, and so are the names on the way down to it.

use std::collections::HashSet;

use super::scalar::{Kind, Scalar};
use super::schema::{Field, LISTS, Names, Table};
use super::wire::{Broken, Payload, Record, Wire};
use super::{Fault, Form};
use crate::decision::Value;

/// How many messages may lie in one another; each entry of a map counts as one.
/// The decoder allows 100 of its own steps, of which one of ours takes at most two.
const DEPTH: usize = 32;
/// After so many faults the rest is not of interest.
const FAULTS: usize = 32;
/// Up to so many items of a `unique` list are compared without a set.
const FEW: usize = 16;

/// Reads messages by the tables.
#[derive(Debug)]
pub(super) struct Walk<'t> {
    tables: &'t [Table],
    collect: bool,
    form: Form,
}

/// The reading ends here: the bytes make no sense, or there are enough faults.
#[derive(Debug)]
struct Stop;

type Walked = Result<(), Stop>;

/// Where a message stands that is being read.
#[derive(Clone, Copy)]
struct Spot<'w> {
    table: usize,
    /// The paths of its fields; empty where they are not kept.
    names: &'w [Names],
    depth: usize,
    judged: bool,
    above: Option<&'w Step<'w>>,
}

/// One step of the way down to a value, for the path of a fault.
#[derive(Clone, Copy)]
struct Step<'w> {
    above: Option<&'w Step<'w>>,
    name: &'w str,
    index: Option<u32>,
}

/// A field that is being read: its table entry, its path, and where it stands.
#[derive(Clone, Copy)]
struct Here<'w> {
    field: &'w Field,
    names: Option<&'w Names>,
    spot: Spot<'w>,
}

impl<'w> Here<'w> {
    fn step(&self, index: Option<u32>) -> Step<'w> {
        Step { above: self.spot.above, name: &self.field.name, index }
    }
}

impl<'t> Walk<'t> {
    /// Reads `message`, which the table at `root` describes.
    pub(super) fn run(
        tables: &'t [Table],
        root: usize,
        names: &[Names],
        message: &[u8],
        collect: bool,
    ) -> Form {
        let mut walk = Self { tables, collect, form: Form::default() };
        let names = if collect { names } else { &[] };
        // What stopped the walk is already among the faults.
        let _ =
            walk.message(Spot { table: root, names, depth: 1, judged: true, above: None }, message);
        walk.form
    }

    fn message(&mut self, spot: Spot<'_>, bytes: &[u8]) -> Walked {
        let tables = self.tables;
        let Some(table) = tables.get(spot.table).filter(|_| spot.depth <= DEPTH) else {
            self.fault(spot.above, "is nested too deeply")?;
            return Err(Stop);
        };
        let mut seen = 0u128;
        let mut echoed = 0u128;
        let mut counts = [0u32; LISTS];
        let mut wire = Wire::new(bytes);
        while let Some(record) = self.sound(spot.above, wire.record())? {
            let Some((place, field)) = table.field(record.number) else { continue };
            let here = Here { field, names: spot.names.get(place), spot };
            if seen & field.bit & !echoed != 0 && is_echo(field, record, bytes) {
                echoed |= field.bit;
                continue;
            }
            if seen & field.rivals != 0 {
                self.again(here, table, seen)?;
            }
            let given = if let Some(count) = field.list.and_then(|list| counts.get_mut(list)) {
                self.items(here, record.payload, count)?;
                // A packed list may come without items: then it was not given.
                *count > 0
            } else {
                self.single(here, record.payload)?;
                true
            };
            if given {
                seen |= field.bit;
            }
        }
        if !spot.judged {
            return Ok(());
        }
        for place in &table.judged_lists {
            if let Some(field) = table.fields.get(*place)
                && let Some(count) = field.list.and_then(|list| counts.get(list))
            {
                self.whole(Here { field, names: None, spot }, *count, bytes)?;
            }
        }
        for field in table.of_bits(table.demanded & !seen) {
            self.absent(Here { field, names: None, spot })?;
        }
        for field in table.of_bits(table.implied & !seen) {
            if let Kind::Message(table) = field.kind {
                self.below(Here { field, names: None, spot }, table, None, &[])?;
            }
        }
        Ok(())
    }

    /// The value of a field that is not repeated.
    fn single(&mut self, here: Here<'_>, payload: Payload<'_>) -> Walked {
        let field = here.field;
        if let (Kind::Message(table), Payload::Bytes(bytes)) = (field.kind, payload) {
            self.keep(here, || Value::Set);
            return self.below(here, table, None, bytes);
        }
        let Some(value) = self.scalar(here, None, payload)? else { return Ok(()) };
        if !field.presence && value.is_zero() {
            // Sent or not sent is the same to the decoder, so to us.
            return self.absent(here);
        }
        self.judge(here, None, value)?;
        self.keep(here, || value.fact());
        Ok(())
    }

    /// What one record brings to a list: one item, or several packed.
    fn items(&mut self, here: Here<'_>, payload: Payload<'_>, count: &mut u32) -> Walked {
        let kind = here.field.kind;
        let Payload::Bytes(bytes) = payload else { return self.item(here, payload, count) };
        if let Kind::Message(table) = kind {
            // The entries of a map are told by their keys and have no order, those of a list are kept apart.
            if !here.field.map || *count == 0 {
                self.keep(here, || Value::Set);
            }
            let index = *count;
            *count = count.saturating_add(1);
            return self.below(here, table, Some(index), bytes);
        }
        if !kind.packs() {
            return self.item(here, payload, count);
        }
        let mut packed = Wire::new(bytes);
        while !packed.is_empty() {
            let next = kind.unpack(&mut packed);
            let next = self.sound(Some(&here.step(Some(*count))), next)?;
            self.item(here, next, count)?;
        }
        Ok(())
    }

    fn item(&mut self, here: Here<'_>, payload: Payload<'_>, count: &mut u32) -> Walked {
        let index = *count;
        *count = count.saturating_add(1);
        let Some(value) = self.scalar(here, Some(index), payload)? else { return Ok(()) };
        self.judge(here, Some(index), value)?;
        // More items than allowed are a fault below; there is no need to keep them all.
        let most = here.field.rules.list.most.as_ref().map_or(u64::MAX, |(most, _)| *most);
        if u64::from(index) < most {
            self.keep(here, || value.fact());
        }
        Ok(())
    }

    /// A message in a field.
    fn below(&mut self, here: Here<'_>, table: usize, index: Option<u32>, bytes: &[u8]) -> Walked {
        let step = here.step(index);
        let spot = Spot {
            table,
            names: here.names.map_or(&[], |names| &names.below),
            depth: here.spot.depth + 1,
            judged: here.spot.judged && !here.field.rules.each.unjudged,
            above: Some(&step),
        };
        self.message(spot, bytes)
    }

    /// A list as a whole.
    fn whole(&mut self, here: Here<'_>, count: u32, message: &[u8]) -> Walked {
        let bounds = &here.field.rules.list;
        let step = here.step(None);
        if let Some((most, why)) = &bounds.most
            && u64::from(count) > *most
        {
            return self.fault(Some(&step), why);
        }
        // An empty list is either demanded, or its lower bound is not asked for.
        if let Some((least, why)) = &bounds.least
            && count > 0
            && u64::from(count) < *least
        {
            return self.fault(Some(&step), why);
        }
        if bounds.unique && count > 1 && repeats(here.field, message) {
            return self.fault(Some(&step), "must not hold the same item twice");
        }
        Ok(())
    }

    fn absent(&mut self, here: Here<'_>) -> Walked {
        match &here.field.absent {
            Some(why) if here.spot.judged => self.fault(Some(&here.step(None)), why),
            _ => Ok(()),
        }
    }

    /// Reads a value; `None`, with a fault, if it is not of the field's kind.
    fn scalar<'m>(
        &mut self,
        here: Here<'_>,
        index: Option<u32>,
        payload: Payload<'m>,
    ) -> Result<Option<Scalar<'m>>, Stop> {
        match Scalar::read(here.field.kind, payload) {
            Ok(value) => Ok(Some(value)),
            Err(why) => self.fault(Some(&here.step(index)), why).map(|()| None),
        }
    }

    /// Holds a value against its rules; the first that it breaks is told.
    fn judge(&mut self, here: Here<'_>, index: Option<u32>, value: Scalar<'_>) -> Walked {
        let each = &here.field.rules.each;
        if !here.spot.judged || (each.skip_zero && value.is_zero()) {
            return Ok(());
        }
        match each.checks.iter().find(|check| !check.holds(value)) {
            Some(broken) => self.fault(Some(&here.step(index)), &broken.why),
            None => Ok(()),
        }
    }

    /// A field that may be there once, or only without its rival, is there again.
    fn again(&mut self, here: Here<'_>, table: &Table, seen: u128) -> Walked {
        let step = here.step(None);
        if seen & here.field.bit != 0 {
            return self.fault(Some(&step), "is given more than once");
        }
        let rival = table.of_bits(seen & here.field.rivals).next().map_or("", |field| &field.name);
        self.fault(Some(&step), &format!("cannot be given together with `{rival}`"))
    }

    fn keep(&mut self, here: Here<'_>, fact: impl FnOnce() -> Value) {
        if self.collect
            && let Some(names) = here.names
        {
            self.form.fields.push(names.path.clone(), fact());
        }
    }

    /// Stops at bytes that make no sense: where the next field begins is not known.
    fn sound<T>(&mut self, at: Option<&Step<'_>>, read: Result<T, Broken>) -> Result<T, Stop> {
        match read {
            Ok(read) => Ok(read),
            Err(why) => {
                self.fault(at, why)?;
                Err(Stop)
            }
        }
    }

    fn fault(&mut self, at: Option<&Step<'_>>, why: &str) -> Walked {
        let field = at.map(Step::path).unwrap_or_default();
        self.form.faults.push(Fault { field, why: why.to_owned() });
        if self.form.faults.len() < FAULTS { Ok(()) } else { Err(Stop) }
    }
}

impl Step<'_> {
    /// The path down to here, such as `user.roles[2]`.
    fn path(&self) -> String {
        let mut path = self.above.map(Self::path).unwrap_or_default();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(self.name);
        if let Some(index) = self.index {
            path.extend(["[", &index.to_string(), "]"]);
        }
        path
    }
}

/// Whether a value is the very one that `message` has given before: a proxy that makes gRPC of REST names the object from the
/// path once more where the body names it too.
///
/// The caller asks once for each field, since each answer reads the message from its start.
fn is_echo(field: &Field, again: Record<'_>, message: &[u8]) -> bool {
    if field.list.is_some() || matches!(field.kind, Kind::Message(_)) {
        return false;
    }
    let mut wire = Wire::new(message);
    while let Ok(Some(record)) = wire.record() {
        if record.number == again.number {
            return record.payload == again.payload;
        }
    }
    false
}

/// Whether the list `field` of `message` has an item twice.
///
/// Short lists are compared in place. Longer ones take a set, so that a caller cannot make us
/// compare each with each.
fn repeats(field: &Field, message: &[u8]) -> bool {
    let mut few = [None; FEW];
    let mut many = HashSet::new();
    let mut count = 0;
    each_item(field, message, |item| {
        count += 1;
        if let Some(free) = few.get_mut(count - 1) {
            *free = Some(item);
            return few.iter().take(count - 1).any(|other| *other == Some(item));
        }
        if many.is_empty() {
            many.extend(few.iter().flatten().copied());
        }
        !many.insert(item)
    })
}

/// An item that is equal to another if and only if their values are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Item<'m> {
    Bytes(&'m [u8]),
    Number(i128),
}

/// Reads the items of the list `field` of `message` until `stop` says so, and returns whether it
/// did. What cannot be read has been a fault before.
fn each_item<'m>(field: &Field, message: &'m [u8], mut stop: impl FnMut(Item<'m>) -> bool) -> bool {
    let mut item = |payload| match Scalar::read(field.kind, payload) {
        Ok(Scalar::Text(text)) => stop(Item::Bytes(text.as_bytes())),
        Ok(Scalar::Bytes(bytes)) => stop(Item::Bytes(bytes)),
        Ok(Scalar::Number(number)) => stop(Item::Number(number)),
        Ok(Scalar::Real(_)) | Err(_) => false,
    };
    let mut wire = Wire::new(message);
    while let Ok(Some(Record { number, payload })) = wire.record() {
        match payload {
            _ if number != field.number => {}
            Payload::Bytes(bytes) if field.kind.packs() => {
                let mut packed = Wire::new(bytes);
                while !packed.is_empty() {
                    let Ok(next) = field.kind.unpack(&mut packed) else { return false };
                    if item(next) {
                        return true;
                    }
                }
            }
            _ if item(payload) => return true,
            _ => {}
        }
    }
    false
}
