//! Catalogues: resource types, their actions, and built-in roles, as data (`model.md` §4).
//!
//! A [`Catalogue`] is made once from all files that are loaded and never changes: patterns are expanded to sets and names
//! to numbers here, so that deciding does neither. Numbers hold for one catalogue only; rows and the ledger keep names.

mod compile;
mod diff;
mod documents;
mod error;
mod file;
mod includes;
mod lying;
mod names;
mod pattern;
mod set;
#[cfg(test)]
mod tests;
mod types;

use std::borrow::Cow;
use std::collections::HashSet;

use crate::model::{Body, DocId, Holder, ResourcePath, SystemDocument, UserKind};

pub use compile::{Part, Role, RoleIx};
pub use diff::{Difference, RoleDifference, Standing};
pub use documents::BodyFault;
pub use error::{CatalogueError, ProductFault, RoleFault, TypeFault, UnknownPattern, Unresolved};
pub use file::CatalogueFile;
pub use set::{Permission, PermissionSet};
pub use types::Type;

use documents::Documents;
use file::File;
use lying::Lying;
use names::RoleNames;
use pattern::Pattern;
use types::Types;

/// The files that are built into the program, in the order of numbering.
const BUILT_IN: [(&str, &str); 4] = [
    ("core", include_str!("built_in/core.yaml")),
    ("ringcx", include_str!("built_in/ringcx.yaml")),
    ("restcomm", include_str!("built_in/restcomm.yaml")),
    ("voximplant", include_str!("built_in/voximplant.yaml")),
];

/// Returns the files that are built into the program, `core` first.
pub fn built_in() -> Result<Vec<CatalogueFile>, CatalogueError> {
    BUILT_IN.into_iter().map(|(_, yaml)| CatalogueFile::read(yaml.to_owned())).collect()
}

/// Returns whether `name` is that of a built-in file, which no operator's file may replace (`edges.md` §2).
pub fn is_built_in(name: &str) -> bool {
    rank(name).is_some()
}

fn rank(name: &str) -> Option<usize> {
    BUILT_IN.iter().position(|(known, _)| *known == name)
}

/// A file that has been read, while all of them are compiled.
#[derive(Debug)]
struct Loaded {
    form: File,
    built_in: bool,
}

impl Loaded {
    fn read(file: &CatalogueFile) -> Result<Self, CatalogueError> {
        let form = File::read(&file.name, &file.yaml)?;
        if form.catalogue != file.name || form.version != file.version {
            return Err(CatalogueError::Header {
                file: file.name.clone(),
                version: file.version,
                found: form.catalogue,
                found_version: form.version,
            });
        }
        if !types::is_name(&form.catalogue) {
            return Err(CatalogueError::Name(form.catalogue));
        }
        let built_in = is_built_in(&form.catalogue);
        Ok(Self { form, built_in })
    }

    fn info(self, names: &RoleNames, permissions: PermissionSet) -> FileInfo {
        let File { catalogue: name, version, uses, resource_types, roles, .. } = self.form;
        let types = resource_types.iter().map(|(kind, _)| kind.to_owned()).collect();
        let full = roles.iter().map(|(role, _)| format!("{name}/{role}"));
        let roles = full.filter_map(|full| names.full(&full)).collect();
        FileInfo { name, version, uses, types, roles, permissions }
    }

    /// Returns whether its patterns and names look into catalogue `name`: itself, and those it uses.
    fn sees(&self, name: &str) -> bool {
        self.form.catalogue == name || self.form.uses.iter().any(|used| used == name)
    }
}

/// What is known of one loaded file.
#[derive(Debug, Clone)]
pub struct FileInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// The catalogues its patterns also look into.
    pub uses: Vec<String>,
    /// The names of the types it declares or adds to, in its order.
    pub types: Vec<String>,
    /// Its roles, in its order.
    pub roles: Vec<RoleIx>,
    /// The permissions it declares, those that others declare too among them.
    pub permissions: PermissionSet,
}

/// All loaded catalogues, as one (`model.md` §4).
#[derive(Debug)]
pub struct Catalogue {
    files: Vec<FileInfo>,
    types: Types,
    roles: Vec<Role>,
    names: RoleNames,
    admin: Vec<RoleIx>,
    service: Vec<RoleIx>,
    application: Vec<RoleIx>,
    nothing: Role,
    documents: Documents,
    lying: Lying,
}

