//! What requests say of users, as the store takes it.

use prost_types::FieldMask;
use tonic::Status;

use crate::layers::status;
use crate::model::{AccountId, BadName, Folded, RegionalSettings, UserKind, fold};
use crate::proto::v1 as pb;
use crate::rpc::wire::optional;
use crate::store::{NewUser, UserEdit};

/// What `UpdateUser` changes, as `*` means it.
const CHANGEABLE: [&str; 8] = [
    "user_name",
    "first_name",
    "last_name",
    "full_name",
    "email",
    "phone_number",
    "regional_settings",
    "sso",
];

/// Refuses a name that cannot be one.
pub(super) fn bad_name(field: &str, error: BadName) -> Status {
    status::bad_field("INVALID_FIELD", field, error.to_string())
}

fn wrong_kind(field: &str, why: &str) -> Status {
    status::bad_field("WRONG_USER_KIND", field, why)
}

fn name_key(name: &str) -> Result<Folded, Status> {
    fold(name).map_err(|error| bad_name("user.user_name", error))
}

/// Reads a user to be made; what the kind forbids is refused here, as far as the request tells it (`model.md` §3, Kinds).
pub(super) fn new_user(
    account: AccountId,
    request: pb::CreateUserRequest,
    return_uris: &[String],
) -> Result<NewUser, Status> {
    if !request.return_uri.is_empty() && !return_uris.contains(&request.return_uri) {
        let why = "is none of the addresses that the configuration allows";
        return Err(status::bad_field("INVALID_FIELD", "return_uri", why));
    }
    let user = request.user.unwrap_or_default();
    let parent = optional("parent_user_id", &request.parent_user_id)?;
    if user.root_user && parent.is_some() {
        let why = "cannot be true where parent_user_id is given";
        return Err(status::bad_field("INVALID_FIELD", "user.root_user", why));
    }
    let kind = kind(&user);
    let sso = request.sso || user.sso.unwrap_or_default();
    match kind {
        UserKind::Application if user.application_id.is_empty() => {
            return Err(wrong_kind("user.application_id", "is required for kind APPLICATION"));
        }
        UserKind::Application if parent.is_some() => {
            let why = "a user of kind APPLICATION has no parent";
            return Err(wrong_kind("parent_user_id", why));
        }
        UserKind::Admin | UserKind::Service if !user.application_id.is_empty() => {
            return Err(wrong_kind("user.application_id", "is for kind APPLICATION only"));
        }
        UserKind::Service if sso => {
            let field = if request.sso { "sso" } else { "user.sso" };
            return Err(wrong_kind(field, "a user of kind SERVICE does not sign in"));
        }
        _ => {}
    }
    let user_name = user.user_name.unwrap_or_default();
    Ok(NewUser {
        account,
        parent,
        root: user.root_user,
        kind,
        name_key: name_key(&user_name)?,
        user_name,
        first_name: user.first_name.unwrap_or_default(),
        last_name: user.last_name.unwrap_or_default(),
        full_name: user.full_name.unwrap_or_default(),
        email: user.email.filter(|email| !email.is_empty()),
        phone_number: user.phone_number.unwrap_or_default(),
        regional_settings: regional(user.regional_settings),
        enabled: user.enabled.unwrap_or(true),
        sso,
        application: Some(user.application_id).filter(|id| !id.is_empty()),
        roles: user.roles,
    })
}

fn kind(user: &pb::User) -> UserKind {
    match user.kind() {
        pb::UserKind::Unspecified | pb::UserKind::Admin => UserKind::Admin,
        pb::UserKind::Service => UserKind::Service,
        pb::UserKind::Application => UserKind::Application,
    }
}

fn regional(given: Option<pb::RegionalSettings>) -> RegionalSettings {
    let given = given.unwrap_or_default();
    RegionalSettings {
        timezone_name: given.timezone_name.unwrap_or_default(),
        language: given.language.unwrap_or_default(),
        formatting_locale: given.formatting_locale.unwrap_or_default(),
        home_country_code: given.home_country_code.unwrap_or_default(),
        time_format: given.time_format.unwrap_or_default(),
    }
}

/// Reads which fields are to change: those that the mask names, or those that are set.
pub(super) fn edits(user: &pb::User, mask: Option<FieldMask>) -> Result<Vec<UserEdit>, Status> {
    let paths: Vec<String> = match mask {
        Some(mask) if !mask.paths.is_empty() => mask.paths,
        _ => set_fields(user),
    };
    let mut edits = Vec::with_capacity(paths.len());
    for path in &paths {
        if path == "*" {
            for path in CHANGEABLE {
                edits.push(edit(path, user)?);
            }
        } else {
            edits.push(edit(path, user)?);
        }
    }
    Ok(edits)
}

