//! A snapshot kept current by changes is the one that is built from what they left.

use chancery::decision::{Facts, Snapshot};
use chancery::model::{
    Assignment, Change, ChangeKind, DocId, Image, RightsDocument, UserId, UserKind,
};
use proptest::prelude::*;
use proptest::sample::Index;

use super::questions::asked;
use super::words::{SYSTEM, catalogue};
use super::worlds::{DOCUMENTS, Paper, World, assigned, at, doc_id, paper, world};
use super::{ask, built, config};

/// Applies one change.
pub(super) fn put(snapshot: &mut Snapshot, before: Option<Image>, after: Option<Image>) {
    let change = Change { account: snapshot.tenant(), kind: ChangeKind::Bootstrap, before, after };
    snapshot.apply(&change).unwrap();
}

/// The same snapshot, reached by one change after another.
fn applied(facts: &Facts) -> Snapshot {
    let start = Facts { tenant: facts.tenant, ..Facts::default() };
    let mut snapshot = Snapshot::build(catalogue(), start).unwrap();
    let images = (facts.accounts.iter().cloned().map(Image::Account))
        .chain(facts.roles.iter().cloned().map(Image::Role))
        .chain(facts.users.iter().cloned().map(Image::User))
        .chain(facts.documents.iter().cloned().map(Image::Document))
        .chain(facts.grants.iter().cloned().map(Image::RoleGrant))
        .chain(facts.assignments.iter().cloned().map(Image::Assignment));
    for image in images {
        put(&mut snapshot, None, Some(image));
    }
    snapshot
}

/// One thing that happens to documents or to the users who have them.
#[derive(Debug, Clone)]
struct Edit {
    what: u8,
    document: Index,
    user: Index,
    paper: Paper,
}

fn edit() -> impl Strategy<Value = Edit> {
    (0..8_u8, any::<Index>(), any::<Index>(), paper())
        .prop_map(|(what, document, user, paper)| Edit { what, document, user, paper })
}

/// Facts, and the snapshot that is to stay theirs.
struct Kept {
    facts: Facts,
    snapshot: Snapshot,
    written: usize,
}

impl Kept {
    fn edit(&mut self, edit: &Edit) {
        let user = self.facts.users[edit.user.index(self.facts.users.len())].id;
        let mut ids: Vec<DocId> = self.facts.documents.iter().map(|d| d.id).collect();
        match edit.what {
            0 => {
                self.written += 1;
                let document = edit.paper.in_tenant(DOCUMENTS + self.written, &self.facts);
                self.document(document);
            }
            1 | 2 if !ids.is_empty() => {
                let place = edit.document.index(ids.len());
                let old = self.facts.documents[place].clone();
                let new = edit.paper.in_tenant(0, &self.facts);
                let (id, account, owner) = (old.id, old.account, old.owner);
                let owner = if edit.what == 1 { owner } else { new.owner };
                let edited = RightsDocument { id, account, owner, ..new };
                self.document(edited);
            }
            3 if !ids.is_empty() => self.delete(ids[edit.document.index(ids.len())]),
            4 | 5 => {
                ids.extend(SYSTEM.iter().map(|code| DocId::of_system("acme", code)));
                self.assign(ids[edit.document.index(ids.len())], user);
            }
            6 if !self.facts.assignments.is_empty() => {
                let place = edit.document.index(self.facts.assignments.len());
                let one = self.facts.assignments[place].clone();
                self.unassign(one);
            }
            _ => self.move_user(user, edit.document),
        }
    }

    fn document(&mut self, document: RightsDocument) {
        let old = self.facts.documents.iter().find(|old| old.id == document.id).cloned();
        self.facts.documents.retain(|old| old.id != document.id);
        self.facts.documents.push(document.clone());
        put(&mut self.snapshot, old.map(Image::Document), Some(Image::Document(document)));
    }

    fn assign(&mut self, document: DocId, user: UserId) {
        let of = self.facts.users.iter().find(|one| one.id == user).unwrap();
        let one = assigned(document, user, of.account);
        let twice = self.facts.assignments.iter().any(|a| a.document == document && a.user == user);
        if !twice && of.kind != UserKind::Application {
            self.facts.assignments.push(one.clone());
            put(&mut self.snapshot, None, Some(Image::Assignment(one)));
        }
    }

