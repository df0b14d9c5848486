//! Nouns for a tenant in memory, with what no decision looks at left empty.

use std::sync::Arc;

use chancery::decision::{Facts, Nothing, Question, Snapshot, Subject, Worlds, decide};
use chancery::model::catalogue::{Catalogue, CatalogueFile, Permission, built_in};
use chancery::model::{
    Account, AccountId, AccountStatus, ApiToken, Assignment, Body, DocId, RegionalSettings,
    ResourcePath, RightsDocument, RoleGrant, RoleRef, TokenId, User, UserId, UserKind,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The main account of every tenant here.
pub const MAIN: AccountId = AccountId(Uuid::from_u128(2));

/// The time at which everything was made and everything is asked.
pub const NOW: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

/// The ids of the store hold time and chance; these are spread as much.
const fn spread(kind: u128, n: usize) -> Uuid {
    Uuid::from_u128((n as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) ^ kind)
}

/// Numbers the accounts below the main one.
pub const fn account_id(n: usize) -> AccountId {
    AccountId(spread(1, n))
}

/// Numbers users.
pub const fn user_id(n: usize) -> UserId {
    UserId(spread(2, n))
}

/// Numbers tokens.
pub const fn token_id(n: usize) -> TokenId {
    TokenId(spread(3, n))
}

/// Numbers rights documents.
pub const fn document_id(n: usize) -> DocId {
    DocId(spread(4, n))
}

/// Makes the built-in catalogues, with one more where there is one.
pub fn catalogue(more: Option<String>) -> Arc<Catalogue> {
    let mut files = built_in().unwrap();
    files.extend(more.map(|yaml| CatalogueFile::read(yaml).unwrap()));
    Arc::new(Catalogue::build(&files).unwrap())
}

/// Makes an account; without a parent it is the main one, below the root.
pub fn account(id: AccountId, parent: Option<AccountId>) -> Account {
    Account {
        id,
        parent: Some(parent.unwrap_or(AccountId(Uuid::from_u128(1)))),
        tenant: MAIN,
        display_name: String::new(),
        email: None,
        login_alias: None,
        role: None,
        status: AccountStatus::Active,
        suspended_from: None,
        quarantined_from: None,
        created_by: None,
        create_time: NOW,
        update_time: NOW,
    }
}

/// Makes a user of an account, in a tree of eight below each.
pub fn user(n: usize, account: AccountId) -> User {
    User {
        id: user_id(n),
        account,
        parent: (n > 0).then(|| user_id(n / 8)),
        kind: UserKind::Admin,
        user_name: format!("user{n}"),
        first_name: String::new(),
        last_name: String::new(),
        full_name: String::new(),
        email: None,
        phone_number: String::new(),
        regional_settings: RegionalSettings::default(),
        enabled: true,
        sso: false,
        application: None,
        create_time: NOW,
        update_time: NOW,
        delete_time: None,
        session_marks: chancery::model::SessionMarks::default(),
        identity: None,
    }
}

/// Gives a role of a catalogue to a user.
pub fn grant(n: usize, account: AccountId, role: &str) -> RoleGrant {
    RoleGrant {
        user: user_id(n),
        account,
        role: RoleRef::BuiltIn(role.into()),
        scope: None,
        expire_time: None,
        create_time: NOW,
        created_by: None,
    }
}

/// Makes a token of a user, without limits.
pub fn token(n: usize, user: usize) -> ApiToken {
    ApiToken {
        id: token_id(n),
        user: user_id(user),
        account: MAIN,
        display_name: format!("token{n}"),
        scopes: Vec::new(),
        expanded: Vec::new(),
        created_by: Some(user_id(user)),
        origin: None,
        create_time: NOW,
        expire_time: None,
        key: None,
    }
}

/// Makes a rights document of the main account.
pub fn document(n: usize, body: Body) -> RightsDocument {
    RightsDocument {
        id: document_id(n),
        account: MAIN,
        owner: user_id(0),
        name: format!("document{n}"),
        cascade: false,
        master: false,
        body,
        create_time: NOW,
        update_time: NOW,
    }
}

/// Gives a rights document to a user.
pub fn assignment(document: usize, user: usize) -> Assignment {
    Assignment {
        document: document_id(document),
        user: user_id(user),
        account: MAIN,
        create_time: NOW,
        created_by: None,
    }
}

/// Makes a tenant of the main account and what is given.
pub fn tenant(catalogue: &Arc<Catalogue>, mut facts: Facts) -> Snapshot {
    facts.tenant = Some(MAIN);
    facts.accounts.insert(0, account(MAIN, None));
    Snapshot::build(Arc::clone(catalogue), facts).unwrap()
}

/// Decides one question within one tenant.
pub fn permits(
    world: &Snapshot,
    user: UserId,
    permission: Permission,
    resource: &ResourcePath,
) -> bool {
    let subject = Subject::User(user);
    let question =
        Question { subject, limits: None, permission, resource, now: NOW, asked: &Nothing };
    decide(Worlds { home: world, there: Some(world) }, &question).is_permit()
}