/// Names the changeable fields that a request sets; of the regional settings, single ones.
fn set_fields(user: &pb::User) -> Vec<String> {
    let regional = user.regional_settings.clone().unwrap_or_default();
    let set = [
        ("user_name", user.user_name.is_some()),
        ("first_name", user.first_name.is_some()),
        ("last_name", user.last_name.is_some()),
        ("full_name", user.full_name.is_some()),
        ("email", user.email.is_some()),
        ("phone_number", user.phone_number.is_some()),
        ("sso", user.sso.is_some()),
        ("regional_settings.timezone_name", regional.timezone_name.is_some()),
        ("regional_settings.language", regional.language.is_some()),
        ("regional_settings.formatting_locale", regional.formatting_locale.is_some()),
        ("regional_settings.home_country_code", regional.home_country_code.is_some()),
        ("regional_settings.time_format", regional.time_format.is_some()),
    ];
    set.into_iter().filter(|(_, set)| *set).map(|(path, _)| path.to_owned()).collect()
}

/// Reads one field; one that is absent is cleared, but for the name, which no user is without.
fn edit(path: &str, user: &pb::User) -> Result<UserEdit, Status> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let regional = || regional(user.regional_settings.clone());
    Ok(match path {
        "user_name" => {
            let name = text(&user.user_name);
            let key = name_key(&name)?;
            UserEdit::UserName(name, key)
        }
        "first_name" => UserEdit::FirstName(text(&user.first_name)),
        "last_name" => UserEdit::LastName(text(&user.last_name)),
        "full_name" => UserEdit::FullName(text(&user.full_name)),
        "email" => UserEdit::Email(user.email.clone().filter(|email| !email.is_empty())),
        "phone_number" => UserEdit::PhoneNumber(text(&user.phone_number)),
        "sso" => UserEdit::Sso(user.sso.unwrap_or_default()),
        "regional_settings" => UserEdit::RegionalSettings(regional()),
        "regional_settings.timezone_name" => UserEdit::TimezoneName(regional().timezone_name),
        "regional_settings.language" => UserEdit::Language(regional().language),
        "regional_settings.formatting_locale" => {
            UserEdit::FormattingLocale(regional().formatting_locale)
        }
        "regional_settings.home_country_code" => {
            UserEdit::HomeCountryCode(regional().home_country_code)
        }
        "regional_settings.time_format" => UserEdit::TimeFormat(regional().time_format),
        other => return Err(read_only(other)),
    })
}

/// Refuses a field that this RPC does not change, and names the one that does.
fn read_only(path: &str) -> Status {
    let why = match path {
        "enabled" => "is changed by SetUserActive".to_owned(),
        "roles" => "is changed by AddUserRole and RemoveUserRole".to_owned(),
        "parent_user_id" | "root_user" => "is changed by MoveUser".to_owned(),
        "children" => "is changed by MoveUser and ReassignChildren".to_owned(),
        "delete_time" => "is changed by DeleteUser and UndeleteUser".to_owned(),
        "kind" | "application_id" | "account_id" | "user_id" => "never changes".to_owned(),
        _ => format!("is no field that UpdateUser changes: {}", CHANGEABLE.join(", ")),
    };
    status::bad_field("FIELD_READ_ONLY", "update_mask", format!("`{path}` {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "a request holds it so")]
    fn mask(paths: &[&str]) -> Option<FieldMask> {
        Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
    }

    #[test]
    fn without_a_mask_what_is_set_changes_and_nothing_else() {
        let regional = pb::RegionalSettings { language: Some("de".into()), ..Default::default() };
        let user = pb::User {
            first_name: Some("Ann".into()),
            enabled: Some(false),
            roles: vec!["SUPER_USER".into()],
            regional_settings: Some(regional),
            ..Default::default()
        };
        let expected = vec![UserEdit::FirstName("Ann".into()), UserEdit::Language("de".into())];
        assert_eq!(edits(&user, None).unwrap(), expected);
    }

    #[test]
    fn a_masked_field_that_is_absent_is_cleared() {
        let user = pb::User::default();
        assert_eq!(edits(&user, mask(&["email"])).unwrap(), [UserEdit::Email(None)]);
        assert!(edits(&user, mask(&["user_name"])).is_err());
    }

    #[test]
    fn a_star_is_every_field_that_can_change() {
        let user = pb::User { user_name: Some("ann".into()), ..Default::default() };
        assert_eq!(edits(&user, mask(&["*"])).unwrap().len(), CHANGEABLE.len());
    }

    #[test]
    fn what_another_rpc_changes_is_refused_by_its_name() {
        for (path, rpc) in
            [("enabled", "SetUserActive"), ("roles", "AddUserRole"), ("parent_user_id", "MoveUser")]
        {
            let error = edits(&pb::User::default(), mask(&[path])).unwrap_err();
            assert!(error.message().contains(rpc), "{error}");
        }
    }
}
