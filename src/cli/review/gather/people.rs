//! The users of a review, their rights, and the names of what these come from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::model::{Account, Document, Limit, Right, Role, User};
use super::read::{self, seen};
use super::{Gathering, time, word};
use crate::client::NoReply;
use crate::proto::v1 as pb;

/// What one user does not use, where it is known.
type Unused<'a> = Option<&'a [pb::UnusedRight]>;

impl Gathering {
    /// Reads the users of each account; of those above, the ones who may do something here.
    pub(super) async fn people(&mut self) -> Result<(), NoReply> {
        let most = self.limits.most_users;
        for account in self.review.accounts.clone() {
            let users = read::users(&mut self.client, &account.account_id, self.left).await;
            let Some((users, all)) = seen(users)? else {
                self.misses(format!("users of {}: it takes `user.list` there", named(&account)));
                continue;
            };
            self.left -= users.len();
            self.rights_of(&account, users).await?;
            if !all {
                self.misses(format!(
                    "users beyond the first {most}, in {} and behind it; see `--most-users`",
                    named(&account)
                ));
                return Ok(());
            }
        }
        Ok(())
    }

    async fn rights_of(&mut self, account: &Account, users: Vec<pb::User>) -> Result<(), NoReply> {
        let days = self.limits.unused_days;
        let unused = read::unused(&mut self.client, &account.account_id, days).await;
        let unused: Option<HashMap<String, Vec<pb::UnusedRight>>> =
            seen(unused)?.map(|all| all.into_iter().map(|one| (one.user_id, one.rights)).collect());
        if unused.is_none() {
            self.misses(format!(
                "what is unused in {}: it takes `audit_event.read` there",
                named(account)
            ));
        }
        let mut unread = 0_usize;
        for user in users {
            let rights = read::rights(&mut self.client, &user.user_id).await;
            let Some(rights) = seen(rights)? else {
                unread += 1;
                if !account.above {
                    self.review.users.push(shown(user, Vec::new()));
                }
                continue;
            };
            let of_user =
                unused.as_ref().map(|all| all.get(&user.user_id).map_or(&[][..], Vec::as_slice));
            let mut rights: Vec<Right> =
                rights.iter().map(|right| self.right(right, of_user)).collect();
            if account.above {
                rights.retain(|right| self.reaches_in(right));
            }
            if !account.above || !rights.is_empty() {
                self.review.users.push(shown(user, rights));
            }
        }
        if unread > 0 {
            self.misses(format!(
                "the rights of {unread} users of {}: it takes `rights_document.read` on them",
                named(account)
            ));
        }
        Ok(())
    }

    /// Whether a right of a user of an account above holds in the reviewed account, or below it.
    fn reaches_in(&self, right: &Right) -> bool {
        let ours =
            |id: &str| self.review.accounts.iter().any(|one| !one.above && one.account_id == id);
        let confined = right.limits.iter().any(|limit| limit.kind == "CONFINED");
        let scope = right.scope.strip_prefix("account/").unwrap_or_default();
        let at = scope.split('/').next().unwrap_or_default();
        !right.is_everybodys()
            && !confined
            && (right.reach == "SUBTREE" || ours(&right.account_id))
            && (at.is_empty() || ours(at))
    }

    fn right(&mut self, right: &pb::EffectiveRight, unused: Unused<'_>) -> Right {
        let grant = right.grant.clone().unwrap_or_default();
        let given = grant.kind() != pb::GrantKind::Baseline;
        let of_grant = |all: &[pb::UnusedRight]| {
            let found = all.iter().find(|one| one.grant.as_ref() == Some(&grant));
            found.map(|one| (one.permissions.clone(), one.whole)).unwrap_or_default()
        };
        let (unused, whole) = unused.filter(|_| given).map(of_grant).unzip();
        let held: BTreeSet<&String> = right.permissions.iter().collect();
        let of_right = |mut all: Vec<String>| {
            all.retain(|permission| held.contains(permission));
            all
        };
        let unused_set = unused.map(|all| self.place(of_right(all)));
        let expires = |limit: &pb::RightLimit| limit.expire_time.as_ref().and_then(time);
        Right {
            permission_set: self.place(right.permissions.clone()),
            account_id: right.account_id.clone(),
            reach: word(right.reach().as_str_name(), "REACH_"),
            on: word(right.on().as_str_name(), "RELATION_"),
            scope: right.scope.clone(),
            resource_type: right.resource_type.clone(),
            resource_id: right.resource_id.clone(),
            depth: word(right.depth().as_str_name(), "RIGHT_DEPTH_"),
            role: grant.role_type,
            rights_doc_id: grant.rights_doc_id,
            way: word(right.way().as_str_name(), "RIGHT_WAY_"),
            via_role: right.via_role.clone(),
            via_user_id: right.via_user_id.clone(),
            master_account_id: right.master_account_id.clone(),
            expires: right.limits.iter().find_map(expires),
            conditions: right
                .limits
                .iter()
                .map(|limit| &limit.when)
                .filter(|when| !when.is_empty())
                .cloned()
                .collect(),
            limits: right.limits.iter().filter_map(limit).collect(),
            unused_set,
            unused_whole: whole.unwrap_or(false),
        }
    }

