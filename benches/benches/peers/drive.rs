//! Files that are shared, after the `gdrive` of the Cedar paper: users in groups in groups, documents in folders in
//! folders, each with viewers and an owner, and half of the documents read by everybody.
//!
//! It differs from the paper's in that a folder lies in one other at most, since here the path is the containment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use benches::figures::Chance;
use benches::rbac::list;
use benches::world;
use chancery::decision::Facts;
use chancery::model::{Body, Named, ResourcePath, ResourcePermissions};

use crate::cedar::Cedar;
use crate::workload::{Asked, Casbin, NESTED, Ours, Workload, half_permitted};

/// Users, groups, folders, documents: so many of each.
const EACH: usize = 50;
/// How many of all edges that could be are, in a hundred.
const EDGES: usize = 5;
/// Permits asked, and denies.
const ASKED: usize = 500;

const ACTIONS: [&str; 3] = ["read", "write", "share"];

const YAML: &str = "
catalogue: drive
uses: [core]
version: 1
resource_types:
  folder: { in: [account, folder], actions: [read, write, share] }
  document: { in: [folder], actions: [read, write, share] }
";

const POLICIES: &str = r#"
permit(principal, action == Action::"document.read", resource)
  when { resource.public || resource in principal.view };
permit(principal, action, resource)
  when { resource in principal.folders || resource in principal.documents };
"#;

/// Of the indexed form, beside one for each view.
const SHARED: &str = r#"
permit(principal, action == Action::"document.read", resource) when { resource.public };
permit(principal, action, resource)
  when { resource in principal.folders || resource in principal.documents };
"#;

/// Who sees a thing, and whose it is.
struct Thing {
    users: Vec<usize>,
    groups: Vec<usize>,
    owner: usize,
    /// The folder it lies in.
    within: Option<usize>,
}

struct Data {
    /// The groups of each user.
    member: Vec<Vec<usize>>,
    /// The groups of each group, all of a lower number.
    nested: Vec<Vec<usize>>,
    folders: Vec<Thing>,
    documents: Vec<Thing>,
    public: Vec<bool>,
}

pub(crate) fn workload() -> Workload {
    let mut chance = Chance::new(13);
    let data = Data::draw(&mut chance);
    let asked = data.asked(&mut chance);
    let ours = data.ours(&asked);
    Workload {
        name: "Drive",
        size: format!("{EACH} users, groups, folders and documents, each edge with {EDGES} in 100"),
        ours,
        cedar: data.cedar(),
        indexed: data.indexed(),
        casbin: data.casbin(),
        asked,
    }
}

fn some(chance: &mut Chance, of: usize) -> Vec<usize> {
    (0..of).filter(|_| chance.percent(EDGES)).collect()
}

impl Data {
    fn draw(chance: &mut Chance) -> Self {
        let member = (0..EACH).map(|_| some(chance, EACH)).collect();
        let nested = (0..EACH).map(|group| some(chance, group)).collect();
        let mut thing = |within: Option<usize>| Thing {
            users: some(chance, EACH),
            groups: some(chance, EACH),
            owner: chance.below(EACH),
            within,
        };
        let mut places = Chance::new(17);
        let folders = (0..EACH)
            .map(|n| thing((n > 0 && places.percent(50)).then(|| places.below(n))))
            .collect();
        let documents = (0..EACH).map(|_| thing(Some(places.below(EACH)))).collect();
        let public = (0..EACH).map(|_| places.percent(50)).collect();
        Self { member, nested, folders, documents, public }
    }

    /// All groups of a user, those above its own included.
    fn groups_of(&self, user: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = self.member[user].clone();
        while let Some(group) = open.pop() {
            if found.insert(group) {
                open.extend(&self.nested[group]);
            }
        }
        found
    }

    /// The folders that a document lies in, innermost first.
    fn folders_of(&self, document: usize) -> Vec<usize> {
        std::iter::successors(self.documents[document].within, |at| self.folders[*at].within)
            .collect()
    }