impl Catalogue {
    /// Reads and compiles all files, or tells the first fault. The order in which they are given is of no account.
    pub fn build(files: &[CatalogueFile]) -> Result<Self, CatalogueError> {
        let files = load(files)?;
        let (types, declared) = Types::merge(&files)?;
        let visible: Vec<PermissionSet> =
            files.iter().map(|loaded| visible(loaded, &files, &declared)).collect();
        let (roles, by_full) = compile::compile(&files, &types, &visible)?;
        let names = RoleNames::new(by_full, &roles);
        let documents = Documents::build(&files, &types)?;
        let infos = files.into_iter().zip(declared);
        let infos = infos.map(|(loaded, permissions)| loaded.info(&names, permissions));
        let files = infos.collect();
        let held_by = |kind: UserKind| {
            let held = roles.iter().filter(|role| role.held_by.contains(&kind));
            held.filter_map(|role| names.full(&role.full_name)).collect()
        };
        let (admin, service) = (held_by(UserKind::Admin), held_by(UserKind::Service));
        let application = held_by(UserKind::Application);
        let nothing = Role::nothing();
        let lying = Lying::of(&types);
        Ok(Self {
            files,
            types,
            roles,
            names,
            admin,
            service,
            application,
            nothing,
            documents,
            lying,
        })
    }

    /// Returns the loaded files, the built-in ones first, then by name.
    pub fn files(&self) -> &[FileInfo] {
        &self.files
    }

    /// Returns all resource types, in the order of files and of what they declare.
    pub fn types(&self) -> &[Type] {
        self.types.list()
    }

    /// Finds a type by its name in lower case.
    pub fn kind(&self, type_name: &str) -> Option<&Type> {
        self.types.get(type_name)
    }

    /// Holds the containment that a path states against what is declared; says what is wrong with it.
    pub fn check_containment(&self, path: &ResourcePath) -> Result<(), String> {
        let mut above = "account";
        for pair in &path.pairs {
            let kind = self
                .kind(&pair.kind)
                .ok_or_else(|| format!("`{}` is no resource type", pair.kind))?;
            if !kind.parents.iter().any(|parent| parent == above) {
                let allowed = kind.parents.join(", ");
                return Err(format!(
                    "`{}` does not lie in `{above}`; it lies in: {allowed}",
                    pair.kind
                ));
            }
            above = &pair.kind;
        }
        Ok(())
    }

    /// Finds a permission by type and action in lower case.
    pub fn permission(&self, kind: &str, action: &str) -> Option<Permission> {
        self.types.permission(kind, action)
    }

    /// Finds a permission by `type.action`, in any case of letters.
    pub fn parse(&self, text: &str) -> Option<Permission> {
        let text = lower(text);
        let (kind, action) = text.split_once('.')?;
        self.permission(kind, action)
    }

    /// Returns `type.action`; empty for a permission of another catalogue that is unknown here.
    pub fn name(&self, permission: Permission) -> &str {
        self.types.name(permission)
    }

