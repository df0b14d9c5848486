//! Lists of tasks, after the `tiny-todo` of the Cedar paper: everybody makes lists; of each somebody is the owner, one team reads it
//! and one works on it; users are in teams in teams.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use benches::figures::Chance;
use benches::rbac::list;
use benches::world;
use chancery::decision::Facts;
use chancery::model::{Body, Named, ResourcePath, ResourcePermissions, RoleGrant};

use crate::cedar::Cedar;
use crate::workload::{Asked, Casbin, FLAT, Ours, Workload, half_permitted};

/// Users, teams, lists: so many of each.
const EACH: usize = 50;
/// How many of all edges that could be are, in a hundred.
const EDGES: usize = 5;
/// Permits asked, and denies.
const ASKED: usize = 500;

/// What is done with a list: who reads it may do the first, who works on it the first five.
const ACTIONS: [&str; 7] =
    ["get", "update", "create_task", "update_task", "delete_task", "delete", "edit_shares"];
const WORK: usize = 5;
/// What everybody may do with the application.
const OPEN: [&str; 2] = ["create_list", "get_lists"];

const YAML: &str = "
catalogue: todo
uses: [core]
version: 1
resource_types:
  todo_app: { in: [account], actions: [create_list, get_lists] }
  todo_list: { in: [account], actions: [get, update, create_task, update_task, delete_task, delete, edit_shares] }
roles:
  Everybody: { assignable_to: [admin], permits: ['todo_app.*'] }
  Owner: { assignable_to: [admin], permits: ['todo_list.*'] }
";

struct List {
    owner: usize,
    readers: usize,
    editors: usize,
}

struct Data {
    /// The teams of each user.
    member: Vec<Vec<usize>>,
    /// The teams of each team, all of a lower number.
    nested: Vec<Vec<usize>>,
    lists: Vec<List>,
}

