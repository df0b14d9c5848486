//! Roles: keys checked, patterns to sets, names to numbers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Loaded;
use super::error::{CatalogueError, RoleFault, UnknownPattern};
use super::file::RoleForm;
use super::includes;
use super::names;
use super::pattern::Pattern;
use super::set::PermissionSet;
use super::types::Types;
use crate::model::{Condition, Holder, Reach, Relation, UserKind};

/// The most roles of all catalogues together.
const MOST_ROLES: usize = 4096;
/// The name of a role that is held without being given (`model.md` §4).
const BASELINE: &str = "(none)";

/// One built-in role of one [`super::Catalogue`]: its number there, without meaning in any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleIx(pub(super) u16);

impl RoleIx {
    /// Returns the number, from 0 and gapless.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A role of a catalogue (`model.md` §4).
#[derive(Debug, Clone)]
pub struct Role {
    /// The catalogue that declares it.
    pub catalogue: String,
    /// Its bare name.
    pub name: String,
    /// `catalogue/name`.
    pub full_name: Arc<str>,
    /// What it is for.
    pub description: String,
    /// Who can be given it, in order, each once.
    pub assignable_to: Vec<Holder>,
    /// How far its own permissions reach.
    pub reach: Reach,
    /// Which users its own permissions count for; `None` = it gives nothing on users.
    pub on: Option<Relation>,
    /// The condition of its own permissions.
    pub when: Option<Arc<Condition>>,
    /// The roles it includes, as written, not those that these include.
    pub includes: Vec<RoleIx>,
    /// Patterns, as written.
    pub permits: Vec<String>,
    /// Patterns taken out of `permits`, as written.
    pub except: Vec<String>,
    /// `permits` without `except`; of an inactive role too.
    pub own: PermissionSet,
    /// What it gives: its own part, then those of the roles it includes, each role once. Empty if inactive.
    pub parts: Vec<Arc<Part>>,
    /// All permissions of `parts` together.
    pub expanded: PermissionSet,
    /// Roles of the holder that count for users with the same parent too.
    pub widens: Vec<RoleIx>,
    /// Whether it denies its holder everything but sign-in and its own sessions.
    pub suppress: bool,
    /// Whether it gives anything.
    pub active: bool,
    /// Whether its own `permits` has the lone `*`: every permission, now and later.
    pub lone_star: bool,
    /// The kinds of user that hold it without being given it; only of `(none)`.
    pub held_by: Vec<UserKind>,
}

/// What a role gives under one reach, relation and condition: its own, or that of a role it includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What is given; never empty.
    pub permissions: PermissionSet,
    /// How far.
    pub reach: Reach,
    /// On which users; `None` = on none.
    pub on: Option<Relation>,
    /// Under which condition, if any.
    pub when: Option<Arc<Condition>>,
}

impl Role {
    /// Returns a role that is nothing and gives nothing.
    pub(super) fn nothing() -> Self {
        Self {
            catalogue: String::new(),
            name: String::new(),
            full_name: Arc::default(),
            description: String::new(),
            assignable_to: Vec::new(),
            reach: Reach::Account,
            on: None,
            when: None,
            includes: Vec::new(),
            permits: Vec::new(),
            except: Vec::new(),
            own: PermissionSet::new(),
            parts: Vec::new(),
            expanded: PermissionSet::new(),
            widens: Vec::new(),
            suppress: false,
            active: false,
            lone_star: false,
            held_by: Vec::new(),
        }
    }

    /// Returns whether it is a `(none)`: held without being given, and never named by anybody.
    pub fn is_baseline(&self) -> bool {
        self.name == BASELINE
    }
}

/// Compiles the roles of all files. `visible` is, for each file, what its patterns expand over.
pub(super) fn compile(
    files: &[Loaded],
    types: &Types,
    visible: &[PermissionSet],
) -> Result<(Vec<Role>, HashMap<String, RoleIx>), CatalogueError> {
    let by_full = number(files)?;
    let mut roles = Vec::with_capacity(by_full.len());
    for (loaded, visible) in files.iter().zip(visible) {
        for (name, form) in loaded.form.roles.iter() {
            let reading = Compiling { loaded, types, visible, by_full: &by_full };
            let fail = |fault| role_error(&loaded.form.catalogue, name, fault);
            roles.push(reading.role(name, form).map_err(fail)?);
        }
    }
    includes::lay_flat(&mut roles)?;
    Ok((roles, by_full))
}

/// Gives each role its number, in the order of files and of what they declare.
fn number(files: &[Loaded]) -> Result<HashMap<String, RoleIx>, CatalogueError> {
    let mut by_full = HashMap::new();
    for loaded in files {
        let file = &loaded.form.catalogue;
        for (name, _) in loaded.form.roles.iter() {
            let ix = u16::try_from(by_full.len()).ok().filter(|ix| usize::from(*ix) < MOST_ROLES);
            let Some(ix) = ix else {
                let (file, what) = (file.clone(), "the roles of all catalogues");
                return Err(CatalogueError::Limit { file, what, limit: MOST_ROLES });
            };
            by_full.insert(format!("{file}/{name}"), RoleIx(ix));
        }
    }
    Ok(by_full)
}