    fn permits(&self, user: usize, document: usize, action: &str) -> bool {
        let groups = self.groups_of(user);
        let folders = self.folders_of(document).into_iter().map(|at| &self.folders[at]);
        let sees = |thing: &Thing| {
            thing.users.contains(&user) || thing.groups.iter().any(|group| groups.contains(group))
        };
        let reads = action == "read";
        (reads && self.public[document])
            || std::iter::once(&self.documents[document])
                .chain(folders)
                .any(|thing| thing.owner == user || (reads && sees(thing)))
    }

    fn asked(&self, chance: &mut Chance) -> Vec<Asked> {
        half_permitted(ASKED, || {
            let (user, id) = (chance.below(EACH), chance.below(EACH));
            let action = ACTIONS[chance.below(ACTIONS.len())].to_owned();
            let permit = self.permits(user, id, &action);
            Asked { user, kind: "document".to_owned(), id, action, permit }
        })
    }

    fn things(&self) -> impl Iterator<Item = (&'static str, usize, &Thing)> {
        let folders = self.folders.iter().enumerate().map(|(n, thing)| ("folder", n, thing));
        let documents = self.documents.iter().enumerate().map(|(n, thing)| ("document", n, thing));
        folders.chain(documents)
    }

    /// A group is a rights document given to its members, a user's own shares are one given to it, and what is public is
    /// one given to everybody.
    fn ours(&self, asked: &[Asked]) -> Ours {
        let mut bodies: BTreeMap<usize, Body> =
            (0..=2 * EACH).map(|n| (n, Body::default())).collect();
        let mut put = |document: usize, kind: &str, id: usize, actions: &[&str]| {
            bodies.get_mut(&document).unwrap().resource_permissions.push(ResourcePermissions {
                resource_type: kind.to_owned(),
                resource_id: id.to_string(),
                permissions: actions.iter().map(|&action| action.to_owned()).collect(),
                cascade: true,
            });
        };
        for (kind, id, thing) in self.things() {
            thing.users.iter().for_each(|user| put(*user, kind, id, &["read"]));
            thing.groups.iter().for_each(|group| put(EACH + group, kind, id, &["read"]));
            put(thing.owner, kind, id, &ACTIONS);
        }
        (0..EACH).filter(|n| self.public[*n]).for_each(|n| put(2 * EACH, "document", n, &["read"]));
        let given = (0..EACH).flat_map(|user| {
            let groups = self.groups_of(user).into_iter().map(|group| EACH + group);
            [user, 2 * EACH].into_iter().chain(groups).map(move |n| world::assignment(n, user))
        });
        let facts = Facts {
            users: (0..EACH).map(|n| world::user(n, world::MAIN)).collect(),
            documents: bodies.into_iter().map(|(n, body)| world::document(n, body)).collect(),
            assignments: given.collect(),
            ..Facts::default()
        };
        let path = |asked: &Asked| {
            let account = ResourcePath::account(world::MAIN);
            let folders = self.folders_of(asked.id).into_iter().rev();
            let within =
                folders.fold(account, |path, n| path.with("folder", Named::Id(n.to_string())));
            within.with("document", Named::Id(asked.id.to_string()))
        };
        Ours {
            world: world::tenant(&world::catalogue(Some(YAML.to_owned())), facts),
            paths: asked.iter().map(path).collect(),
        }
    }