    /// Lists the names of a set, sorted.
    pub fn sorted_names(&self, set: &PermissionSet) -> Vec<String> {
        let mut names: Vec<String> = set.iter().map(|one| self.name(one).to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Returns the name of its type.
    pub fn kind_of(&self, permission: Permission) -> &str {
        self.types.kind_of(permission)
    }

    /// Returns its action.
    pub fn action_of(&self, permission: Permission) -> &str {
        self.types.action_of(permission)
    }

    /// Returns whether the catalogue `core` declares it.
    pub fn is_core(&self, permission: Permission) -> bool {
        self.types.core().contains(permission)
    }

    /// Returns whether a holder has it also on resources of the accounts above.
    pub fn is_shared_down(&self, permission: Permission) -> bool {
        self.types.shared_down().contains(permission)
    }

    /// Returns what can be asked on a path that names a user.
    pub const fn under_users(&self) -> &PermissionSet {
        &self.lying.under_users
    }

    /// Returns what can be asked on a path that names none.
    pub const fn outside_users(&self) -> &PermissionSet {
        &self.lying.elsewhere
    }

    /// Returns every permission: what a lone `*` means.
    pub const fn all(&self) -> &PermissionSet {
        self.types.all()
    }

    /// Finds a role by `catalogue/NAME`, `(none)` included.
    pub fn role(&self, full: &str) -> Option<RoleIx> {
        self.names.full(full)
    }

    /// Returns a role; for a number of another catalogue that is unknown here, one that gives nothing.
    pub fn get(&self, role: RoleIx) -> &Role {
        self.roles.get(role.index()).unwrap_or(&self.nothing)
    }

    /// Walks all roles, in the order of files and of what they declare.
    pub fn roles(&self) -> impl Iterator<Item = (RoleIx, &Role)> {
        self.files.iter().flat_map(|file| &file.roles).map(|ix| (*ix, self.get(*ix)))
    }

    /// Finds the role that somebody means for `holder`: `catalogue/NAME`, or a bare name among those it can be given.
    ///
    /// Names are taken letter by letter. `(none)` is never found, nor any role that `holder` cannot be given.
    pub fn resolve(&self, written: &str, holder: Holder) -> Result<RoleIx, Unresolved> {
        self.names.resolve(&self.roles, written, holder)
    }

    /// Returns the name to show: bare where [`Self::resolve`] takes it back for every holder that the role can be given
    /// to, else `catalogue/NAME`.
    pub fn bare(&self, role: RoleIx) -> &str {
        self.names.bare(&self.roles, self.get(role))
    }

    /// Returns the roles that every user of a kind holds without being given them.
    pub fn baseline(&self, kind: UserKind) -> &[RoleIx] {
        match kind {
            UserKind::Admin => &self.admin,
            UserKind::Service => &self.service,
            UserKind::Application => &self.application,
        }
    }

    /// Expands a pattern over every loaded permission, in any case of letters.
    pub fn expand(&self, pattern: &str) -> Result<PermissionSet, UnknownPattern> {
        let lower = lower(pattern);
        let found = Pattern::parse(&lower).map(|parsed| parsed.expand(&self.types, self.all()));
        found.filter(|set| !set.is_empty()).ok_or_else(|| UnknownPattern {
            pattern: pattern.to_owned(),
            nearest: names::nearest_patterns(&self.types, self.all(), pattern),
        })
    }

    /// Returns at most 3 names of permissions that may have been meant, best first.
    pub fn nearest_permissions(&self, text: &str) -> Vec<String> {
        names::nearest_permissions(&self.types, self.all(), text)
    }

    /// Returns at most 3 names of roles, such as `holder` can be given, that may have been meant, best first.
    pub fn nearest_roles(&self, text: &str, holder: Holder) -> Vec<String> {
        self.names.nearest(&self.roles, text, holder)
    }

    /// Returns the products with their types, each as its catalogue writes it.
    pub fn products(&self) -> &[(String, Vec<String>)] {
        self.documents.products()
    }

    /// Returns the documents that are in every account, in the order of files and of what they declare.
    pub fn system_documents(&self) -> &[SystemDocument] {
        self.documents.system()
    }

    /// Finds a document that is in every account.
    pub fn system_document(&self, id: DocId) -> Option<&SystemDocument> {
        self.system_documents().iter().find(|document| document.id == id)
    }

    /// Writes what a rights document gives as the catalogues write it, or tells what is wrong with it, at most 32 things.
    pub fn check_body(&self, body: Body) -> Result<Body, Vec<BodyFault>> {
        self.documents.check(&self.types, body)
    }

    /// Returns whether a rights document may give this.
    pub fn is_for_documents(&self, permission: Permission) -> bool {
        self.documents.givable().contains(permission)
    }

    /// Returns what a rights document gives by an action, on whatever type.
    pub fn by_action(&self, action: &str) -> Option<&PermissionSet> {
        self.documents.by_action(action)
    }

    /// Returns what can be done to things that may lie in one of type `container`, at any depth.
    pub fn inside(&self, container: &str) -> PermissionSet {
        let kinds = self.types.inside(container, "");
        kinds.into_iter().flat_map(|kind| self.types.of_type(kind)).collect()
    }

    /// Returns whether a rights document may give anything on this type.
    pub fn has_documents(&self, kind: &Type) -> bool {
        kind.documents.as_ref().is_none_or(|actions| !actions.is_empty())
    }

    /// Returns whether a role here has a bare name that [`crate::model::fold`]s to `folded_name` (`edges.md` §1).
    pub fn has_role_named(&self, folded_name: &str) -> bool {
        self.names.has_folded(folded_name)
    }
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// Reads all files and puts them in the order of numbering.
fn load(files: &[CatalogueFile]) -> Result<Vec<Loaded>, CatalogueError> {
    let mut loaded = files.iter().map(Loaded::read).collect::<Result<Vec<_>, _>>()?;
    loaded.sort_by_cached_key(|file| {
        let name = &file.form.catalogue;
        (rank(name).unwrap_or(BUILT_IN.len()), name.clone())
    });
    let mut names = HashSet::new();
    if let Some(twice) = loaded.iter().find(|file| !names.insert(file.form.catalogue.as_str())) {
        return Err(CatalogueError::Twice(twice.form.catalogue.clone()));
    }
    for file in &loaded {
        if let Some(unknown) = file.form.uses.iter().find(|used| !names.contains(used.as_str())) {
            let (file, uses) = (file.form.catalogue.clone(), unknown.clone());
            return Err(CatalogueError::Uses { file, uses });
        }
    }
    Ok(loaded)
}

/// Returns what a file's patterns expand over: what it and those it uses declare.
fn visible(loaded: &Loaded, files: &[Loaded], declared: &[PermissionSet]) -> PermissionSet {
    let mut visible = PermissionSet::new();
    for (other, declared) in files.iter().zip(declared) {
        if loaded.sees(&other.form.catalogue) {
            visible.union_with(declared);
        }
    }
    visible
}