    /// Returns the place of a list of permissions, which it gets if it has none.
    fn place(&mut self, mut permissions: Vec<String>) -> usize {
        permissions.sort_unstable();
        permissions.dedup();
        let sets = &mut self.review.permission_sets;
        *self.places.entry(permissions).or_insert_with_key(|new| {
            sets.push(new.clone());
            sets.len() - 1
        })
    }

    /// Finds out what the roles and documents that rights come from are called.
    pub(super) async fn names(&mut self) -> Result<(), NoReply> {
        let mut documents = BTreeSet::new();
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for user in &self.review.users {
            for right in user.rights.iter().filter(|right| !right.is_everybodys()) {
                documents.insert(right.rights_doc_id.clone());
                let roles = wanted.entry(user.account_id.clone()).or_default();
                roles.extend([right.role.clone(), right.via_role.clone()]);
            }
        }
        documents.remove("");
        for rights_doc_id in documents {
            self.document(rights_doc_id).await?;
        }
        let mut known: BTreeMap<String, Role> = BTreeMap::new();
        for (account, mut roles) in wanted {
            roles.remove("");
            roles.retain(|role| !known.contains_key(role));
            if roles.is_empty() {
                continue;
            }
            let listed = seen(read::roles(&mut self.client, &account).await)?.unwrap_or_default();
            known.extend(roles.into_iter().map(|role| (role.clone(), described(role, &listed))));
        }
        self.review.roles = known.into_values().collect();
        Ok(())
    }

    async fn document(&mut self, rights_doc_id: String) -> Result<(), NoReply> {
        let request = pb::GetRightsDocumentRequest {
            rights_doc_id: rights_doc_id.clone(),
            ..Default::default()
        };
        let found = seen(self.client.rights_document(request).await)?;
        // Of one that may not be read, the rights that it gives are known all the same, and its id.
        let found = found.and_then(|reply| reply.rights_document).unwrap_or_default();
        self.review.documents.push(Document {
            rights_doc_id,
            name: found.rights_doc_name.unwrap_or_default(),
            account_id: found.account_id,
            owner_id: found.owner_id,
            cascade: found.cascade.unwrap_or_default(),
            is_master: found.is_master.unwrap_or_default(),
        });
        Ok(())
    }
}

/// Describes a role that rights name by its bare or full name, or by its id.
fn described(role: String, listed: &[pb::Role]) -> Role {
    let full = listed.iter().find(|one| one.role == role);
    let mut bare = listed.iter().filter(|one| one.name.as_deref() == Some(&role));
    // Of two that are called so, which one it is is not known here.
    let found = full.or_else(|| bare.next().filter(|_| bare.next().is_none()));
    let found = found.cloned().unwrap_or_default();
    let name =
        if found.account_id.is_empty() { role.clone() } else { found.name.unwrap_or_default() };
    let description = found.description.unwrap_or_default();
    Role { role, name, description, account_id: found.account_id }
}

fn named(account: &Account) -> String {
    match account.name.as_str() {
        "" => account.account_id.clone(),
        name => format!("“{name}” ({})", account.account_id),
    }
}

fn shown(user: pb::User, rights: Vec<Right>) -> User {
    let full = [user.first_name.clone(), user.last_name.clone()].into_iter().flatten();
    let full: Vec<String> = full.filter(|name| !name.is_empty()).collect();
    User {
        kind: word(user.kind().as_str_name(), "USER_KIND_"),
        enabled: user.enabled.unwrap_or_default(),
        last_sign_in: user.last_sign_in_time.as_ref().and_then(time),
        user_id: user.user_id,
        account_id: user.account_id,
        parent_user_id: user.parent_user_id,
        user_name: user.user_name.unwrap_or_default(),
        full_name: user.full_name.unwrap_or_else(|| full.join(" ")),
        rights,
    }
}

/// Takes over what limits a right, but for what stands in fields of its own.
fn limit(limit: &pb::RightLimit) -> Option<Limit> {
    use pb::RightLimitKind as Kind;
    (!matches!(limit.kind(), Kind::Expires | Kind::Condition)).then(|| Limit {
        kind: word(limit.kind().as_str_name(), "RIGHT_LIMIT_KIND_"),
        account_id: limit.account_id.clone(),
        role: limit.role_type.clone(),
        takes: limit.permissions.len(),
    })
}
