//! Repositories of organizations, after the `github` of the Cedar paper: users in teams in teams and in organizations, a role of
//! five on a repository, and one of three on all repositories of an organization, which an organization has for its members.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use benches::figures::Chance;
use benches::rbac::list;
use benches::world;
use chancery::decision::Facts;
use chancery::model::{
    Account, Body, Named, ResourcePath, ResourcePermissions, RightsDocument, RoleGrant,
};

use crate::cedar::Cedar;
use crate::workload::{Asked, Casbin, NESTED, Ours, Workload, half_permitted};

/// Users, teams, repositories, organizations: so many of each.
const EACH: usize = 50;
/// How many of all edges that could be are, in a hundred.
const EDGES: usize = 5;
/// Permits asked, and denies.
const ASKED: usize = 500;

/// What is done, each with the role that may do it and all before it, and with what the paper calls those who have it.
const ACTIONS: [(&str, &str, &str); 5] = [
    ("read", "Reader", "readers"),
    ("triage", "Triager", "triagers"),
    ("write", "Writer", "writers"),
    ("maintain", "Maintainer", "maintainers"),
    ("admin", "Admin", "admins"),
];
/// Those of them that there are for a whole organization.
const OVER_ALL: [usize; 3] = [0, 2, 4];

/// A role, by its number, on a repository or on an organization.
type Role = (usize, usize);

/// What a user, or a team, is in and may use.
struct Party {
    teams: Vec<usize>,
    organizations: Vec<usize>,
    repositories: Vec<Role>,
    over: Vec<Role>,
}

struct Data {
    users: Vec<Party>,
    /// All of whose own teams have a lower number.
    teams: Vec<Party>,
    /// What each organization may use of others.
    organizations: Vec<Vec<Role>>,
    /// The organization of each repository.
    owner: Vec<usize>,
}

