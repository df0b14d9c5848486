//! Resource types, united from all files, and the permissions they give.

use std::collections::{HashMap, HashSet};

use super::Loaded;
use super::error::{CatalogueError, ProductFault, TypeFault};
use super::file::{ProductForm, TypeForm};
use super::set::{Permission, PermissionSet};
use crate::model::Swift;

/// The most permissions of all catalogues together; a set of them is then at most 1 KiB.
const MOST_PERMISSIONS: usize = 8192;
/// The most actions of one type: they are searched one by one on the path of a decision.
const MOST_ACTIONS: usize = 256;
/// The types of core that an operator's file may add actions to (`edges.md` §2).
const OPEN_TYPES: [&str; 2] = ["account", "application_user"];
/// The catalogue of this service's own API.
const CORE: &str = "core";

/// A resource type, as all loaded catalogues together declare it (`model.md` §4).
#[derive(Debug, Clone)]
pub struct Type {
    /// Singular lower snake case.
    pub name: String,
    /// The types it may lie in, `account` among them where it may lie directly in one; empty for `account` itself.
    pub parents: Vec<String>,
    /// What can be done to it.
    pub actions: Vec<String>,
    /// The product it belongs to, as its catalogue writes it.
    pub product: Option<String>,
    /// The actions that a rights document may give; `None` = all.
    ///
    /// An action that several files declare must be left to documents by each of them; what an operator's file adds to a
    /// core type is none of documents' business.
    pub documents: Option<Vec<String>>,
    /// What a holder in an account has also on this type's resources of the accounts above.
    pub shared_down: PermissionSet,
    /// The catalogues that declare it.
    pub catalogues: Vec<String>,
    first: u16,
}

/// All types, and each permission's number: in the order of types, then of their actions.
#[derive(Debug, Default)]
pub(super) struct Types {
    list: Vec<Type>,
    by_name: Swift<String, usize>,
    /// By type, the places of those that may lie directly in it.
    children: HashMap<String, Vec<usize>>,
    by_action: HashMap<String, PermissionSet>,
    permissions: Vec<Entry>,
    all: PermissionSet,
    core: PermissionSet,
    shared_down: PermissionSet,
}

/// One permission's name, and where its dot is.
#[derive(Debug)]
struct Entry {
    name: String,
    dot: usize,
}

impl Types {
    pub(super) fn list(&self) -> &[Type] {
        &self.list
    }

    pub(super) fn get(&self, name: &str) -> Option<&Type> {
        self.list.get(*self.by_name.get(name)?)
    }

    pub(super) fn permission(&self, kind: &str, action: &str) -> Option<Permission> {
        let kind = self.get(kind)?;
        let place = kind.actions.iter().position(|known| known == action)?;
        Some(Permission(kind.first.checked_add(u16::try_from(place).ok()?)?))
    }

    pub(super) fn of_type(&self, kind: &str) -> impl Iterator<Item = Permission> {
        self.get(kind)
            .into_iter()
            .flat_map(|kind| (kind.first..).take(kind.actions.len()).map(Permission))
    }

    /// Returns the types that may lie in type `container`, at any depth and by a way that is without type `around`.
    ///
    /// Each is looked at once: files may declare circles, and meshes that have more ways than there is time.
    pub(super) fn inside(&self, container: &str, around: &str) -> HashSet<&str> {
        let mut inside = HashSet::new();
        let mut ahead = vec![container];
        while let Some(up) = ahead.pop() {
            let places = self.children.get(up).into_iter().flatten();
            for kind in places.filter_map(|place| self.list.get(*place)) {
                if kind.name != around && inside.insert(kind.name.as_str()) {
                    ahead.push(&kind.name);
                }
            }
        }
        inside
    }

    pub(super) fn of_action(&self, action: &str) -> Option<&PermissionSet> {
        self.by_action.get(action)
    }

    pub(super) const fn all(&self) -> &PermissionSet {
        &self.all
    }

    pub(super) const fn core(&self) -> &PermissionSet {
        &self.core
    }

    pub(super) const fn shared_down(&self) -> &PermissionSet {
        &self.shared_down
    }

    pub(super) fn name(&self, permission: Permission) -> &str {
        self.permissions.get(permission.index()).map_or("", |entry| &entry.name)
    }

    pub(super) fn kind_of(&self, permission: Permission) -> &str {
        let entry = self.permissions.get(permission.index());
        entry.and_then(|entry| entry.name.get(..entry.dot)).unwrap_or_default()
    }

    pub(super) fn action_of(&self, permission: Permission) -> &str {
        let entry = self.permissions.get(permission.index());
        entry.and_then(|entry| entry.name.get(entry.dot + 1..)).unwrap_or_default()
    }