    fn unassign(&mut self, one: Assignment) {
        self.facts.assignments.retain(|other| *other != one);
        put(&mut self.snapshot, Some(Image::Assignment(one)), None);
    }

    fn delete(&mut self, id: DocId) {
        for one in self.facts.assignments.clone().into_iter().filter(|one| one.document == id) {
            self.unassign(one);
        }
        let old = self.facts.documents.iter().find(|old| old.id == id).cloned();
        self.facts.documents.retain(|old| old.id != id);
        put(&mut self.snapshot, old.map(Image::Document), None);
    }

    /// Puts a user below an earlier one of its account, or at the top.
    fn move_user(&mut self, user: UserId, below: Index) {
        let old = self.facts.users.iter().find(|one| one.id == user).unwrap().clone();
        let earlier = |one: &&chancery::model::User| {
            one.account == old.account && one.id < user && one.kind != UserKind::Application
        };
        let here: Vec<UserId> = self.facts.users.iter().filter(earlier).map(|one| one.id).collect();
        if old.kind == UserKind::Application {
            return;
        }
        let mut new = old.clone();
        new.parent = (!here.is_empty()).then(|| here[below.index(here.len())]);
        new.update_time = at();
        for one in self.facts.users.iter_mut().filter(|one| one.id == user) {
            *one = new.clone();
        }
        put(&mut self.snapshot, Some(Image::User(old)), Some(Image::User(new)));
    }
}

/// What a snapshot tells of documents without being asked a question.
fn told(snapshot: &Snapshot, world: &World) -> Vec<String> {
    let mut told = Vec::new();
    let mut ids: Vec<DocId> = (0..2 * DOCUMENTS + 30).map(doc_id).collect();
    ids.extend(SYSTEM.iter().map(|code| DocId::of_system("acme", code)));
    for id in ids {
        let to: Vec<UserId> = snapshot.assignees(id).collect();
        let own = snapshot.document(id).map(|document| document.own().cloned());
        told.push(format!("{id}: {own:?} {to:?}"));
    }
    for user in &world.tenant.users {
        let owned: Vec<DocId> = snapshot.owned(user.id).collect();
        let held = snapshot.any_user(user.id).map(|user| {
            let held = snapshot.documents_for(user);
            held.map(|(by, document)| (by.id, document.id)).collect::<Vec<_>>()
        });
        told.push(format!("{}: {owned:?} {held:?}", user.id));
    }
    told
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_snapshot_built_at_once_and_one_built_by_changes_answer_alike(
        world in world(),
        seed in any::<u64>(),
        questions in prop::collection::vec(asked(), 20),
    ) {
        let shuffled = world.shuffled(seed);
        let (whole, stepwise) = (built(&shuffled.tenant), applied(&world.tenant));
        prop_assert_eq!(told(&whole, &world), told(&stepwise, &world));
        for asked in &questions {
            let asked = asked.in_world(&world);
            prop_assert_eq!(
                ask(&whole, Some(&whole), &asked),
                ask(&stepwise, Some(&stepwise), &asked)
            );
        }
    }

    #[test]
    fn documents_edited_assigned_handed_on_and_deleted_leave_what_would_be_built_anew(
        world in world(),
        edits in prop::collection::vec(edit(), 1..30),
        questions in prop::collection::vec(asked(), 40),
    ) {
        let snapshot = built(&world.tenant);
        let mut kept = Kept { facts: world.tenant.clone(), snapshot, written: 0 };
        for one in &edits {
            kept.edit(one);
        }
        let anew = built(&kept.facts);
        prop_assert_eq!(told(&kept.snapshot, &world), told(&anew, &world));
        let world = World { tenant: kept.facts, ..world };
        for asked in &questions {
            let asked = asked.in_world(&world);
            prop_assert_eq!(
                ask(&kept.snapshot, Some(&kept.snapshot), &asked),
                ask(&anew, Some(&anew), &asked),
                "{:?}", asked
            );
        }
    }
}
