//! Pages: a keyset cursor, encrypted and bound to caller, RPC and every field but the page's size (`edges.md` §3).

use std::fmt::Display;
use std::str::FromStr;

use tonic::Status;

use super::shared::Shared;
use crate::crypto::seal;
use crate::decision::Fields;
use crate::layers::{Call, said, status};

const DEFAULT: usize = 50;
const MOST: usize = 1000;

/// Which page is asked for.
#[derive(Debug)]
pub(super) struct Page<C> {
    /// How many at most.
    pub(super) size: usize,
    /// Behind which.
    pub(super) after: Option<C>,
}

impl<C> Page<C> {
    /// How many rows to read: one more than wanted tells whether there is another page.
    pub(super) fn limit(&self) -> u64 {
        u64::try_from(self.size).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl Shared {
    /// Reads which page is asked for.
    pub(super) fn page<C: FromStr>(
        &self,
        call: &Call,
        size: i32,
        token: &str,
    ) -> Result<Page<C>, Status> {
        self.page_in(&context(call), size, token)
    }

    /// Reads which page is asked for, of a request that says what it is bound to.
    pub(super) fn page_in<C: FromStr>(
        &self,
        context: &[u8],
        size: i32,
        token: &str,
    ) -> Result<Page<C>, Status> {
        let size = usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(DEFAULT).min(MOST);
        if token.is_empty() {
            return Ok(Page { size, after: None });
        }
        let bad = || {
            let why = "is not a page token of this caller and this very request";
            status::bad_field("INVALID_PAGE_TOKEN", "page_token", why)
        };
        let cursor = seal::open_page(&self.keys, context, token).ok_or_else(bad)?;
        let cursor = String::from_utf8(cursor).map_err(|_| bad())?;
        Ok(Page { size, after: Some(cursor.parse().map_err(|_| bad())?) })
    }

    /// Makes the token of the page behind `last`.
    pub(super) fn next_page(&self, call: &Call, last: &dyn Display) -> String {
        self.next_page_in(&context(call), last)
    }

    /// Cuts what was read to what a page holds; returns the token of the next page, nothing where there is none.
    pub(super) fn cut<T, C: Display>(
        &self,
        call: &Call,
        rows: &mut Vec<T>,
        size: usize,
        cursor: impl Fn(&T) -> C,
    ) -> String {
        let more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| more);
        last.map(|last| self.next_page(call, &cursor(last))).unwrap_or_default()
    }

    /// Makes the token of the page behind `last`, of a request that says what it is bound to.
    pub(super) fn next_page_in(&self, context: &[u8], last: &dyn Display) -> String {
        seal::seal_page(&self.keys, context, last.to_string().as_bytes())
    }
}

fn context(call: &Call) -> Vec<u8> {
    let caller = call.caller.as_ref().map(|caller| caller.user.to_string()).unwrap_or_default();
    let said = bound(call.ask.fields());
    seal::context(&[caller.as_bytes(), call.ask.rule().method.as_bytes(), &said])
}

/// Writes down what a request says but for which page it wants.
fn bound(fields: &Fields) -> Vec<u8> {
    said(fields, &["page_size", "page_token"])
}

#[cfg(test)]
mod tests {
    use prost_reflect::{
        DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value as Sent,
    };

    use super::*;
    use crate::layers::Forms;
    use crate::proto;

    /// So deep no request that answers by pages goes.
    const DEEP: usize = 5;

    /// Two values of a field that are not what it is without being sent.
    fn values(field: &FieldDescriptor) -> Vec<Sent> {
        let two = |make: fn(i32) -> Sent| vec![make(1), make(2)];
        match field.kind() {
            Kind::String => two(|n| Sent::String(n.to_string())),
            Kind::Bytes => two(|n| Sent::Bytes(n.to_string().into())),
            Kind::Bool => vec![Sent::Bool(true)],
            Kind::Enum(_) => two(Sent::EnumNumber),
            Kind::Double => two(|n| Sent::F64(n.into())),
            Kind::Float => two(|n| Sent::F32(if n == 1 { 1.0 } else { 2.0 })),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => two(Sent::I32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => two(|n| Sent::I64(n.into())),
            Kind::Uint32 | Kind::Fixed32 => two(|n| Sent::U32(n.unsigned_abs())),
            Kind::Uint64 | Kind::Fixed64 => two(|n| Sent::U64(n.unsigned_abs().into())),
            Kind::Message(_) => Vec::new(),
        }
    }

    /// Each message that says one thing, and one that says nothing.
    fn each(of: &MessageDescriptor, deep: usize) -> Vec<DynamicMessage> {
        let mut all = vec![DynamicMessage::new(of.clone())];
        assert!(deep < DEEP, "{}", of.full_name());
        for field in of.fields() {
            let one = match field.kind() {
                Kind::Message(below) if !field.is_map() => {
                    each(&below, deep + 1).into_iter().map(Sent::Message).collect()
                }
                _ => values(&field),
            };
            for value in one {
                let value = match value {
                    _ if field.is_map() => {
                        let entry = (MapKey::String("x".to_owned()), value);
                        Sent::Map(std::iter::once(entry).collect())
                    }
                    value if field.is_list() => Sent::List(vec![value]),
                    value => value,
                };
                let mut message = DynamicMessage::new(of.clone());
                message.set_field(&field, value);
                all.push(message);
            }
        }
        all
    }

    #[test]
    fn a_page_token_is_bound_to_all_that_a_request_says_but_which_page() {
        use prost::Message as _;
        let pool = proto::pool().unwrap();
        let forms = Forms::compile(&pool).unwrap();
        let mut paged = 0;
        for service in pool.services() {
            for method in service.methods() {
                let input = method.input();
                // It binds its tokens to its whole request.
                if input.get_field_by_name("page_token").is_none()
                    || method.name() == "PreviewChange"
                {
                    continue;
                }
                paged += 1;
                let path = format!("/{}/{}", service.full_name(), method.name());
                let of = |message: &DynamicMessage| {
                    let sent = message.encode_to_vec();
                    bound(&forms.inspect(&path, &sent, false).unwrap().fields)
                };
                let all = each(&input, 0);
                for (at, one) in all.iter().enumerate() {
                    for other in &all[..at] {
                        let page = |message: &DynamicMessage| {
                            let mut message = message.clone();
                            message.clear_field_by_name("page_size");
                            message.clear_field_by_name("page_token");
                            message
                        };
                        let same = page(one) == page(other);
                        assert_eq!(of(one) == of(other), same, "{path}: {one} and {other}");
                    }
                }
            }
        }
        assert!(paged > 10, "{paged}");
    }
}