    /// Unites the types of all files, which come in the order of numbering; returns also what each file declares.
    pub(super) fn merge(files: &[Loaded]) -> Result<(Self, Vec<PermissionSet>), CatalogueError> {
        let mut merging = Merging::default();
        for loaded in files {
            let file = &loaded.form.catalogue;
            for (kind, form) in loaded.form.resource_types.iter() {
                let fail = |fault| type_error(file, kind, fault);
                merging.may_add(loaded, kind, form).map_err(fail)?;
                check_form(loaded, kind, form).map_err(fail)?;
                merging.add(loaded, kind, form)?;
            }
            check_products(loaded)?;
        }
        check_parents(files)?;
        let mut types = merging.number(files)?;
        let declared: Vec<PermissionSet> = files.iter().map(|file| types.declared(file)).collect();
        for (loaded, declared) in files.iter().zip(&declared) {
            if loaded.form.catalogue == CORE {
                types.core = declared.clone();
            }
        }
        Ok((types, declared))
    }

    fn declared(&self, loaded: &Loaded) -> PermissionSet {
        let kinds = loaded.form.resource_types.iter();
        kinds
            .flat_map(|(kind, form)| {
                form.actions.iter().filter_map(move |action| self.permission(kind, action))
            })
            .collect()
    }
}

fn type_error(file: &str, kind: &str, fault: TypeFault) -> CatalogueError {
    CatalogueError::Type { file: file.to_owned(), kind: kind.to_owned(), fault }
}

/// Returns whether `name` can name a catalogue, a type or an action.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Checks what can be said of a type without looking at other files.
fn check_form(loaded: &Loaded, kind: &str, form: &TypeForm) -> Result<(), TypeFault> {
    let mut seen = HashSet::new();
    for name in std::iter::once(kind).chain(form.actions.iter().map(String::as_str)) {
        if !is_name(name) {
            return Err(TypeFault::Name(name.to_owned()));
        }
    }
    if let Some(twice) = form.actions.iter().find(|action| !seen.insert(action.as_str())) {
        return Err(TypeFault::Twice(twice.clone()));
    }
    for (key, list) in [("documents", &form.documents), ("shared_down", &form.shared_down)] {
        if let Some(action) = list.iter().flatten().find(|action| !seen.contains(action.as_str())) {
            return Err(TypeFault::Action { key, action: action.clone() });
        }
    }
    let listed = |product: &String| {
        let product = loaded.form.products.get(product);
        product.is_some_and(|product| product.types.iter().any(|listed| listed == kind))
    };
    match &form.product {
        Some(product) if !listed(product) => Err(TypeFault::Product(product.clone())),
        _ => Ok(()),
    }
}

fn check_products(loaded: &Loaded) -> Result<(), CatalogueError> {
    let fault = |name: &str, product: &ProductForm| {
        if !loaded.built_in {
            return Some(ProductFault::BuiltInOnly);
        }
        let types = &loaded.form.resource_types;
        let missing = product.types.iter().find(|listed| {
            types.get(listed).is_none_or(|form| form.product.as_deref() != Some(name))
        });
        missing.map(|listed| ProductFault::Type(listed.clone()))
    };
    for (name, product) in loaded.form.products.iter() {
        if let Some(fault) = fault(name, product) {
            let (file, product) = (loaded.form.catalogue.clone(), name.to_owned());
            return Err(CatalogueError::Product { file, product, fault });
        }
    }
    Ok(())
}

/// Checks that every parent is declared by the file itself or by one it uses.
fn check_parents(files: &[Loaded]) -> Result<(), CatalogueError> {
    for loaded in files {
        let uses = |other: &&Loaded| loaded.sees(&other.form.catalogue);
        let known: HashSet<&str> = files
            .iter()
            .filter(uses)
            .flat_map(|other| other.form.resource_types.iter().map(|(kind, _)| kind))
            .collect();
        for (kind, form) in loaded.form.resource_types.iter() {
            if let Some(unknown) = form.parents.iter().find(|name| !known.contains(name.as_str())) {
                let fault = TypeFault::Parent(unknown.clone());
                return Err(type_error(&loaded.form.catalogue, kind, fault));
            }
        }
    }
    Ok(())
}

/// Types while files are still being added.
#[derive(Default)]
struct Merging {
    types: Vec<Type>,
    by_name: Swift<String, usize>,
    /// Actions, by type, that some file withholds from rights documents.
    withheld: HashSet<(usize, String)>,
    /// Types of which some file says `documents`.
    said: HashSet<usize>,
    count: usize,
}

