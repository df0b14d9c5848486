//! Conditions of random worlds, what is said to them, and each once more in Rust.

use chancery::decision::Properties;
use chancery::model::{User, UserKind};
use proptest::prelude::*;
use proptest::sample::select;

use super::questions::Asked;

/// Conditions; the reference evaluator knows each by its text.
pub(crate) const CONDITIONS: &[&str] = &[
    "context.level > 2",
    "resource.properties.team == subject.properties.team",
    "now < timestamp('2027-01-15T08:00:01Z')",
    "now < timestamp('2027-01-15T08:00:00Z')",
    "subject.kind == 'SERVICE' && subject.type == 'user'",
    "resource.type == 'account' || action.name == 'user.read'",
    "resource.properties.tags.exists(t, t == subject.properties.team)",
    "!has(context.level) || context.level == 3",
    "context.level",
    "1 / 0 == 1",
    "no such text",
];

/// What an asker says.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) level: Option<u8>,
    pub(crate) team: Option<&'static str>,
    pub(crate) teams: Option<(&'static str, &'static str)>,
}

impl chancery::decision::Asked for Said {
    fn properties(&self) -> Properties {
        let mut said = Properties::default();
        if let Some(level) = self.level {
            said.context.insert("level".to_owned(), f64::from(level).into());
        }
        if let Some(team) = self.team {
            said.subject.insert("team".to_owned(), team.into());
        }
        if let Some((first, second)) = self.teams {
            said.resource.insert("team".to_owned(), first.into());
            said.resource.insert("tags".to_owned(), vec![first, second].into());
        }
        said
    }
}

pub(crate) fn said() -> impl Strategy<Value = Said> {
    let team = || select(vec!["red", "blue"]);
    let level = prop::option::of(1..5_u8);
    (level, prop::option::weighted(0.8, team()), prop::option::weighted(0.8, (team(), team())))
        .prop_map(|(level, team, teams)| Said { level, team, teams })
}

/// Each condition said once more, in Rust. One that cannot be evaluated does not hold.
pub(crate) fn holds(when: &str, user: &User, asked: &Asked) -> bool {
    let Said { level, team, teams } = &asked.said;
    let permission = asked.permission.as_str();
    match when {
        "context.level > 2" => level.is_some_and(|level| level > 2),
        "resource.properties.team == subject.properties.team" => {
            matches!((team, teams), (Some(team), Some((first, _))) if team == first)
        }
        "now < timestamp('2027-01-15T08:00:01Z')" => true,
        "subject.kind == 'SERVICE' && subject.type == 'user'" => {
            asked.seen_as.unwrap_or(user.kind) == UserKind::Service
        }
        "resource.type == 'account' || action.name == 'user.read'" => {
            permission.starts_with("account.") || permission == "user.read"
        }
        "resource.properties.tags.exists(t, t == subject.properties.team)" => {
            matches!((team, teams), (Some(team), Some((first, second))) if team == first || team == second)
        }
        "!has(context.level) || context.level == 3" => level.is_none_or(|level| level == 3),
        "now < timestamp('2027-01-15T08:00:00Z')"
        | "context.level"
        | "1 / 0 == 1"
        | "no such text" => false,
        other => panic!("{other} has not been said in Rust"),
    }
}
