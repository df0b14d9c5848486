//! Which permissions a reviewer asks about first.

/// What makes a permission grave, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grave {
    /// What is gone is gone.
    Delete,
    /// Others get or lose rights.
    Rights,
    /// Somebody else's access comes into one's hands.
    Credentials,
    /// People come in, or are locked out.
    People,
    /// Whole accounts stop or move.
    Accounts,
    /// Data leaves the house.
    Data,
}

impl Grave {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 6] =
        [Self::Delete, Self::Rights, Self::Credentials, Self::People, Self::Accounts, Self::Data];

    /// The question that a reviewer asks.
    pub(super) const fn question(self) -> &'static str {
        match self {
            Self::Delete => "Who may delete things?",
            Self::Rights => "Who may decide what others may do?",
            Self::Credentials => "Who may make credentials, or act as somebody else?",
            Self::People => "Who may let people in, or lock them out?",
            Self::Accounts => "Who may stop or move whole accounts?",
            Self::Data => "Who may listen to calls or take data out?",
        }
    }

    /// Returns what makes a permission grave, if anything does.
    ///
    /// Actions of a platform's own catalogues are known by the words in their names: a list of theirs would be wrong tomorrow.
    pub(super) fn of(permission: &str) -> Option<Self> {
        let (kind, action) = permission.split_once('.')?;
        let has = |words: &[&str]| action.split('_').any(|word| words.contains(&word));
        if has(&["delete", "del", "remove", "close"]) {
            return Some(Self::Delete);
        }
        match (kind, action) {
            ("role", "create" | "update" | "assign" | "revoke")
            | ("rights_document", "create" | "update" | "assign" | "unassign" | "write_master")
            | ("account", "set_role")
            | ("catalogue", "apply")
            | ("user", "move") => Some(Self::Rights),
            ("user", "assume" | "reset_password")
            | ("api_token", "create" | "rotate")
            | ("service_key" | "api_key", "create" | "update")
            | ("secret", "get_secret_value" | "add_secret")
            | ("signing_key", "rotate") => Some(Self::Credentials),
            (
                "user",
                "create" | "create_root" | "update" | "set_active" | "undelete" | "offboard"
                | "import",
            )
            | ("application_user", "create" | "update")
            | ("account", "create")
            | ("session", "revoke") => Some(Self::People),
            ("account", "suspend" | "resume" | "move" | "quarantine" | "release") => {
                Some(Self::Accounts)
            }
            _ if has(&["roles"]) && has(&["set"]) => Some(Self::Rights),
            _ if has(&["key"]) && has(&["create", "update", "add"]) => Some(Self::Credentials),
            _ if has(&["export", "download", "listen"]) => Some(Self::Data),
            _ => None,
        }
    }
}

/// Whether permissions on this type are about users: only there does it matter on which of them a right holds.
pub(super) fn about_users(permission: &str) -> bool {
    let kind = permission.split('.').next().unwrap_or_default();
    matches!(
        kind,
        "user" | "rights_document" | "session" | "api_token" | "service_key" | "dashboard"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_grave_is_known_by_its_name() {
        for (permission, grave) in [
            ("recording.delete", Some(Grave::Delete)),
            ("smart_queue.sq_del_queue", Some(Grave::Delete)),
            ("role.assign", Some(Grave::Rights)),
            ("role_system.set_sub_user_roles", Some(Grave::Rights)),
            ("api_token.create", Some(Grave::Credentials)),
            ("role_system.create_key", Some(Grave::Credentials)),
            ("user.create", Some(Grave::People)),
            ("account.suspend", Some(Grave::Accounts)),
            ("audit_event.export", Some(Grave::Data)),
            ("recording.listen", Some(Grave::Data)),
            ("recording.read", None),
            ("gate.create", None),
            ("delete", None),
        ] {
            assert_eq!(Grave::of(permission), grave, "{permission}");
        }
    }
}
