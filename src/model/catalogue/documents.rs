//! What rights documents may say (`model.md` §5): products, the documents that catalogues themselves declare, and
//! the check of what people write.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use super::Loaded;
use super::error::CatalogueError;
use super::names::nearest;
use super::set::PermissionSet;
use super::types::{Type, Types};
use crate::model::{Body, DocId, ProductPermissions, ResourcePermissions, SystemDocument};

/// The actions that every entry may name.
const GENERIC: [&str; 5] = ["create", "read", "update", "delete", "report"];
/// The most entries of one document.
const MOST_ENTRIES: usize = 1_000;
/// The most bytes of a resource's id.
const LONGEST_ID: usize = 128;
/// After so many faults the rest is not of interest; to tell what comes nearest to a name takes long.
const MOST_FAULTS: usize = 32;

/// One thing that is wrong with a document's permissions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct BodyFault {
    /// A stable word: `UNKNOWN_PERMISSION`, `UNKNOWN_PRODUCT`, `UNKNOWN_RESOURCE_TYPE`, `INVALID_FIELD`, `TOO_LARGE`.
    pub reason: &'static str,
    /// The field's path within the document.
    pub field: String,
    /// What is wrong, and what is allowed.
    pub why: String,
}

/// What all catalogues say of documents.
#[derive(Debug, Default)]
pub(super) struct Documents {
    products: Vec<(String, Vec<String>)>,
    system: Vec<SystemDocument>,
    givable: PermissionSet,
    by_action: BTreeMap<String, PermissionSet>,
}

impl Documents {
    pub(super) fn build(files: &[Loaded], types: &Types) -> Result<Self, CatalogueError> {
        let mut documents = Self { givable: givable(types), ..Self::default() };
        for permission in documents.givable.iter() {
            let action = types.action_of(permission).to_owned();
            documents.by_action.entry(action).or_default().insert(permission);
        }
        for (name, form) in files.iter().flat_map(|file| file.form.products.iter()) {
            documents.products.push((name.to_owned(), form.types.clone()));
        }
        for loaded in files {
            let file = &loaded.form.catalogue;
            for (code, form) in loaded.form.system_documents.iter() {
                let fail = |fault| CatalogueError::Document {
                    file: file.clone(),
                    code: code.to_owned(),
                    fault,
                };
                if !is_code(code) {
                    let why = "a code is 1 to 63 of A-Z, 0-9 and `_`, a letter first".to_owned();
                    let field = "role_code".to_owned();
                    return Err(fail(BodyFault { reason: "INVALID_FIELD", field, why }));
                }
                let body = Body {
                    account_permissions: form.account_permissions.clone(),
                    product_permissions: form.product_permissions.clone(),
                    resource_permissions: form.resource_permissions.clone(),
                };
                let body = documents.check(types, body).map_err(|faults| {
                    fail(faults.into_iter().next().unwrap_or_else(|| unknown("", "?", &[])))
                })?;
                documents.system.push(SystemDocument {
                    id: DocId::of_system(file, code),
                    catalogue: file.clone(),
                    code: code.to_owned(),
                    name: form.name.clone(),
                    cascade: form.cascade,
                    master: form.is_master,
                    body,
                });
            }
        }
        Ok(documents)
    }

    pub(super) fn products(&self) -> &[(String, Vec<String>)] {
        &self.products
    }

    pub(super) fn system(&self) -> &[SystemDocument] {
        &self.system
    }

    pub(super) const fn givable(&self) -> &PermissionSet {
        &self.givable
    }

    pub(super) fn by_action(&self, action: &str) -> Option<&PermissionSet> {
        self.by_action.get(action)
    }

    /// Writes a body as the catalogues write it, or tells what is wrong with it, at most 32 things.
    pub(super) fn check(&self, types: &Types, body: Body) -> Result<Body, Vec<BodyFault>> {
        let mut check = Check { documents: self, types, faults: Vec::new() };
        if body.len() > MOST_ENTRIES {
            let why = format!("a document has at most {MOST_ENTRIES} entries");
            check.fault("INVALID_FIELD", "resource_permissions", why);
            return Err(check.faults);
        }
        let body = check.body(body);
        if check.faults.is_empty() { Ok(body) } else { Err(check.faults) }
    }
}

fn is_code(code: &str) -> bool {
    code.len() <= 63
        && code.starts_with(|first: char| first.is_ascii_uppercase())
        && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

fn givable(types: &Types) -> PermissionSet {
    let all = types.list().iter();
    all.flat_map(|kind| left(kind).filter_map(|action| types.permission(&kind.name, action)))
        .collect()
}

/// Walks the actions of a type that a document may give.
fn left(kind: &Type) -> impl Iterator<Item = &str> {
    kind.documents.as_ref().unwrap_or(&kind.actions).iter().map(String::as_str)
}

struct Check<'a> {
    documents: &'a Documents,
    types: &'a Types,
    faults: Vec<BodyFault>,
}

