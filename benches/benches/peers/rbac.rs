//! Users with roles, roles with permissions, and half of what is asked denied.

use std::fmt::Write as _;

use benches::figures::Chance;
use benches::world;
use chancery::decision::Facts;
use chancery::model::{Named, ResourcePath};

use crate::workload::{Asked, Casbin, Cedar, Ours, Workload, list};

const USERS: usize = 1000;
const ROLES: usize = 20;
const KINDS: usize = 10;
const ACTIONS: usize = 10;
/// Of all permissions, how many in a hundred a role gives.
const GIVEN: usize = 27;
/// Permits asked, and denies.
const ASKED: usize = 1000;

const MODEL: &str = "
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act
";

struct Data {
    /// The permissions of each role: type and action.
    roles: Vec<Vec<(usize, usize)>>,
    /// The two roles of each user.
    held: Vec<[usize; 2]>,
}

pub(crate) fn workload() -> Workload {
    let mut chance = Chance::new(7);
    let permissions = || (0..KINDS).flat_map(|kind| (0..ACTIONS).map(move |action| (kind, action)));
    let roles =
        (0..ROLES).map(|_| permissions().filter(|_| chance.percent(GIVEN)).collect()).collect();
    let held = (0..USERS)
        .map(|_| {
            let first = chance.below(ROLES);
            [first, (first + 1 + chance.below(ROLES - 1)) % ROLES]
        })
        .collect();
    let data = Data { roles, held };
    let asked = data.asked(&mut chance);
    let count = data.roles.iter().map(Vec::len).sum::<usize>();
    Workload {
        name: "RBAC",
        size: format!(
            "{USERS} users of 2 roles, {ROLES} roles, {} permissions, {count} rules",
            KINDS * ACTIONS
        ),
        ours: data.ours(&asked),
        cedar: data.cedar(),
        casbin: data.casbin(),
        asked,
    }
}

impl Data {
    fn asked(&self, chance: &mut Chance) -> Vec<Asked> {
        let (mut permits, mut denies) = (Vec::new(), Vec::new());
        while permits.len() < ASKED || denies.len() < ASKED {
            let (user, kind, action) =
                (chance.below(USERS), chance.below(KINDS), chance.below(ACTIONS));
            let permit =
                self.held[user].iter().any(|role| self.roles[*role].contains(&(kind, action)));
            let (kind, action) = (format!("thing{kind}"), format!("act{action}"));
            let asked = Asked { user, kind, id: chance.below(1000), action, permit };
            if permit { permits.push(asked) } else { denies.push(asked) }
        }
        permits.truncate(ASKED);
        denies.truncate(ASKED);
        permits.into_iter().zip(denies).flat_map(|(permit, deny)| [permit, deny]).collect()
    }

    fn ours(&self, asked: &[Asked]) -> Ours {
        let actions = list((0..ACTIONS).map(|action| format!("act{action}")));
        let mut yaml = "catalogue: bench\nversion: 1\nuses: [core]\nresource_types:\n".to_owned();
        for kind in 0..KINDS {
            writeln!(yaml, "  thing{kind}: {{ in: [account], actions: {actions} }}").unwrap();
        }
        yaml += "roles:\n";
        for (role, permits) in self.roles.iter().enumerate() {
            let permits = permits.iter().map(|(kind, action)| format!("thing{kind}.act{action}"));
            let permits = list(permits);
            writeln!(yaml, "  R{role}: {{ assignable_to: [admin], permits: {permits} }}").unwrap();
        }
        let given = self.held.iter().enumerate();
        let facts = Facts {
            users: (0..USERS).map(|n| world::user(n, world::MAIN)).collect(),
            grants: given
                .flat_map(|(n, held)| {
                    held.map(|role| world::grant(n, world::MAIN, &format!("bench/R{role}")))
                })
                .collect(),
            ..Facts::default()
        };
        let path = |asked: &Asked| {
            ResourcePath::account(world::MAIN).with(&asked.kind, Named::Id(asked.id.to_string()))
        };
        Ours {
            world: world::tenant(&world::catalogue(Some(yaml)), facts),
            paths: asked.iter().map(path).collect(),
        }
    }

    fn cedar(&self) -> Cedar {
        let mut cedar = Cedar::default();
        for (role, permits) in self.roles.iter().enumerate() {
            let actions = permits
                .iter()
                .map(|(kind, action)| format!(r#"Action::"thing{kind}.act{action}""#));
            let (to, actions) = (&mut cedar.policies, list(actions));
            writeln!(to, "permit(principal in Role::\"{role}\", action in {actions}, resource);")
                .unwrap();
            cedar.above.insert(format!(r#"Role::"{role}""#), Vec::new());
        }
        for (user, held) in self.held.iter().enumerate() {
            let roles = held.iter().map(|role| format!(r#"Role::"{role}""#)).collect();
            cedar.above.insert(format!(r#"User::"{user}""#), roles);
        }
        cedar
    }

    fn casbin(&self) -> Casbin {
        let rules = self.roles.iter().enumerate().flat_map(|(role, permits)| {
            permits.iter().map(move |(kind, action)| {
                vec![format!("r{role}"), format!("thing{kind}"), format!("act{action}")]
            })
        });
        let groups =
            self.held.iter().enumerate().flat_map(|(user, held)| {
                held.map(|role| vec![format!("u{user}"), format!("r{role}")])
            });
        Casbin {
            model: MODEL,
            rules: rules.collect(),
            groups: vec![("g", groups.collect())],
            object: |asked| asked.kind.clone(),
        }
    }
}