    /// What somebody sees lies in its view; the view of a group lies in those of its members.
    fn cedar(&self) -> Cedar {
        let mut cedar = Cedar { policies: POLICIES.to_owned(), ..Cedar::default() };
        let view = |kind: &str, n: usize| format!(r#"View::"{kind}{n}""#);
        let mut above =
            |entity: String, by: String| cedar.above.entry(entity).or_default().push(by);
        for (user, groups) in self.member.iter().enumerate() {
            for group in groups {
                above(view("group", *group), view("user", user));
            }
        }
        for (group, groups) in self.nested.iter().enumerate() {
            for upper in groups {
                above(view("group", *upper), view("group", group));
            }
        }
        for (kind, id, thing) in self.things() {
            let name = format!(r#"{kind}::"{id}""#);
            thing.users.iter().for_each(|user| above(name.clone(), view("user", *user)));
            thing.groups.iter().for_each(|group| above(name.clone(), view("group", *group)));
        }
        for user in 0..EACH {
            let value = ("view".to_owned(), view("user", user));
            cedar.attributes.entry(format!(r#"User::"{user}""#)).or_default().push(value);
            cedar.above.entry(view("user", user)).or_default();
        }
        self.owned(&mut cedar);
        cedar
    }

    /// What both forms say alike: whose things are, and which are public.
    fn owned(&self, cedar: &mut Cedar) {
        for (kind, id, thing) in self.things() {
            let folder = thing.within.iter().map(|folder| format!(r#"folder::"{folder}""#));
            cedar.above.entry(format!(r#"{kind}::"{id}""#)).or_default().extend(folder);
        }
        for (id, public) in self.public.iter().enumerate() {
            let value = vec![("public".to_owned(), public.to_string())];
            cedar.attributes.insert(format!(r#"document::"{id}""#), value);
        }
        for user in 0..EACH {
            let owned = |wanted: &str| {
                let mine =
                    self.things().filter(|(kind, _, of)| *kind == wanted && of.owner == user);
                list(mine.map(|(kind, id, _)| format!(r#"{kind}::"{id}""#)))
            };
            let values = [("folders", owned("folder")), ("documents", owned("document"))];
            let name = format!(r#"User::"{user}""#);
            let to = cedar.attributes.entry(name.clone()).or_default();
            to.extend(values.map(|(key, value)| (key.to_owned(), value)));
            cedar.above.entry(name).or_default();
        }
    }

    /// As the paper's `gdrive-templates`: a policy for each view of a user or of a group, in which users are.
    fn indexed(&self) -> Cedar {
        let mut cedar = Cedar { policies: SHARED.to_owned(), ..Cedar::default() };
        for (name, of) in [("User", &self.member), ("Group", &self.nested)] {
            for (n, groups) in of.iter().enumerate() {
                let groups = groups.iter().map(|group| format!(r#"Group::"{group}""#));
                cedar.above.insert(format!(r#"{name}::"{n}""#), groups.collect());
            }
        }
        for (kind, id, thing) in self.things() {
            let mut see = |who: &str, n: usize| {
                let read = r#"action == Action::"document.read""#;
                let to = &mut cedar.policies;
                writeln!(
                    to,
                    "permit(principal in {who}::\"{n}\", {read}, resource in {kind}::\"{id}\");"
                )
                .unwrap();
            };
            thing.users.iter().for_each(|n| see("User", *n));
            thing.groups.iter().for_each(|n| see("Group", *n));
        }
        self.owned(&mut cedar);
        cedar
    }

    fn casbin(&self) -> Casbin {
        let rule = |who: String, kind: &str, id: usize, action: &str| {
            vec![who, format!("{kind}{id}"), action.to_owned()]
        };
        let mut rules = BTreeSet::new();
        let mut lies = Vec::new();
        for (kind, id, thing) in self.things() {
            rules.extend(thing.users.iter().map(|n| rule(format!("u{n}"), kind, id, "read")));
            rules.extend(thing.groups.iter().map(|n| rule(format!("g{n}"), kind, id, "read")));
            rules.extend(ACTIONS.map(|action| rule(format!("u{}", thing.owner), kind, id, action)));
            lies.extend(thing.within.map(|at| vec![format!("{kind}{id}"), format!("folder{at}")]));
        }
        let public = (0..EACH).filter(|n| self.public[*n]);
        rules.extend(public.map(|id| rule("public".to_owned(), "document", id, "read")));
        let mut groups: Vec<Vec<String>> =
            (0..EACH).map(|user| vec![format!("u{user}"), "public".to_owned()]).collect();
        for (name, of) in [('u', &self.member), ('g', &self.nested)] {
            groups.extend(of.iter().enumerate().flat_map(|(n, of)| {
                of.iter().map(move |group| vec![format!("{name}{n}"), format!("g{group}")])
            }));
        }
        Casbin {
            model: NESTED,
            rules: rules.into_iter().collect(),
            groups: vec![("g", groups), ("g2", lies)],
            object: |asked| format!("document{}", asked.id),
        }
    }
}
