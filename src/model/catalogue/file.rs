//! Catalogue files as they are written: YAML to structs, and nothing understood yet.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::CatalogueError;
use crate::model::{Holder, ProductPermissions, Reach, Relation, ResourcePermissions, UserKind};

/// The most bytes that the text of one file may have.
const LONGEST_TEXT: usize = 1 << 20;
/// Stands in errors for the name of a file that says none.
const UNNAMED: &str = "(unnamed)";

/// A catalogue file as it was applied: what the ledger keeps of it (`model.md` §4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueFile {
    /// Its name, as the text says it.
    pub name: String,
    /// Grows with each change; as the text says it.
    pub version: u32,
    /// The text, byte for byte.
    pub yaml: String,
}

impl CatalogueFile {
    /// Takes name and version out of a text. Whether its content holds is for [`super::Catalogue::build`] to say.
    pub fn read(yaml: String) -> Result<Self, CatalogueError> {
        let form = File::read(UNNAMED, &yaml)?;
        Ok(Self { name: form.catalogue, version: form.version, yaml })
    }
}

/// The whole of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) catalogue: String,
    pub(super) version: u32,
    #[serde(default)]
    pub(super) uses: Vec<String>,
    #[serde(default)]
    pub(super) resource_types: Entries<TypeForm>,
    #[serde(default)]
    pub(super) products: Entries<ProductForm>,
    #[serde(default)]
    pub(super) roles: Entries<RoleForm>,
    #[serde(default)]
    pub(super) system_documents: Entries<DocumentForm>,
}

/// One resource type, as far as this file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypeForm {
    #[serde(rename = "in", default)]
    pub(super) parents: Vec<String>,
    pub(super) actions: Vec<String>,
    pub(super) product: Option<String>,
    pub(super) documents: Option<Vec<String>>,
    pub(super) shared_down: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductForm {
    pub(super) types: Vec<String>,
}

/// One role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleForm {
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) assignable_to: Vec<Holder>,
    #[serde(default)]
    pub(super) reach: Reach,
    pub(super) on: Option<Relation>,
    pub(super) when: Option<String>,
    #[serde(default = "yes")]
    pub(super) active: bool,
    #[serde(default)]
    pub(super) includes: Vec<String>,
    #[serde(default)]
    pub(super) permits: Vec<String>,
    #[serde(default)]
    pub(super) except: Vec<String>,
    #[serde(default)]
    pub(super) widens: Vec<String>,
    #[serde(default)]
    pub(super) suppress: bool,
    #[serde(default)]
    pub(super) held_by: Vec<KindForm>,
    #[serde(default)]
    pub(super) inferred: Vec<String>,
    #[expect(dead_code, reason = "provenance is for people; here only its spelling is held")]
    pub(super) source: Option<Source>,
}

/// A document that is in every account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentForm {
    pub(super) name: String,
    #[serde(default)]
    pub(super) cascade: bool,
    #[serde(default)]
    pub(super) is_master: bool,
    #[serde(default)]
    pub(super) account_permissions: Vec<String>,
    #[serde(default)]
    pub(super) product_permissions: Vec<ProductPermissions>,
    #[serde(default)]
    pub(super) resource_permissions: Vec<ResourcePermissions>,
}

const fn yes() -> bool {
    true
}

/// A kind of user, in the lower case of catalogue files.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindForm {
    Admin,
    Service,
    Application,
}

impl From<KindForm> for UserKind {
    fn from(kind: KindForm) -> Self {
        match kind {
            KindForm::Admin => Self::Admin,
            KindForm::Service => Self::Service,
            KindForm::Application => Self::Application,
        }
    }
}

/// Where a role is from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    Seed,
    Spec,
    Page,
    Notes,
    Inferred,
}

impl File {
    /// Reads a text; `name` is what an error calls it.
    pub(super) fn read(name: &str, yaml: &str) -> Result<Self, CatalogueError> {
        if yaml.len() > LONGEST_TEXT {
            let (file, what) = (name.to_owned(), "the bytes of a file");
            return Err(CatalogueError::Limit { file, what, limit: LONGEST_TEXT });
        }
        // Aliases are counted as often as they are used: a small text must not unfold to a large one.
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_total_scalar_bytes: 2 * LONGEST_TEXT,
                max_nodes: 200_000,
                max_depth: 16,
            },
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(yaml, options).map_err(|error| CatalogueError::Form {
            file: name.to_owned(),
            text: error.without_snippet().to_string(),
        })
    }
}

/// A mapping in the order in which it is written, so that numbers and lists come out the same everywhere.
#[derive(Debug)]
pub(super) struct Entries<V>(pub(super) Vec<(String, V)>);

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Entries<V> {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub(super) fn get(&self, key: &str) -> Option<&V> {
        self.iter().find_map(|(found, value)| (found == key).then_some(value))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(InOrder(PhantomData))
    }
}

struct InOrder<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrder<V> {
    type Value = Entries<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping from names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, V>()? {
            // The reader of YAML refuses this as well, but only where it takes both keys for the same YAML.
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("`{key}` stands twice")));
            }
            entries.push((key, value));
        }
        Ok(Entries(entries))
    }
}
