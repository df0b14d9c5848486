//! The form of a request: whether its bytes are what its method takes, and what they say.
//!
//! Requests are judged by the `buf.validate` rules of their protos (`api.md`: no second copy in
//! code), before the generated decoder sees them, on the bytes themselves and in one pass. The
//! reading is never laxer than that decoder's: what passes here decodes, to the same values. So a
//! rule cannot be asked about one object while the handler acts on another.

mod check;
mod rules;
mod scalar;
mod schema;
mod walk;
mod wire;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use prost_reflect::DescriptorPool;

use crate::decision::Fields;
use crate::model::Swift;
use schema::{Names, Table, Tables};
use walk::Walk;

/// The field by which the next page is asked for.
const PAGE: &str = "page_token";

/// What is known of the requests of all methods, compiled at the start.
#[derive(Debug)]
pub struct Forms {
    tables: Vec<Table>,
    /// By path, `/package.Service/Method`.
    methods: Swift<String, Method>,
}

#[derive(Debug)]
struct Method {
    table: usize,
    names: Vec<Names>,
    /// Whether it answers page by page: a page token is bound to all that its request says.
    paged: bool,
}

/// What was found in one request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Form {
    /// What it says, if that was asked for. Not whole if there are faults.
    pub fields: Fields,
    /// What is wrong with it, at most 32 things; empty if it may go on.
    pub faults: Vec<Fault>,
}

/// One thing wrong with a request (`model.md` §10: an item of `BadRequest`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path of proto field names, such as `user.roles[2]`; empty for the message as a whole.
    pub field: String,
    /// What is wrong with the field or what is expected of it; never the value.
    pub why: String,
}

/// Why the descriptors cannot be compiled. All of these are mistakes in a proto.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A rule that nothing would enforce.
    #[error("`{at}` states the rule `{rule}`, which is not supported there")]
    Unsupported {
        /// The field, message or oneof.
        at: String,
        /// The rule.
        rule: String,
    },
    /// A rule that cannot be read, because its definition is not among the descriptors.
    #[error("`{at}` states rules whose definition is not among the descriptors")]
    Unread {
        /// The field.
        at: String,
    },
    /// A rule of which "absent" and "zero" cannot be told apart.
    #[error("the rule `{rule}` has no presence; declare it `optional`")]
    Blurred {
        /// The field of the rule's definition.
        rule: String,
    },
    /// Bounds that no number can meet.
    #[error("`{at}` has bounds that no number can meet")]
    Contradiction {
        /// The field.
        at: String,
    },
    /// A pattern that is not a regular expression.
    #[error("`{at}` has a pattern that cannot be compiled")]
    Pattern {
        /// The field.
        at: String,
        /// What is wrong with the pattern.
        #[source]
        source: Box<regex::Error>,
    },
    /// A group, which is an old encoding of messages.
    #[error("`{at}` is a group, which is not supported")]
    Group {
        /// The field.
        at: String,
    },
    /// A message with more fields than can be kept track of.
    #[error("`{at}` has too many {what}")]
    TooMany {
        /// The message.
        at: String,
        /// Fields (at most 128) or repeated fields (at most 16).
        what: &'static str,
    },
}

impl Forms {
    /// Compiles what the methods of all services in `pool` take.
    ///
    /// The pool must be decoded from the raw bytes of a descriptor set: other ways lose the
    /// options, and with them the rules. A rule that would not be enforced is an error.
    pub fn compile(pool: &DescriptorPool) -> Result<Self, FormError> {
        let mut tables = Tables::default();
        let mut roots = Vec::new();
        for service in pool.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let input = method.input();
                let paged = input.get_field_by_name(PAGE).is_some();
                roots.push((path, tables.place(&input), paged));
            }
        }
        let tables = tables.compile()?;
        let methods = roots.into_iter().map(|(path, table, paged)| {
            let names = schema::names(&tables, table);
            (path, Method { table, names, paged })
        });
        let methods = methods.collect();
        Ok(Self { tables, methods })
    }

    /// Reads the request `message` of the method at `path`, `/package.Service/Method`.
    ///
    /// `collect` keeps the texts, numbers and presences up to three names deep, except what is in
    /// maps; of a method that answers page by page they are kept in any case. Without it a sound request costs no allocation (lists longer than 16 that must be
    /// `unique` apart). `None` if there is no such method.
    pub fn inspect(&self, path: &str, message: &[u8], collect: bool) -> Option<Form> {
        let method = self.methods.get(path)?;
        let collect = collect || method.paged;
        Some(Walk::run(&self.tables, method.table, &method.names, message, collect))
    }
}
