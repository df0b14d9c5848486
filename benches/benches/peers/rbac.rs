//! Users with roles, roles with permissions, and half of what is asked denied.

use std::fmt::Write as _;

use benches::rbac::{self, ACTIONS, KINDS, ROLES, Rbac, USERS, list};
use benches::world;
use chancery::decision::Facts;
use chancery::model::{Named, ResourcePath};

use crate::cedar::Cedar;
use crate::workload::{Asked, Casbin, FLAT, Ours, Workload};

pub(crate) fn workload() -> Workload {
    let data = Data(Rbac::draw());
    let asked = data.asked();
    Workload {
        name: "RBAC",
        size: format!(
            "{USERS} users of 2 roles, {ROLES} roles, {} permissions, {} rules",
            KINDS * ACTIONS,
            data.0.rules()
        ),
        ours: data.ours(&asked),
        // Its policies name roles, by which they are found as they are.
        indexed: data.cedar(),
        cedar: data.cedar(),
        casbin: data.casbin(),
        asked,
    }
}

struct Data(Rbac);

impl Data {
    fn asked(&self) -> Vec<Asked> {
        let named = |asked: &rbac::Asked| Asked {
            user: asked.user,
            kind: format!("thing{}", asked.kind),
            id: asked.id,
            action: format!("act{}", asked.action),
            permit: asked.permit,
        };
        self.0.asked.iter().map(named).collect()
    }

    fn ours(&self, asked: &[Asked]) -> Ours {
        let given = self.0.held.iter().enumerate();
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
            world: world::tenant(&world::catalogue(Some(self.0.catalogue())), facts),
            paths: asked.iter().map(path).collect(),
        }
    }

    fn cedar(&self) -> Cedar {
        let mut cedar = Cedar::default();
        for (role, permits) in self.0.roles.iter().enumerate() {
            let actions = permits
                .iter()
                .map(|(kind, action)| format!(r#"Action::"thing{kind}.act{action}""#));
            let (to, actions) = (&mut cedar.policies, list(actions));
            writeln!(to, "permit(principal in Role::\"{role}\", action in {actions}, resource);")
                .unwrap();
            cedar.above.insert(format!(r#"Role::"{role}""#), Vec::new());
        }
        for (user, held) in self.0.held.iter().enumerate() {
            let roles = held.iter().map(|role| format!(r#"Role::"{role}""#)).collect();
            cedar.above.insert(format!(r#"User::"{user}""#), roles);
        }
        cedar
    }

    fn casbin(&self) -> Casbin {
        let rules = self.0.roles.iter().enumerate().flat_map(|(role, permits)| {
            permits.iter().map(move |(kind, action)| {
                vec![format!("r{role}"), format!("thing{kind}"), format!("act{action}")]
            })
        });
        let groups =
            self.0.held.iter().enumerate().flat_map(|(user, held)| {
                held.map(|role| vec![format!("u{user}"), format!("r{role}")])
            });
        Casbin {
            model: FLAT,
            rules: rules.collect(),
            groups: vec![("g", groups.collect())],
            object: |asked| asked.kind.clone(),
        }
    }
}
