//! A user as the wire shows it, to one who looks.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::decision::{Caller, Snapshot, sees_user};
use crate::model::{RegionalSettings, User, UserId, UserKind};
use crate::proto::v1 as pb;
use crate::rpc::answer::role_name;
use crate::rpc::shared::{Done, Reader};
use crate::rpc::wire::timestamp;
use crate::store::user_etag;

/// One who looks at users of one tenant, at one moment.
pub(super) struct Eye {
    caller: Caller,
    home: Arc<Snapshot>,
    pub(super) there: Arc<Snapshot>,
    now: DateTime<Utc>,
}

impl Eye {
    /// Returns whoever reads.
    pub(super) fn of(by: Reader, now: DateTime<Utc>) -> Self {
        Self { caller: by.caller, home: by.home, there: by.there, now }
    }

    /// Returns whoever made a change, looking at what it made.
    pub(super) fn after<T>(by: Reader, done: &Done<T>, now: DateTime<Utc>) -> Self {
        let there = Arc::clone(&done.world);
        let home = if by.home.tenant() == there.tenant() { Arc::clone(&there) } else { by.home };
        Self { caller: by.caller, home, there, now }
    }

    /// Returns whether a user is there for it (`model.md` §3, Visibility).
    pub(super) fn sees(&self, id: UserId) -> bool {
        sees_user(&self.caller, &self.home, &self.there, id, self.now)
    }

    /// Shows a user. Whoever is above it is named only where it is seen itself.
    pub(super) fn user(&self, user: &User) -> pb::User {
        let parent = user.parent.filter(|parent| self.sees(*parent));
        pb::User {
            parent_user_id: parent.map(|id| id.to_string()).unwrap_or_default(),
            kind: Some(wire_kind(user.kind).into()),
            user_name: Some(user.user_name.clone()),
            first_name: given(&user.first_name),
            last_name: given(&user.last_name),
            full_name: given(&full_name(user)),
            email: user.email.clone(),
            enabled: Some(user.enabled),
            root_user: user.parent.is_none(),
            sso: Some(user.sso),
            roles: self.roles(user.id),
            regional_settings: regional(&user.regional_settings),
            phone_number: given(&user.phone_number),
            application_id: user.application.clone().unwrap_or_default(),
            create_time: Some(timestamp(user.create_time)),
            update_time: Some(timestamp(user.update_time)),
            delete_time: delete_time(user),
            etag: user_etag(&self.there, user),
            ..named(user)
        }
    }

    /// Names the roles that a user holds now, each once.
    fn roles(&self, id: UserId) -> Vec<String> {
        let held = self.there.any_user(id).map(|user| &*user.held).unwrap_or_default();
        let live = held.iter().filter(|held| held.is_live(self.now));
        let mut names: Vec<String> = live.map(|held| role_name(&self.there, &held.role)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Names a user and no more.
pub(super) fn named(user: &User) -> pb::User {
    pb::User {
        user_id: user.id.to_string(),
        account_id: user.account.to_string(),
        ..Default::default()
    }
}

pub(super) fn delete_time(user: &User) -> Option<prost_types::Timestamp> {
    user.delete_time.map(timestamp)
}

/// Takes away what only a change that is kept gives.
pub(super) fn without_times(user: pb::User) -> pb::User {
    pb::User { update_time: None, delete_time: None, etag: String::new(), ..user }
}

/// Takes away what only a user that is kept has.
pub(super) fn without_id(user: pb::User) -> pb::User {
    pb::User { user_id: String::new(), create_time: None, ..user }
}

/// Returns the whole name: the one kept, or else the first and the last.
fn full_name(user: &User) -> String {
    if user.full_name.is_empty() {
        joined(&user.first_name, &user.last_name)
    } else {
        user.full_name.clone()
    }
}

/// Joins first and last name.
fn joined(first: &str, last: &str) -> String {
    let names: Vec<&str> = [first, last].into_iter().filter(|name| !name.is_empty()).collect();
    names.join(" ")
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn regional(settings: &RegionalSettings) -> Option<pb::RegionalSettings> {
    let given_any = *settings != RegionalSettings::default();
    given_any.then(|| pb::RegionalSettings {
        timezone_name: given(&settings.timezone_name),
        language: given(&settings.language),
        formatting_locale: given(&settings.formatting_locale),
        home_country_code: given(&settings.home_country_code),
        time_format: given(&settings.time_format),
    })
}

const fn wire_kind(kind: UserKind) -> pb::UserKind {
    match kind {
        UserKind::Admin => pb::UserKind::Admin,
        UserKind::Service => pb::UserKind::Service,
        UserKind::Application => pb::UserKind::Application,
    }
}