impl Check<'_> {
    fn fault(&mut self, reason: &'static str, field: impl fmt::Display, why: impl Into<String>) {
        self.faults.push(BodyFault { reason, field: field.to_string(), why: why.into() });
    }

    fn body(&mut self, body: Body) -> Body {
        let anywhere: BTreeSet<&str> = self.types.list().iter().flat_map(left).collect();
        let account = self.actions("account_permissions", body.account_permissions, &anywhere);
        let products = body.product_permissions.into_iter().enumerate();
        let products = products.filter_map(|(at, entry)| self.product(at, entry)).collect();
        let resources = body.resource_permissions.into_iter().enumerate();
        let resources = resources.filter_map(|(at, entry)| self.resource(at, entry)).collect();
        Body {
            account_permissions: account,
            product_permissions: products,
            resource_permissions: resources,
        }
    }

    fn has_enough(&self) -> bool {
        self.faults.len() >= MOST_FAULTS
    }

    fn product(&mut self, at: usize, entry: ProductPermissions) -> Option<ProductPermissions> {
        if self.has_enough() {
            return None;
        }
        let field = format!("product_permissions[{at}]");
        let products = &self.documents.products;
        let found = products.iter().find(|(name, _)| name.eq_ignore_ascii_case(&entry.product));
        let Some((name, kinds)) = found else {
            let names: Vec<&str> = products.iter().map(|(name, _)| name.as_str()).collect();
            let why = unknown_name("a product", &entry.product.to_ascii_uppercase(), &names);
            self.fault("UNKNOWN_PRODUCT", format!("{field}.product"), why);
            return None;
        };
        let types = self.types;
        let covered = kinds.iter().filter(|_| entry.cascade).filter_map(|kind| types.get(kind));
        let allowed = types.get("product").into_iter().chain(covered).flat_map(left).collect();
        let permissions =
            self.actions(&format!("{field}.permissions"), entry.permissions, &allowed);
        Some(ProductPermissions { product: name.clone(), permissions, cascade: entry.cascade })
    }

    fn resource(&mut self, at: usize, entry: ResourcePermissions) -> Option<ResourcePermissions> {
        if self.has_enough() {
            return None;
        }
        let field = format!("resource_permissions[{at}]");
        let name = entry.resource_type.to_ascii_lowercase();
        let types = self.types;
        let Some(kind) = types.get(&name).filter(|kind| left(kind).next().is_some()) else {
            let open = types.list().iter().filter(|kind| left(kind).next().is_some());
            let names: Vec<String> = open.map(|kind| kind.name.to_ascii_uppercase()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let written = entry.resource_type.to_ascii_uppercase();
            let why = unknown_name("a resource type of rights documents", &written, &names);
            self.fault("UNKNOWN_RESOURCE_TYPE", format!("{field}.resource_type"), why);
            return None;
        };
        if entry.resource_id.is_empty()
            || entry.resource_id.len() > LONGEST_ID
            || entry.resource_id == "-"
        {
            let why = format!("names one resource, in 1 to {LONGEST_ID} bytes");
            self.fault("INVALID_FIELD", format!("{field}.resource_id"), why);
        }
        let inside = if entry.cascade { types.inside(&name, "") } else { HashSet::new() };
        let inside = inside.into_iter().filter_map(|inner| types.get(inner));
        let allowed = std::iter::once(kind).chain(inside).flat_map(left).collect();
        let permissions =
            self.actions(&format!("{field}.permissions"), entry.permissions, &allowed);
        Some(ResourcePermissions { resource_type: name, permissions, ..entry })
    }

    /// Reads actions in any case of letters, each once, and tells those that are none.
    fn actions(
        &mut self,
        field: &str,
        written: Vec<String>,
        allowed: &BTreeSet<&str>,
    ) -> Vec<String> {
        let mut seen = HashSet::new();
        let mut read = Vec::with_capacity(written.len());
        for (at, action) in written.into_iter().enumerate() {
            if self.has_enough() {
                break;
            }
            let lower = action.to_ascii_lowercase();
            if !GENERIC.contains(&lower.as_str()) && !allowed.contains(lower.as_str()) {
                let mut names: Vec<&str> = GENERIC.to_vec();
                names.extend(allowed.iter().filter(|name| !GENERIC.contains(name)));
                self.faults.push(unknown(&format!("{field}[{at}]"), &action, &names));
            } else if seen.insert(lower.clone()) {
                read.push(lower);
            }
        }
        read
    }
}

fn unknown(field: &str, action: &str, names: &[&str]) -> BodyFault {
    let upper: Vec<String> = names.iter().map(|name| name.to_ascii_uppercase()).collect();
    let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
    let why = unknown_name("an action that stands here", &action.to_ascii_uppercase(), &upper);
    BodyFault { reason: "UNKNOWN_PERMISSION", field: field.to_owned(), why }
}

/// Says what is allowed: all of it where that is short, else what comes nearest.
fn unknown_name(what: &str, written: &str, names: &[&str]) -> String {
    const SHORT: usize = 32;
    let listed = if names.len() <= SHORT {
        names.join(", ")
    } else {
        nearest(written, names.iter().map(|name| (*name, *name))).join(", ")
    };
    let word = if names.len() <= SHORT { "allowed" } else { "nearest" };
    let shown: String = written.chars().take(64).collect();
    format!("`{shown}` is not {what}; {word}: {listed}")
}
