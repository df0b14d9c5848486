//! Decisions among ten thousand tenants: accounts one to five deep, rights by roles and by documents that hold for all within what
//! they name, and most questions about few users, so that what is asked seldom is not in a processor's cache. First in process,
//! then over gRPC with every layer on.
//!
//! The argument is the number of tenants; without one it is ten thousand.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench may panic, and prints floats"
)]

mod fill;
mod process;
mod wire;

use benches::figures::{self, Chance, Zipf};

/// Accounts of a tenant: the main one, and each other in the one before.
const ACCOUNTS: usize = 5;
/// Users of each account.
const USERS: usize = 2;
/// Users of a tenant.
const EACH: usize = ACCOUNTS * USERS;
/// The roles of every user.
const ROLES: [&str; 2] = ["ringcx/USER", "voximplant/Supervisor"];

/// One kind of questions.
struct Kind {
    name: &'static str,
    permit: bool,
    on: &'static str,
    action: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind { name: "by a role", permit: true, on: "recording", action: "listen" },
    Kind { name: "by a document", permit: true, on: "gate_group", action: "update" },
    Kind { name: "nothing gives it", permit: false, on: "recording", action: "delete" },
    Kind { name: "another document gives it", permit: false, on: "gate_group", action: "update" },
];

impl Kind {
    fn label(&self) -> String {
        format!("{}, {}", if self.permit { "permit" } else { "deny" }, self.name)
    }
}

/// What is asked: of which tenant, about which of its users, and about which thing in that user's account.
struct Drawn {
    tenant: usize,
    user: usize,
    id: usize,
}

/// Draws questions of a kind: who is asked about often is of any tenant.
fn draw(kind: usize, tenants: usize, questions: usize) -> Vec<Drawn> {
    let mut chance = Chance::new(19);
    let zipf = Zipf::new(tenants * EACH);
    let one = |_| {
        let drawn = zipf.draw(&mut chance);
        let (tenant, user) = (drawn % tenants, drawn / tenants);
        let id = match kind {
            0 | 2 => chance.below(1000),
            1 => user,
            _ => user + 1,
        };
        Drawn { tenant, user, id }
    };
    (0..questions).map(one).collect()
}

fn main() {
    let tenants = figures::argument().unwrap_or(10_000);
    process::measure(tenants);
    wire::measure(tenants);
}
