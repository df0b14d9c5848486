//! Users with roles, roles with permissions, and half of what is asked denied: the same for every engine and every server.

use std::fmt::Write as _;

use crate::figures::Chance;

/// Users.
pub const USERS: usize = 1000;
/// Roles, of which each user has two.
pub const ROLES: usize = 20;
/// Types of resources.
pub const KINDS: usize = 10;
/// Actions on each.
pub const ACTIONS: usize = 10;
/// Of all permissions, how many in a hundred a role gives.
const GIVEN: usize = 27;
/// Permits asked, and denies.
pub const ASKED: usize = 1000;

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The number of the user.
    pub user: usize,
    /// The number of the type.
    pub kind: usize,
    /// The number of the resource.
    pub id: usize,
    /// The number of the action.
    pub action: usize,
    /// What a plain look at the data says.
    pub permit: bool,
}

/// Who may what.
#[derive(Debug)]
pub struct Rbac {
    /// The permissions of each role: type and action.
    pub roles: Vec<Vec<(usize, usize)>>,
    /// The two roles of each user.
    pub held: Vec<[usize; 2]>,
    /// A permit and a deny in turn.
    pub asked: Vec<Asked>,
}

impl Rbac {
    /// Draws it, always the same.
    pub fn draw() -> Self {
        let mut chance = Chance::new(7);
        let permissions =
            || (0..KINDS).flat_map(|kind| (0..ACTIONS).map(move |action| (kind, action)));
        let roles =
            (0..ROLES).map(|_| permissions().filter(|_| chance.percent(GIVEN)).collect()).collect();
        let held = (0..USERS)
            .map(|_| {
                let first = chance.below(ROLES);
                [first, (first + 1 + chance.below(ROLES - 1)) % ROLES]
            })
            .collect();
        let mut data = Self { roles, held, asked: Vec::new() };
        data.asked = data.questions(&mut chance);
        data
    }

    fn questions(&self, chance: &mut Chance) -> Vec<Asked> {
        let (mut permits, mut denies) = (Vec::new(), Vec::new());
        while permits.len() < ASKED || denies.len() < ASKED {
            let (user, kind, action) =
                (chance.below(USERS), chance.below(KINDS), chance.below(ACTIONS));
            let permit =
                self.held[user].iter().any(|role| self.roles[*role].contains(&(kind, action)));
            let asked = Asked { user, kind, id: chance.below(1000), action, permit };
            if permit { permits.push(asked) } else { denies.push(asked) }
        }
        permits.truncate(ASKED);
        denies.truncate(ASKED);
        permits.into_iter().zip(denies).flat_map(|(permit, deny)| [permit, deny]).collect()
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.roles.iter().map(Vec::len).sum()
    }

    /// Says it as a catalogue of ours.
    pub fn catalogue(&self) -> String {
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
        yaml
    }
}

/// Writes a list in brackets.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("[");
    for item in items {
        write!(text, "{item}, ").unwrap();
    }
    text.push(']');
    text
}
