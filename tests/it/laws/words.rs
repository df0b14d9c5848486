//! What the catalogue files say of types, read from their texts and from nothing that the engine compiles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use chancery::model::catalogue::{Catalogue, CatalogueFile, built_in};
use chancery::model::{Body, DocId};
use serde_json::Value;

/// A file of an operator: documents in every account, types that lie in several others, and what is shared downwards.
const OPERATOR: &str = "
catalogue: acme
version: 1
uses: [core]
resource_types:
  account: { in: [], actions: [stamp] }
  cabinet: { in: [account], actions: [create, read, update, open] }
  library: { in: [account, cabinet], actions: [create, read, update, open], shared_down: [read, open] }
  shelf: { in: [cabinet, library], actions: [create, read, update, open, burn], documents: [create, read, open] }
  note: { in: [account, user], actions: [create, read, update] }
system_documents:
  READER: { name: Reader, account_permissions: [READ, REPORT] }
  BELOW: { name: Below, cascade: true, account_permissions: [OPEN], product_permissions: [{ product: ACD, permissions: [CREATE, READ], cascade: true }] }
  WIDE: { name: Wide, is_master: true, resource_permissions: [{ resource_type: CABINET, resource_id: '5', permissions: [CREATE, READ, OPEN], cascade: true }] }
";

/// The codes of the documents above.
pub(crate) const SYSTEM: &[&str] = &["READER", "BELOW", "WIDE"];

/// What of single resources they name that lies in accounts.
pub(crate) const SYSTEM_THINGS: &[(&str, &str)] = &[("cabinet", "5"), ("product", "ACD")];

fn files() -> Vec<CatalogueFile> {
    let mut files = built_in().unwrap();
    files.push(CatalogueFile::read(OPERATOR.to_owned()).unwrap());
    files
}

/// The catalogues, compiled once for all cases.
pub(crate) fn catalogue() -> Arc<Catalogue> {
    static BUILT: OnceLock<Arc<Catalogue>> = OnceLock::new();
    Arc::clone(BUILT.get_or_init(|| Arc::new(Catalogue::build(&files()).unwrap())))
}

/// One file's say on one type.
#[derive(Debug)]
struct Said {
    parents: Vec<String>,
    actions: Vec<String>,
    product: Option<String>,
    documents: Option<Vec<String>>,
    shared_down: Vec<String>,
}

/// What all files say of types.
#[derive(Debug)]
pub(crate) struct Words {
    /// By type what each file says of it.
    said: BTreeMap<String, Vec<(String, Said)>>,
    /// Documents that the files declare.
    pub(crate) system: Vec<Declared>,
}

/// A document that a file declares.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) id: DocId,
    pub(crate) master: bool,
    pub(crate) cascade: bool,
    pub(crate) body: Body,
}

fn declared(file: &str, code: &str, form: &Value) -> Declared {
    let lists = ["account_permissions", "product_permissions", "resource_permissions"];
    let said = form.as_object().unwrap().iter().filter(|(key, _)| lists.contains(&key.as_str()));
    let body: Value = said.map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut body: Body = serde_json::from_value(body).unwrap();
    let entries = (body.product_permissions.iter_mut().map(|entry| &mut entry.permissions))
        .chain(body.resource_permissions.iter_mut().map(|entry| &mut entry.permissions))
        .chain(std::iter::once(&mut body.account_permissions));
    for action in entries.flatten() {
        *action = action.to_ascii_lowercase();
    }
    for entry in &mut body.resource_permissions {
        entry.resource_type = entry.resource_type.to_ascii_lowercase();
    }
    Declared {
        id: DocId::of_system(file, code),
        master: form["is_master"] == true,
        cascade: form["cascade"] == true,
        body,
    }
}

fn list(value: &Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter().filter_map(Value::as_str);
    Some(texts.map(str::to_owned).collect())
}

pub(crate) fn words() -> &'static Words {
    static READ: OnceLock<Words> = OnceLock::new();
    READ.get_or_init(|| {
        let mut words = Words { said: BTreeMap::new(), system: Vec::new() };
        for file in files() {
            let form: Value = serde_saphyr::from_str(&file.yaml).unwrap();
            for (kind, said) in form["resource_types"].as_object().into_iter().flatten() {
                let said = Said {
                    parents: list(&said["in"]).unwrap_or_default(),
                    actions: list(&said["actions"]).unwrap_or_default(),
                    product: said["product"].as_str().map(str::to_owned),
                    documents: list(&said["documents"]),
                    shared_down: list(&said["shared_down"]).unwrap_or_default(),
                };
                words.said.entry(kind.clone()).or_default().push((file.name.clone(), said));
            }
            let system = form["system_documents"].as_object().into_iter().flatten();
            words.system.extend(system.map(|(code, form)| declared(&file.name, code, form)));
        }
        words
    })
}

impl Words {
    /// Whether `file` declares a permission.
    pub(crate) fn declares(&self, file: &str, permission: &str) -> bool {
        let (kind, action) = permission.split_once('.').unwrap();
        self.declaring(kind, action).any(|(by, _)| by == file)
    }

    /// Whether any file does.
    pub(crate) fn knows(&self, permission: &str) -> bool {
        let (kind, action) = permission.split_once('.').unwrap();
        self.declaring(kind, action).next().is_some()
    }

    /// What each file says of a type.
    fn of(&self, kind: &str) -> impl Iterator<Item = (&str, &Said)> {
        self.said.get(kind).into_iter().flatten().map(|(file, said)| (file.as_str(), said))
    }

    /// All actions of a type, whichever file declares them.
    pub(crate) fn actions(&self, kind: &str) -> BTreeSet<&str> {
        self.of(kind).flat_map(|(_, said)| said.actions.iter().map(String::as_str)).collect()
    }

    fn declaring(&self, kind: &str, action: &str) -> impl Iterator<Item = (&str, &Said)> {
        self.of(kind).filter(move |(_, said)| said.actions.iter().any(|one| one == action))
    }

    /// Whether a document may give it: all who declare it leave it to documents, and core's types are closed.
    pub(crate) fn is_for_documents(&self, kind: &str, action: &str) -> bool {
        let of_core = self.of(kind).any(|(file, _)| file == "core");
        let built_in = ["core", "ringcx", "restcomm", "voximplant"];
        let mut any = false;
        self.declaring(kind, action).all(|(file, said)| {
            any = true;
            said.documents.as_ref().is_none_or(|left| left.iter().any(|a| a == action))
                && (!of_core || built_in.contains(&file))
        }) && any
    }

    pub(crate) fn is_shared_down(&self, permission: &str) -> bool {
        let (kind, action) = permission.split_once('.').unwrap();
        self.of(kind).any(|(_, said)| said.shared_down.iter().any(|one| one == action))
    }

    /// Whether a type belongs to a product.
    pub(crate) fn is_of(&self, kind: &str, product: &str) -> bool {
        self.of(kind).any(|(_, said)| said.product.as_deref() == Some(product))
    }

    /// Whether things of a type may lie directly in one of another.
    pub(crate) fn lies_in(&self, kind: &str, container: &str) -> bool {
        self.of(kind).any(|(_, said)| said.parents.iter().any(|up| up == container))
    }

    /// Whether things of one type may lie in those of another, at any depth.
    pub(crate) fn lies_below(&self, kind: &str, container: &str) -> bool {
        let mut parents = self.of(kind).flat_map(|(_, said)| &said.parents);
        parents.any(|up| up == container || (up != kind && self.lies_below(up, container)))
    }
}