pub(crate) fn workload() -> Workload {
    let mut chance = Chance::new(29);
    let data = Data::draw(&mut chance);
    let asked = data.asked(&mut chance);
    Workload {
        name: "Todo",
        size: format!("{EACH} users, teams and lists, each edge with {EDGES} in 100"),
        ours: data.ours(&asked),
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
        let nested = (0..EACH).map(|team| some(chance, team)).collect();
        let mut list = || List {
            owner: chance.below(EACH),
            readers: chance.below(EACH),
            editors: chance.below(EACH),
        };
        Self { member, nested, lists: (0..EACH).map(|_| list()).collect() }
    }

    /// All teams of a user, those above its own included.
    fn teams_of(&self, user: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = self.member[user].clone();
        while let Some(team) = open.pop() {
            if found.insert(team) {
                open.extend(&self.nested[team]);
            }
        }
        found
    }

    fn permits(&self, user: usize, list: usize, action: usize) -> bool {
        let (list, teams) = (&self.lists[list], self.teams_of(user));
        list.owner == user
            || (action < WORK && teams.contains(&list.editors))
            || (action == 0 && teams.contains(&list.readers))
    }

    fn asked(&self, chance: &mut Chance) -> Vec<Asked> {
        half_permitted(ASKED, || {
            let (user, id) = (chance.below(EACH), chance.below(EACH));
            let drawn = chance.below(ACTIONS.len() + OPEN.len());
            let open = drawn.checked_sub(ACTIONS.len()).map(|at| OPEN[at]);
            let permit = open.is_some() || self.permits(user, id, drawn);
            let (kind, action, id) = match open {
                Some(action) => ("todo_app", action, 0),
                None => ("todo_list", ACTIONS[drawn], id),
            };
            Asked { user, kind: kind.to_owned(), id, action: action.to_owned(), permit }
        })
    }

    /// A team is a rights document given to its members, and an owner has a role on the list.
    fn ours(&self, asked: &[Asked]) -> Ours {
        let path = |kind: &str, id: usize| {
            ResourcePath::account(world::MAIN).with(kind, Named::Id(id.to_string()))
        };
        let mut bodies = vec![Body::default(); EACH];
        for (id, list) in self.lists.iter().enumerate() {
            for (team, may) in [(list.readers, 1), (list.editors, WORK)] {
                bodies[team].resource_permissions.push(ResourcePermissions {
                    resource_type: "todo_list".to_owned(),
                    resource_id: id.to_string(),
                    permissions: ACTIONS[..may].iter().map(|&action| action.to_owned()).collect(),
                    cascade: false,
                });
            }
        }
        let owned = self.lists.iter().enumerate().map(|(id, list)| RoleGrant {
            scope: Some(path("todo_list", id).to_string()),
            ..world::grant(list.owner, world::MAIN, "todo/Owner")
        });
        let everybody = (0..EACH).map(|n| world::grant(n, world::MAIN, "todo/Everybody"));
        let given =
            |user| self.teams_of(user).into_iter().map(move |team| world::assignment(team, user));
        let facts = Facts {
            users: (0..EACH).map(|n| world::user(n, world::MAIN)).collect(),
            grants: everybody.chain(owned).collect(),
            documents: bodies
                .into_iter()
                .enumerate()
                .map(|(n, of)| world::document(n, of))
                .collect(),
            assignments: (0..EACH).flat_map(given).collect(),
            ..Facts::default()
        };
        Ours {
            world: world::tenant(&world::catalogue(Some(YAML.to_owned())), facts),
            paths: asked.iter().map(|asked| path(&asked.kind, asked.id)).collect(),
        }
    }

    /// As the paper has it: lists name their owner and their teams.
    fn cedar(&self) -> Cedar {
        let work = named("todo_list", &ACTIONS[..WORK]);
        let mut cedar = self.teamed();
        cedar.policies += "permit(principal, action, resource) \
                           when { resource has owner && resource.owner == principal };\n";
        cedar.policies += "permit(principal, action == Action::\"todo_list.get\", resource) \
                           when { principal in resource.readers || principal in resource.editors };\n";
        writeln!(
            cedar.policies,
            "permit(principal, action in {work}, resource) when {{ principal in resource.editors }};"
        )
        .unwrap();
        for (id, list) in self.lists.iter().enumerate() {
            let attributes = [
                ("owner", format!(r#"User::"{}""#, list.owner)),
                ("readers", format!(r#"Team::"{}""#, list.readers)),
                ("editors", format!(r#"Team::"{}""#, list.editors)),
            ];
            let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).to_vec();
            cedar.attributes.insert(format!(r#"todo_list::"{id}""#), attributes);
        }
        cedar
    }

    /// A policy for whatever a list names, as the paper has it for its other two.
    fn indexed(&self) -> Cedar {
        let (work, all) = (named("todo_list", &ACTIONS[..WORK]), named("todo_list", &ACTIONS));
        let get = named("todo_list", &ACTIONS[..1]);
        let mut cedar = self.teamed();
        for (id, list) in self.lists.iter().enumerate() {
            for (who, n, actions) in [
                ("User", list.owner, &all),
                ("Team", list.readers, &get),
                ("Team", list.editors, &work),
            ] {
                let who = format!(r#"principal in {who}::"{n}""#);
                let what = format!(r#"resource == todo_list::"{id}""#);
                writeln!(cedar.policies, "permit({who}, action in {actions}, {what});").unwrap();
            }
        }
        cedar
    }

    /// What both forms say alike: who is in which team, and what everybody may do.
    fn teamed(&self) -> Cedar {
        let mut cedar = Cedar::default();
        let app = r#"todo_app::"0""#;
        let open = named("todo_app", &OPEN);
        writeln!(cedar.policies, "permit(principal, action in {open}, resource == {app});")
            .unwrap();
        for (name, of) in [("User", &self.member), ("Team", &self.nested)] {
            for (n, teams) in of.iter().enumerate() {
                let teams = teams.iter().map(|team| format!(r#"Team::"{team}""#));
                let above = teams.chain([app.to_owned()]).collect();
                cedar.above.insert(format!(r#"{name}::"{n}""#), above);
            }
        }
        let lists = (0..EACH).map(|id| (format!(r#"todo_list::"{id}""#), vec![app.to_owned()]));
        cedar.above.extend(lists);
        cedar.above.insert(app.to_owned(), Vec::new());
        cedar
    }

    fn casbin(&self) -> Casbin {
        let mut rules = BTreeSet::new();
        let mut put = |who: String, what: String, actions: &[&str]| {
            let rule = |action: &&str| vec![who.clone(), what.clone(), (*action).to_owned()];
            rules.extend(actions.iter().map(rule));
        };
        put("everybody".to_owned(), "todo_app0".to_owned(), &OPEN);
        for (id, list) in self.lists.iter().enumerate() {
            let what = || format!("todo_list{id}");
            put(format!("u{}", list.owner), what(), &ACTIONS);
            put(format!("t{}", list.readers), what(), &ACTIONS[..1]);
            put(format!("t{}", list.editors), what(), &ACTIONS[..WORK]);
        }
        let mut groups: Vec<Vec<String>> =
            (0..EACH).map(|user| vec![format!("u{user}"), "everybody".to_owned()]).collect();
        for (name, of) in [('u', &self.member), ('t', &self.nested)] {
            groups.extend(of.iter().enumerate().flat_map(|(n, of)| {
                of.iter().map(move |team| vec![format!("{name}{n}"), format!("t{team}")])
            }));
        }
        Casbin {
            model: FLAT,
            rules: rules.into_iter().collect(),
            groups: vec![("g", groups)],
            object: |asked| format!("{}{}", asked.kind, asked.id),
        }
    }
}

/// Actions as a list of `cedar-policy`.
fn named(kind: &str, actions: &[&str]) -> String {
    list(actions.iter().map(|action| format!(r#"Action::"{kind}.{action}""#)))
}