pub(crate) fn workload() -> Workload {
    let mut chance = Chance::new(23);
    let data = Data::draw(&mut chance);
    let asked = data.asked(&mut chance);
    let size = "users, teams, repositories and organizations, each edge with";
    Workload {
        name: "GitHub",
        size: format!("{EACH} {size} {EDGES} in 100"),
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

fn roles(chance: &mut Chance, roles: &[usize]) -> Vec<Role> {
    some(chance, EACH).into_iter().map(|at| (at, roles[chance.below(roles.len())])).collect()
}

/// The actions of a role.
fn actions(role: usize) -> impl Iterator<Item = &'static str> {
    ACTIONS[..=role].iter().map(|(action, ..)| *action)
}

impl Data {
    fn draw(chance: &mut Chance) -> Self {
        let any: Vec<usize> = (0..ACTIONS.len()).collect();
        Self {
            organizations: (0..EACH).map(|_| roles(chance, &OVER_ALL)).collect(),
            owner: (0..EACH).map(|_| chance.below(EACH)).collect(),
            teams: (0..EACH)
                .map(|n| Party {
                    teams: some(chance, n),
                    repositories: roles(chance, &any),
                    organizations: Vec::new(),
                    over: Vec::new(),
                })
                .collect(),
            users: (0..EACH)
                .map(|_| Party {
                    repositories: roles(chance, &any),
                    teams: some(chance, EACH),
                    organizations: some(chance, EACH),
                    over: roles(chance, &OVER_ALL),
                })
                .collect(),
        }
    }

    /// All teams of a user, those above its own included.
    fn teams_of(&self, user: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = self.users[user].teams.clone();
        while let Some(team) = open.pop() {
            if found.insert(team) {
                open.extend(&self.teams[team].teams);
            }
        }
        found
    }

    /// The roles of a user on whole organizations: its own, and those of the organizations that it is in.
    fn over(&self, user: usize) -> BTreeSet<Role> {
        let user = &self.users[user];
        let of = user.organizations.iter().flat_map(|at| &self.organizations[*at]);
        of.chain(&user.over).copied().collect()
    }

    fn permits(&self, user: usize, repository: usize, action: usize) -> bool {
        let teams = self.teams_of(user);
        let of_teams = teams.iter().flat_map(|team| &self.teams[*team].repositories);
        let mut on = of_teams.chain(&self.users[user].repositories);
        on.any(|(at, role)| *at == repository && *role >= action)
            || self
                .over(user)
                .into_iter()
                .any(|(at, role)| at == self.owner[repository] && role >= action)
    }

    fn asked(&self, chance: &mut Chance) -> Vec<Asked> {
        half_permitted(ASKED, || {
            let (user, id) = (chance.below(EACH), chance.below(EACH));
            let action = chance.below(ACTIONS.len());
            let permit = self.permits(user, id, action);
            let (kind, action) = ("repository".to_owned(), ACTIONS[action].0.to_owned());
            Asked { user, kind, id, action, permit }
        })
    }

    fn path(&self, repository: usize) -> ResourcePath {
        let account = ResourcePath::account(world::account_id(self.owner[repository]));
        account.with("repository", Named::Id(repository.to_string()))
    }

    /// An organization is an account; who may do something has a role in it or on one repository; a team is a rights
    /// document, given to its members.
    fn ours(&self, asked: &[Asked]) -> Ours {
        let account = |n| -> Account { world::account(world::account_id(n), Some(world::MAIN)) };
        let document = |(n, team): (usize, &Party)| {
            let entry = |(at, role): &Role| ResourcePermissions {
                resource_type: "repository".to_owned(),
                resource_id: at.to_string(),
                permissions: actions(*role).map(str::to_owned).collect(),
                cascade: false,
            };
            let entries = team.repositories.iter().map(entry).collect();
            let body = Body { resource_permissions: entries, ..Body::default() };
            RightsDocument { master: true, ..world::document(n, body) }
        };
        let grants = (0..EACH).flat_map(|user| {
            let over = self.over(user).into_iter();
            let over = over.map(|(at, role)| (role, ResourcePath::account(world::account_id(at))));
            let on = self.users[user].repositories.iter().map(|(at, role)| (*role, self.path(*at)));
            over.chain(on).map(move |(role, scope)| {
                let name = format!("hub/{}", ACTIONS[role].1);
                let scope = Some(scope.to_string());
                RoleGrant { scope, ..world::grant(user, world::MAIN, &name) }
            })
        });
        let given =
            |user| self.teams_of(user).into_iter().map(move |team| world::assignment(team, user));
        let facts = Facts {
            accounts: (0..EACH).map(account).collect(),
            users: (0..EACH).map(|n| world::user(n, world::MAIN)).collect(),
            grants: grants.collect(),
            documents: self.teams.iter().enumerate().map(document).collect(),
            assignments: (0..EACH).flat_map(given).collect(),
            ..Facts::default()
        };
        Ours {
            world: world::tenant(&world::catalogue(Some(catalogue())), facts),
            paths: asked.iter().map(|asked| self.path(asked.id)).collect(),
        }
    }

    /// As the paper has it: whoever has a role is in what has the role's name, and roles are in those above them.
    fn cedar(&self) -> Cedar {
        let mut cedar = self.organized(true);
        for (_, _, those) in ACTIONS {
            for id in 0..EACH {
                let name = format!(r#"Permission::"{id}_{those}""#);
                let attributes = cedar.attributes.entry(format!(r#"repository::"{id}""#));
                attributes.or_default().push((those.to_owned(), name.clone()));
                cedar.above.insert(name, Vec::new());
            }
        }
        for (action, _, those) in ACTIONS {
            let action = format!(r#"action in Action::"repository.{action}""#);
            let when = format!("principal in resource.{those}");
            let to = &mut cedar.policies;
            writeln!(to, "permit(principal, {action}, resource) when {{ {when} }};").unwrap();
        }
        cedar
    }

    /// As the paper's `github-templates`: a policy for each role on a repository.
    fn indexed(&self) -> Cedar {
        let mut cedar = self.organized(false);
        for (name, parties) in [("User", &self.users), ("Team", &self.teams)] {
            for (n, party) in parties.iter().enumerate() {
                for (id, role) in &party.repositories {
                    let action = ACTIONS[*role].0;
                    let action = format!(r#"action in Action::"repository.{action}""#);
                    let to = &mut cedar.policies;
                    let who = format!(r#"principal in {name}::"{n}""#);
                    let what = format!(r#"resource == repository::"{id}""#);
                    writeln!(to, "permit({who}, {action}, {what});").unwrap();
                }
            }
        }
        cedar
    }

    /// What both forms say alike: who is in what, and what may be done with all of an organization. `in_roles` puts whoever
    /// has a role on a repository in it.
    fn organized(&self, in_roles: bool) -> Cedar {
        let mut cedar = Cedar::default();
        let over = |(at, role): &Role| format!(r#"Over::"{at}_{}""#, ACTIONS[*role].2);
        let team = |n: &usize| format!(r#"Team::"{n}""#);
        let organization = |n: &usize| format!(r#"Organization::"{n}""#);
        let on = |(at, role): &Role| format!(r#"Permission::"{at}_{}""#, ACTIONS[*role].2);
        for (name, parties) in [("User", &self.users), ("Team", &self.teams)] {
            for (n, party) in parties.iter().enumerate() {
                let mut above: Vec<String> = party.teams.iter().map(team).collect();
                above.extend(party.organizations.iter().map(organization));
                above.extend(party.over.iter().map(over));
                above.extend(party.repositories.iter().filter(|_| in_roles).map(on));
                cedar.above.insert(format!(r#"{name}::"{n}""#), above);
            }
        }
        for (n, uses) in self.organizations.iter().enumerate() {
            cedar.above.insert(organization(&n), uses.iter().map(over).collect());
            let attribute = |role: usize| (ACTIONS[role].2.to_owned(), over(&(n, role)));
            cedar.attributes.insert(organization(&n), OVER_ALL.map(attribute).to_vec());
            cedar.above.extend(OVER_ALL.map(|role| (over(&(n, role)), Vec::new())));
        }
        for (id, owner) in self.owner.iter().enumerate() {
            let name = format!(r#"repository::"{id}""#);
            let owner = ("owner".to_owned(), organization(owner));
            cedar.attributes.insert(name.clone(), vec![owner]);
            cedar.above.insert(name, Vec::new());
        }
        let action = |action: &str| format!(r#"Action::"repository.{action}""#);
        for pair in ACTIONS.windows(2) {
            cedar.above.insert(action(pair[0].0), vec![action(pair[1].0)]);
        }
        cedar.above.insert(action(ACTIONS[4].0), Vec::new());
        for role in OVER_ALL {
            let (name, _, those) = ACTIONS[role];
            let when = format!("principal in resource.owner.{those}");
            let (to, action) = (&mut cedar.policies, action(name));
            writeln!(to, "permit(principal, action in {action}, resource) when {{ {when} }};")
                .unwrap();
        }
        cedar
    }

    fn casbin(&self) -> Casbin {
        let mut rules = BTreeSet::new();
        let mut put = |who: String, what: &str, (at, role): Role| {
            let rule = |action: &str| vec![who.clone(), format!("{what}{at}"), action.to_owned()];
            rules.extend(actions(role).map(rule));
        };
        let mut groups = Vec::new();
        for (name, parties) in [('u', &self.users), ('t', &self.teams)] {
            for (n, party) in parties.iter().enumerate() {
                party.repositories.iter().for_each(|role| put(format!("{name}{n}"), "r", *role));
                party.over.iter().for_each(|role| put(format!("{name}{n}"), "o", *role));
                let teams = party.teams.iter().map(|team| format!("t{team}"));
                let organizations = party.organizations.iter().map(|at| format!("o{at}"));
                let above = teams.chain(organizations);
                groups.extend(above.map(|above| vec![format!("{name}{n}"), above]));
            }
        }
        for (n, uses) in self.organizations.iter().enumerate() {
            for role in uses {
                put(format!("o{n}"), "o", *role);
            }
        }
        let lies = self.owner.iter().enumerate();
        let lies = lies.map(|(id, owner)| vec![format!("r{id}"), format!("o{owner}")]);
        Casbin {
            model: NESTED,
            rules: rules.into_iter().collect(),
            groups: vec![("g", groups), ("g2", lies.collect())],
            object: |asked| format!("r{}", asked.id),
        }
    }
}

fn catalogue() -> String {
    let of_type = list(ACTIONS.map(|(action, ..)| action.to_owned()));
    let mut yaml = "catalogue: hub\nversion: 1\nuses: [core]\nresource_types:\n".to_owned();
    writeln!(yaml, "  repository: {{ in: [account], actions: {of_type} }}\nroles:").unwrap();
    for (n, (_, role, _)) in ACTIONS.iter().enumerate() {
        let permits = list(actions(n).map(|action| format!("repository.{action}")));
        let role =
            format!("{role}: {{ assignable_to: [admin], reach: subtree, permits: {permits} }}");
        writeln!(yaml, "  {role}").unwrap();
    }
    yaml
}
