//! What can be wrong with catalogue files and with names that people write. The first fault found is told.

use super::documents::BodyFault;
use crate::model::{BadCondition, Holder};

/// Catalogue files that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// The text is no YAML, or not of the form of a catalogue.
    #[error("catalogue `{file}`: {text}")]
    Form {
        /// The file.
        file: String,
        /// What is wrong, and where.
        text: String,
    },
    /// A file or all together go past a limit.
    #[error("catalogue `{file}` takes {what} past {limit}")]
    Limit {
        /// The file that does it.
        file: String,
        /// What is counted.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The YAML is of another name or version than the file that is applied.
    #[error(
        "catalogue `{file}` version {version} holds the text of `{found}` version {found_version}"
    )]
    Header {
        /// The file's name.
        file: String,
        /// The file's version.
        version: u32,
        /// The name that the text says.
        found: String,
        /// The version that the text says.
        found_version: u32,
    },
    /// The name is not one that a catalogue can have.
    #[error("catalogue `{0}`: a name is 1 to 63 of a-z, 0-9 and `_`, a letter first")]
    Name(String),
    /// Two files of one name.
    #[error("catalogue `{0}` is given twice")]
    Twice(String),
    /// It `uses` what is not loaded.
    #[error("catalogue `{file}` uses `{uses}`, which is not loaded")]
    Uses {
        /// The file.
        file: String,
        /// What it names.
        uses: String,
    },
    /// Something is wrong with a resource type.
    #[error("catalogue `{file}`, type `{kind}`: {fault}")]
    Type {
        /// The file.
        file: String,
        /// The type.
        kind: String,
        /// What is wrong.
        fault: TypeFault,
    },
    /// Something is wrong with `products`.
    #[error("catalogue `{file}`, product `{product}`: {fault}")]
    Product {
        /// The file.
        file: String,
        /// The product.
        product: String,
        /// What is wrong.
        fault: ProductFault,
    },
    /// Something is wrong with a role.
    #[error("catalogue `{file}`, role `{role}`: {fault}")]
    Role {
        /// The file.
        file: String,
        /// The role, as the file names it.
        role: String,
        /// What is wrong.
        fault: RoleFault,
    },
    /// Something is wrong with a document that it puts into every account.
    #[error("catalogue `{file}`, document `{code}`: {fault}")]
    Document {
        /// The file.
        file: String,
        /// The document's code.
        code: String,
        /// What is wrong.
        fault: BodyFault,
    },
}

/// What is wrong with a resource type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeFault {
    /// The type or an action cannot be named so.
    #[error("`{0}` is not a name of 1 to 63 of a-z, 0-9 and `_`, a letter first")]
    Name(String),
    /// An action stands twice.
    #[error("action `{0}` stands twice")]
    Twice(String),
    /// It may lie in a type that neither this file nor one it uses declares.
    #[error("lies in `{0}`, a type that neither this catalogue nor one that it uses declares")]
    Parent(String),
    /// It lies in nothing, so that no path leads to it.
    #[error("`in` is empty: no path leads to it")]
    Nowhere,
    /// `documents` or `shared_down` names what is not among the actions of this file.
    #[error("`{key}` names `{action}`, which is not among its actions here")]
    Action {
        /// The key.
        key: &'static str,
        /// The action.
        action: String,
    },
    /// The type is not this file's to add to.
    #[error(
        "belongs to catalogue `{0}`, and only actions of core's `account` and `application_user` can be added elsewhere"
    )]
    Foreign(String),
    /// An operator's file says more of a core type than actions.
    #[error("`{0}` of a core type is closed; only actions can be added")]
    Closed(&'static str),
    /// `product` names none, or two files disagree on it.
    #[error(
        "product `{0}` is not declared here, does not list the type, or differs from another catalogue's"
    )]
    Product(String),
}

/// What is wrong with `products`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductFault {
    /// Products are for built-in files only.
    #[error("products are for built-in catalogues only")]
    BuiltInOnly,
    /// It lists a type that does not name it.
    #[error("lists `{0}`, which is not a type with this product here")]
    Type(String),
}

/// What is wrong with a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleFault {
    /// It cannot be named so.
    #[error("a name is 1 to 64 of A-Z, a-z, 0-9, `_`, `.`, `@` and `-`, a letter first")]
    Name,
    /// A key that is for built-in files only.
    #[error("`{0}` is for built-in catalogues only")]
    BuiltInOnly(&'static str),
    /// A pattern matches nothing.
    #[error(transparent)]
    Pattern(#[from] UnknownPattern),
    /// `except` takes out what `permits` does not contain.
    #[error("`except` names `{0}`, of which `permits` does not contain all")]
    Except(String),
    /// `inferred` names what the role does not give.
    #[error("`inferred` names `{0}`, of which the role does not give all")]
    Inferred(String),
    /// `includes` or `widens` names no role of this file or of one that it uses.
    #[error(
        "`{key}` names `{role}`, no role of this catalogue or, as `catalogue/NAME`, of one that it uses"
    )]
    Unknown {
        /// The key.
        key: &'static str,
        /// What it names.
        role: String,
    },
    /// An included role only takes away, which is not passed on.
    #[error("includes `{0}`, which suppresses: that is not passed on by including")]
    Suppressing(String),
    /// It includes itself, by way of the others.
    #[error("includes itself: {}", .0.join(" > "))]
    Cycle(Vec<String>),
    /// It includes too many.
    #[error("includes more than {0} roles, one through another")]
    TooMany(usize),
    /// `(none)` and `held_by` go together, and `(none)` is assignable to nobody.
    #[error("`held_by` and the name `(none)` go together, and neither with `assignable_to`")]
    Baseline,
    /// A condition that is none.
    #[error("`when` {0}")]
    When(#[from] BadCondition),
    /// A condition where none is looked at.
    #[error("`when` does not go together with `suppress` or `widens`")]
    Unconditional,
}

/// A pattern that matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` matches no permission{}", nearest_text(.nearest))]
pub struct UnknownPattern {
    /// As written.
    pub pattern: String,
    /// What may have been meant, best first; at most 3.
    pub nearest: Vec<String>,
}

/// A role's name that leads to no one role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No built-in role has it.
    #[error("`{written}` is no role{}", nearest_text(.nearest))]
    Unknown {
        /// As written.
        written: String,
        /// What may have been meant, best first; at most 3.
        nearest: Vec<String>,
    },
    /// Only roles that cannot be given to this kind of holder have it.
    #[error("`{written}` cannot be given to {}{}", holder_text(*.holder), nearest_text(.nearest))]
    NotAssignable {
        /// As written.
        written: String,
        /// Who was to have it.
        holder: Holder,
        /// What may have been meant, best first; at most 3.
        nearest: Vec<String>,
    },
    /// Several roles have it.
    #[error("`{written}` is more than one role: {}", .candidates.join(", "))]
    Ambiguous {
        /// As written.
        written: String,
        /// Their full names, in order.
        candidates: Vec<String>,
    },
}

fn nearest_text(nearest: &[String]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    let names: Vec<String> = nearest.iter().map(|name| format!("`{name}`")).collect();
    format!("; nearest: {}", names.join(", "))
}

const fn holder_text(holder: Holder) -> &'static str {
    match holder {
        Holder::Account => "an account",
        Holder::Admin => "an ADMIN user",
        Holder::Service => "a SERVICE user",
        Holder::Application => "an APPLICATION user",
    }
}