impl Merging {
    /// Checks whether the type is the file's to add to (`edges.md` §2, Catalogue files).
    fn may_add(&self, loaded: &Loaded, kind: &str, form: &TypeForm) -> Result<(), TypeFault> {
        let known = self.by_name.get(kind).and_then(|place| self.types.get(*place));
        let Some(known) = known.filter(|_| !loaded.built_in) else { return Ok(()) };
        if !OPEN_TYPES.contains(&kind) {
            return Err(TypeFault::Foreign(known.catalogues.first().cloned().unwrap_or_default()));
        }
        let said = [
            ("in", !form.parents.is_empty()),
            ("documents", form.documents.is_some()),
            ("shared_down", form.shared_down.is_some()),
            ("product", form.product.is_some()),
        ];
        match said.into_iter().find(|(_, said)| *said) {
            Some((key, _)) => Err(TypeFault::Closed(key)),
            None => Ok(()),
        }
    }

    fn add(&mut self, loaded: &Loaded, kind: &str, form: &TypeForm) -> Result<(), CatalogueError> {
        let file = &loaded.form.catalogue;
        let added = self.by_name.contains_key(kind) && !loaded.built_in;
        let place = *self.by_name.entry(kind.to_owned()).or_insert(self.types.len());
        if place == self.types.len() {
            self.types.push(Type::new(kind));
        }
        let Some(known) = self.types.get_mut(place) else { return Ok(()) };
        known.catalogues.push(file.clone());
        for parent in &form.parents {
            if !known.parents.contains(parent) {
                known.parents.push(parent.clone());
            }
        }
        if form.product.is_some() {
            if known.product.is_some() && known.product != form.product {
                let product = form.product.clone().unwrap_or_default();
                return Err(type_error(file, kind, TypeFault::Product(product)));
            }
            known.product.clone_from(&form.product);
        }
        if form.documents.is_some() || added {
            self.said.insert(place);
        }
        for action in &form.actions {
            let new = !known.actions.contains(action);
            let left = form.documents.as_ref().is_none_or(|list| list.contains(action));
            // What an operator adds to a core type is withheld; what it only says again changes nothing.
            if (added && new) || !left {
                self.withheld.insert((place, action.clone()));
            }
            if !new {
                continue;
            }
            self.count += 1;
            for (what, count, limit) in [
                ("the actions of a type", known.actions.len(), MOST_ACTIONS),
                ("the permissions of all catalogues", self.count - 1, MOST_PERMISSIONS),
            ] {
                if count >= limit {
                    return Err(CatalogueError::Limit { file: file.clone(), what, limit });
                }
            }
            known.actions.push(action.clone());
        }
        Ok(())
    }

    /// Gives each permission its number, and works out what needs numbers.
    fn number(self, files: &[Loaded]) -> Result<Types, CatalogueError> {
        let mut types = Types { list: self.types, by_name: self.by_name, ..Types::default() };
        for (place, kind) in types.list.iter_mut().enumerate() {
            if kind.parents.is_empty() && kind.name != "account" {
                let file = kind.catalogues.first().cloned().unwrap_or_default();
                return Err(type_error(&file, &kind.name, TypeFault::Nowhere));
            }
            // MOST_PERMISSIONS is far below where this could fail.
            kind.first = u16::try_from(types.permissions.len()).unwrap_or(u16::MAX);
            for (permission, action) in (kind.first..).map(Permission).zip(&kind.actions) {
                let name = format!("{}.{action}", kind.name);
                types.permissions.push(Entry { name, dot: kind.name.len() });
                types.by_action.entry(action.clone()).or_default().insert(permission);
                types.all.insert(permission);
            }
            for parent in &kind.parents {
                types.children.entry(parent.clone()).or_default().push(place);
            }
            if self.said.contains(&place) {
                let left = |action: &&String| !self.withheld.contains(&(place, (*action).clone()));
                kind.documents = Some(kind.actions.iter().filter(left).cloned().collect());
            }
        }
        for (kind, form) in files.iter().flat_map(|file| file.form.resource_types.iter()) {
            for action in form.shared_down.iter().flatten() {
                let permission = types.permission(kind, action);
                let known = types.by_name.get(kind).and_then(|place| types.list.get_mut(*place));
                if let (Some(permission), Some(known)) = (permission, known) {
                    known.shared_down.insert(permission);
                    types.shared_down.insert(permission);
                }
            }
        }
        Ok(types)
    }
}

impl Type {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            parents: Vec::new(),
            actions: Vec::new(),
            product: None,
            documents: None,
            shared_down: PermissionSet::new(),
            catalogues: Vec::new(),
            first: 0,
        }
    }
}
