//! The rule of an RPC, as its proto declares it (`api.md`, Conventions).

use std::sync::Arc;

/// When a check of a rule applies, or what must hold besides for an alternative. One sentence each in the proto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A parent is named, or filled in.
    ParentSet,
    /// The user is to have no parent and is not of kind `APPLICATION`.
    NoParent,
    /// Roles are named.
    RolesSet,
    /// The user is, or is to be, of kind `APPLICATION`.
    KindApplication,
    /// Only names, telephone number and regional settings change.
    ProfileOnly,
    /// The subject is the caller.
    SubjectIsCaller,
    /// The subject is somebody else.
    SubjectIsNotCaller,
    /// The caller created the account.
    CreatedByCaller,
    /// Somebody is named who takes over.
    ReassignSet,
    /// The filter names one application.
    FilterNamesApplication,
    /// The caller owns the rights document, or is to.
    OwnerIsCaller,
    /// The rights document is a master document, or is to be one.
    IsMaster,
    /// Another user is named to be compared with.
    OtherUserSet,
}

/// One step of a resource template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// `-`.
    Any,
    /// `{name}`: a field of the request, or of the row of the object that it names.
    Field(Arc<str>),
}

/// One check of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `type.action`.
    pub permission: Arc<str>,
    /// Type and slot, outermost first; the first is `account`.
    pub resource: Vec<(Arc<str>, Slot)>,
    /// When it applies.
    pub when: Option<When>,
    /// Whether oneself always counts.
    pub or_self: bool,
}

/// Who may call a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody signed in, on nothing but its own.
    Own,
    /// Whoever passes the checks.
    Checked {
        /// The main check.
        main: Check,
        /// Further checks; all that apply must hold.
        also: Vec<Check>,
        /// Alternatives to the main check.
        or: Vec<Check>,
        /// A refusal is an answer of the method, not a status: the service judges each item itself.
        answers: bool,
    },
}

/// The rule of one method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `/package.Service/Method`.
    pub method: Arc<str>,
    /// Whether it changes something; then it is judged in the transaction.
    pub mutates: bool,
    /// Fields of the request that stand for the caller's account or user where absent.
    pub defaults: Vec<Arc<str>>,
    /// Who may call it.
    pub access: Access,
}

impl Rule {
    /// Returns the rule of rehearsing this for `PreviewChange`: `decision.preview` is asked for besides, over the account that
    /// the change is made in.
    #[must_use]
    pub fn rehearsed(&self) -> Self {
        let mut rule = self.clone();
        if let Access::Checked { main, also, .. } = &mut rule.access {
            let resource = main.resource.iter().take(1).cloned().collect();
            let permission = Arc::from("decision.preview");
            also.push(Check { permission, resource, when: None, or_self: false });
        }
        rule
    }
}

/// A rule that cannot be one. It stops the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// A method without a rule.
    #[error("{0} declares no rule")]
    Missing(String),
    /// A template that is no path.
    #[error("{method}: `{resource}` is not a resource template")]
    Template {
        /// The method.
        method: String,
        /// What was written.
        resource: String,
    },
    /// A permission that no catalogue declares.
    #[error("{method}: `{permission}` is not a permission")]
    Permission {
        /// The method.
        method: String,
        /// What was written.
        permission: String,
    },
    /// More than one of public, authenticated and permission, or none.
    #[error("{0}: a rule is exactly one of public, authenticated, permission")]
    Unclear(String),
}

impl Check {
    /// Reads a check: its template is `account/{x}` and pairs of `type/{field}` or `type/-`.
    pub fn parse(
        method: &str,
        permission: &str,
        resource: &str,
        when: Option<When>,
        or_self: bool,
    ) -> Result<Self, BadRule> {
        let bad = || BadRule::Template { method: method.to_owned(), resource: resource.to_owned() };
        let mut pairs = Vec::new();
        let mut steps = resource.split('/');
        while let Some(kind) = steps.next() {
            let slot = match steps.next() {
                Some("-") => Slot::Any,
                Some(text) => {
                    let name = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
                    Slot::Field(Arc::from(name.ok_or_else(bad)?))
                }
                None => return Err(bad()),
            };
            pairs.push((Arc::from(kind), slot));
        }
        if pairs.first().is_none_or(|(kind, _)| &**kind != "account") {
            return Err(bad());
        }
        Ok(Self { permission: Arc::from(permission), resource: pairs, when, or_self })
    }
}