pub(super) fn role_error(file: &str, role: &str, fault: RoleFault) -> CatalogueError {
    CatalogueError::Role { file: file.to_owned(), role: role.to_owned(), fault }
}

/// What is at hand while one role is read.
struct Compiling<'a> {
    loaded: &'a Loaded,
    types: &'a Types,
    visible: &'a PermissionSet,
    by_full: &'a HashMap<String, RoleIx>,
}

impl Compiling<'_> {
    fn role(&self, name: &str, form: &RoleForm) -> Result<Role, RoleFault> {
        self.check_form(name, form)?;
        let own = self.own(form)?;
        let mut assignable_to = form.assignable_to.clone();
        assignable_to.sort_unstable();
        assignable_to.dedup();
        Ok(Role {
            catalogue: self.loaded.form.catalogue.clone(),
            name: name.to_owned(),
            full_name: format!("{}/{name}", self.loaded.form.catalogue).into(),
            description: form.description.clone(),
            assignable_to,
            reach: form.reach,
            on: form.on,
            when: form.when.as_deref().map(Condition::compile).transpose()?.map(Arc::new),
            includes: self.find_all("includes", &form.includes)?,
            permits: form.permits.clone(),
            except: form.except.clone(),
            own,
            parts: Vec::new(),
            expanded: PermissionSet::new(),
            widens: self.find_all("widens", &form.widens)?,
            suppress: form.suppress,
            active: form.active,
            lone_star: form.permits.iter().any(|pattern| pattern == "*"),
            held_by: form.held_by.iter().copied().map(UserKind::from).collect(),
        })
    }

    /// Checks name and keys.
    fn check_form(&self, name: &str, form: &RoleForm) -> Result<(), RoleFault> {
        if name != BASELINE && !is_role_name(name) {
            return Err(RoleFault::Name);
        }
        let lone_star = form.permits.iter().chain(&form.except).any(|pattern| pattern == "*");
        let reserved = [
            (BASELINE, name == BASELINE),
            ("held_by", !form.held_by.is_empty()),
            ("suppress", form.suppress),
            ("widens", !form.widens.is_empty()),
            ("*", lone_star),
        ];
        if let Some((key, _)) = reserved.iter().find(|(_, used)| *used && !self.loaded.built_in) {
            return Err(RoleFault::BuiltInOnly(key));
        }
        let baseline = name == BASELINE;
        if baseline == form.held_by.is_empty() || (baseline && !form.assignable_to.is_empty()) {
            return Err(RoleFault::Baseline);
        }
        // What such a role does it does for good: nobody looks at a condition there.
        if form.when.is_some() && (form.suppress || !form.widens.is_empty()) {
            return Err(RoleFault::Unconditional);
        }
        Ok(())
    }

    /// Expands `permits` and takes `except` out of it.
    fn own(&self, form: &RoleForm) -> Result<PermissionSet, RoleFault> {
        let mut permits = PermissionSet::new();
        for pattern in distinct(&form.permits) {
            permits.union_with(&self.expand(pattern)?);
        }
        let mut own = permits.clone();
        for pattern in distinct(&form.except) {
            let except = self.expand(pattern)?;
            if !except.is_subset(&permits) {
                return Err(RoleFault::Except(pattern.to_owned()));
            }
            own.difference_with(&except);
        }
        for pattern in distinct(&form.inferred) {
            if !self.expand(pattern)?.is_subset(&own) {
                return Err(RoleFault::Inferred(pattern.to_owned()));
            }
        }
        Ok(own)
    }

    fn expand(&self, pattern: &str) -> Result<PermissionSet, UnknownPattern> {
        let found = Pattern::parse(pattern).map(|parsed| parsed.expand(self.types, self.visible));
        found.filter(|set| !set.is_empty()).ok_or_else(|| UnknownPattern {
            pattern: pattern.to_owned(),
            nearest: names::nearest_patterns(self.types, self.visible, pattern),
        })
    }

    fn find_all(&self, key: &'static str, names: &[String]) -> Result<Vec<RoleIx>, RoleFault> {
        let mut found = Vec::new();
        for name in distinct(names) {
            let ix = self.find(name);
            found.push(ix.ok_or_else(|| RoleFault::Unknown { key, role: name.to_owned() })?);
        }
        Ok(found)
    }

    /// Finds `NAME` in this file, `catalogue/NAME` also in those it uses.
    fn find(&self, written: &str) -> Option<RoleIx> {
        let own = self.loaded.form.catalogue.as_str();
        let (file, name) = written.split_once('/').unwrap_or((own, written));
        let may = name != BASELINE && self.loaded.sees(file);
        may.then(|| self.by_full.get(&format!("{file}/{name}")).copied()).flatten()
    }
}

fn distinct(texts: &[String]) -> impl Iterator<Item = &str> {
    let mut seen = HashSet::new();
    texts.iter().map(String::as_str).filter(move |text| seen.insert(*text))
}

fn is_role_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b))
}
