//! The acceptance cases of Voximplant that are about decisions and accounts. A number of the source's table of errors reads here as
//! `model.md` §10 says; where the model decides otherwise, it is said beside the test. `tests/held/cases.txt` lists them all.

use chancery::proto::v1 as pb;
use pb::Reason;
use tonic::{Code, Status};

use crate::support::{Person, Service, engines, refused};

/// An account, and an application in it.
struct Acme {
    service: Service,
    account: String,
}

impl Acme {
    async fn start(engine: &crate::support::Engine) -> Self {
        let service = Service::start(engine).await;
        let account = service.tenant("Acme").await;
        Self { service, account }
    }

    async fn subuser(&self, role: &str) -> Person {
        let role = format!("voximplant/{role}");
        self.service.person(&self.account, &role, &[&role]).await
    }

    /// Whether somebody may do `type.action` to a thing of the account, or of its application.
    async fn may(&self, user: &Person, permission: &str) -> bool {
        self.may_at(user, permission, &self.account).await
    }

    async fn may_at(&self, user: &Person, permission: &str, account: &str) -> bool {
        self.answer(user, permission, account).await.decision
    }

    async fn answer(
        &self,
        user: &Person,
        permission: &str,
        account: &str,
    ) -> pb::AuthorizeResponse {
        let (kind, action) = permission.split_once('.').unwrap();
        let path = match kind {
            "control_panel"
            | "application"
            | "phone_number"
            | "role_system"
            | "billing"
            | "available_phone_number"
            | "application_list"
            | "log"
            | "skill" => {
                format!("account/{account}/{kind}/1")
            }
            "account" => format!("account/{account}"),
            kind => format!("account/{account}/application/1/{kind}/1"),
        };
        self.service.decides(&user.user_id, action, kind, &path).await
    }

    /// Asserts what somebody may and may not.
    async fn expect(&self, user: &Person, permissions: &[&str], permitted: bool) {
        for permission in permissions {
            assert_eq!(self.may(user, permission).await, permitted, "{permission}");
        }
    }

    async fn create(&self, user: pb::User) -> Result<pb::User, Status> {
        let request = pb::CreateUserRequest {
            account_id: self.account.clone(),
            user: Some(user),
            ..Default::default()
        };
        let made = self.service.users(&self.service.root).create_user(request).await?;
        Ok(made.into_inner().user.unwrap())
    }

    async fn done(self) {
        self.service.verify(&self.account).await;
        self.service.stop().await;
    }
}

fn named(name: &str) -> pb::User {
    pb::User { user_name: Some(name.to_owned()), root_user: true, ..Default::default() }
}

/// V03: a name is stored as given here, and compared folded.
#[tokio::test]
async fn a_subuser_s_name_is_one_name_in_any_case() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        assert_eq!(acme.create(named("Ann5x")).await.unwrap().user_name(), "Ann5x");
        for taken in ["ANN5X", "ann5x"] {
            refused(acme.create(named(taken)).await, Code::AlreadyExists, "USER_NAME_TAKEN");
        }
        acme.done().await;
    }
}

/// V04: the model has no least length and no letter to begin with; RingCX's names are e-mail addresses. What it bounds is refused.
#[tokio::test]
async fn a_subuser_s_name_is_bounded_by_this_service_s_own_rule() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        for good in ["ab", "5name", "abcdefghijklmnopqrstu"] {
            acme.create(named(good)).await.unwrap();
        }
        for bad in [String::new(), "x".repeat(257)] {
            refused(acme.create(named(&bad)).await, Code::InvalidArgument, "INVALID_FIELD");
        }
        acme.done().await;
    }
}

/// V07.
#[tokio::test]
async fn a_subuser_is_made_with_roles_that_there_are() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        for role in ["Nope", "rol_00000000000000000000009999", "9999"] {
            let user = pb::User { roles: vec![role.to_owned()], ..named("ann") };
            refused(acme.create(user).await, Code::InvalidArgument, "UNKNOWN_ROLE");
        }
        acme.done().await;
    }
}

/// V08.
#[tokio::test]
async fn who_supports_or_supervises_listens_to_recordings_and_deletes_none() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        for role in ["Supervisor", "Support"] {
            let user = acme.subuser(role).await;
            acme.expect(&user, &["recording.listen"], true).await;
            acme.expect(&user, &["recording.delete"], false).await;
        }
        acme.done().await;
    }
}

/// V09, V10.
#[tokio::test]
async fn who_manages_users_adds_agents_and_skills_and_opens_nothing_that_runs_calls() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let user = acme.subuser("UserManager").await;
        acme.expect(&user, &["smart_queue_user.create", "skill.create"], true).await;
        for kind in ["scenario", "rule", "application_phone_number", "phone_number"] {
            for action in ["read", "update"] {
                acme.expect(&user, &[&format!("{kind}.{action}")], false).await;
            }
        }
        acme.done().await;
    }
}

/// V15.
#[tokio::test]
async fn who_manages_call_lists_makes_and_appends_them_and_opens_no_scenario() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let user = acme.subuser("CallListManager").await;
        acme.expect(&user, &["call_list.create", "call_list.append"], true).await;
        let scenarios = ["create", "read", "update", "delete"].map(|a| format!("scenario.{a}"));
        acme.expect(&user, &scenarios.each_ref().map(String::as_str), false).await;
        acme.done().await;
    }
}

/// The sections of an application that a subuser's role opens or does not.
const SECTIONS: &[&str] = &[
    "call_history",
    "scenario",
    "application_user",
    "application_phone_number",
    "rule",
    "queue",
    "push_certificate",
    "dialogflow_agent",
    "key_value_storage",
    "smart_queue",
    "smart_queue_user",
];

/// V16.
#[tokio::test]
async fn who_manages_phone_numbers_signs_in_and_opens_nothing_in_an_application() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let user = acme.subuser("PhoneNumberManager").await;
        acme.expect(&user, &["control_panel.sign_in"], true).await;
        acme.expect(&user, &["application.read", "call_list.read"], false).await;
        for section in SECTIONS {
            acme.expect(&user, &[&format!("{section}.read")], false).await;
        }
        acme.done().await;
    }
}

/// V17.
#[tokio::test]
async fn a_section_that_is_open_is_open_to_read_write_and_delete() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let mut open = 0;
        for role in ["Owner", "Admin", "Developer", "Supervisor", "Support", "UserManager"] {
            let user = acme.subuser(role).await;
            for section in SECTIONS {
                let read = acme.may(&user, &format!("{section}.read")).await;
                open += usize::from(read);
                for action in ["create", "update", "delete"] {
                    acme.expect(&user, &[&format!("{section}.{action}")], read).await;
                }
            }
        }
        assert!(open > 30, "{open}");
        acme.done().await;
    }
}

/// V23.
#[tokio::test]
async fn a_machine_adds_subusers_as_an_owner_and_not_as_an_admin() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        for (role, permitted) in [("Owner@service", true), ("Admin@service", false)] {
            let role = format!("voximplant/{role}");
            let machine = acme.service.machine(&acme.account, &role, &[&role]).await;
            acme.expect(&machine, &["role_system.add_sub_user"], permitted).await;
            acme.expect(&machine, &["application.add_application"], true).await;
        }
        acme.done().await;
    }
}

/// V27; a service key comes later, a token carries a role alike.
#[tokio::test]
async fn a_subuser_s_role_that_a_token_carries_is_taken_by_force_and_from_the_token_too() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let root = acme.service.root.clone();
        let user = acme.subuser("Developer").await;
        let role = "voximplant/Developer";
        let (token_id, _) = acme.service.mint(&user.user_id, &[&format!("role:{role}")]).await;
        let take = |force| pb::RemoveUserRoleRequest {
            user_id: user.user_id.clone(),
            role_type: role.to_owned(),
            force,
            ..Default::default()
        };
        let kept = acme.service.roles(&root).remove_user_role(take(false)).await;
        refused(kept, Code::FailedPrecondition, "ROLE_IN_USE");
        acme.expect(&user, &["scenario.create"], true).await;
        acme.service.roles(&root).remove_user_role(take(true)).await.unwrap();
        acme.expect(&user, &["scenario.create"], false).await;
        let list = pb::ListApiTokensRequest { user_id: user.user_id.clone(), ..Default::default() };
        let left = acme.service.tokens(&root).list_api_tokens(list).await.unwrap().into_inner();
        assert!(left.api_tokens.iter().all(|token| token.token_id != token_id));
        acme.done().await;
    }
}

/// V33: allowed entries are what a role permits, denied ones its exceptions.
#[tokio::test]
async fn a_role_allows_and_denies_only_what_there_is() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let wrong = "role_system.no_such_function".to_owned();
        let right = "role_system.get_keys".to_owned();
        for (permits, except) in [(vec![wrong.clone()], vec![]), (vec![right], vec![wrong])] {
            let name = Some("admin_role".to_owned());
            let role = pb::Role { name, permits, except, ..Default::default() };
            let request = pb::CreateRoleRequest {
                account_id: acme.account.clone(),
                role: Some(role),
                ..Default::default()
            };
            let made = acme.service.roles(&acme.service.root).create_role(request).await;
            refused(made, Code::InvalidArgument, "UNKNOWN_PERMISSION");
        }
        acme.done().await;
    }
}

/// V34.
#[tokio::test]
async fn a_child_account_waits_until_it_is_opened_and_uses_its_parent_s_scenarios_alone() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let root = acme.service.root.clone();
        let account = pb::Account {
            display_name: Some("Child".to_owned()),
            status: Some(pb::AccountStatus::Pending.into()),
            ..Default::default()
        };
        let request = pb::CreateAccountRequest {
            parent_account_id: acme.account.clone(),
            account: Some(account),
            ..Default::default()
        };
        let made = acme.service.accounts(&root).create_account(request).await.unwrap();
        let child = made.into_inner().account.unwrap().account_id;
        let owner = acme.service.person(&child, "owner", &["voximplant/Owner"]).await;
        let machine = ["voximplant/Owner@service"];
        let machine = acme.service.machine(&child, "machine", &machine).await;
        let get = || pb::GetAccountRequest { account_id: child.clone() };
        for who in [&owner, &machine] {
            let asked = acme.service.accounts(who).get_account(get()).await;
            refused(asked, Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE");
            let denied = acme.answer(who, "scenario.get_scenarios", &child).await;
            assert_eq!(denied.reason(), Reason::AccountNotActive);
        }
        let resume = pb::ResumeAccountRequest { account_id: child.clone(), ..Default::default() };
        acme.service.accounts(&root).resume_account(resume).await.unwrap();

        for (who, own, shared) in [
            (&owner, ["application.read", "scenario.update"], vec!["scenario.read"]),
            (
                &machine,
                ["application.set_application_info", "scenario.set_scenario_info"],
                vec!["scenario.get_scenarios", "scenario.start_scenarios"],
            ),
        ] {
            for permission in own {
                assert!(acme.may_at(who, permission, &child).await, "{permission}");
                assert!(!acme.may(who, permission).await, "{permission} of the parent");
            }
            for permission in shared {
                assert!(acme.may_at(who, permission, &child).await, "{permission}");
                assert!(acme.may(who, permission).await, "{permission} of the parent");
            }
        }
        acme.done().await;
    }
}

/// V35.
#[tokio::test]
async fn a_child_that_its_parent_has_stopped_calls_nothing() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let child = acme.service.account(&acme.account, "Child").await;
        let boss = acme.service.person(&acme.account, "boss", &["voximplant/MainAccount"]).await;
        let owner = acme.service.person(&child, "owner", &["voximplant/Owner"]).await;
        let stop = pb::SuspendAccountRequest { account_id: child.clone(), ..Default::default() };
        acme.service.accounts(&boss).suspend_account(stop).await.unwrap();
        let get = pb::GetUserRequest { user_id: owner.user_id.clone() };
        let called = acme.service.users(&owner).get_user(get).await;
        refused(called, Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE");
        let denied = acme.answer(&owner, "application.read", &child).await;
        assert_eq!(denied.reason(), Reason::AccountNotActive);
        acme.done().await;
    }
}

/// V36: signing in comes later; what the customer could do there it may no more.
#[tokio::test]
async fn a_customer_who_is_not_active_may_nothing() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let root = acme.service.root.clone();
        let customer = pb::User {
            kind: Some(pb::UserKind::Application.into()),
            application_id: "1".to_owned(),
            root_user: false,
            ..named("customer")
        };
        let customer = acme.create(customer).await.unwrap().user_id;
        let (_, token) = acme.service.mint(&customer, &["*"]).await;
        let account_id = acme.account.clone();
        let customer = Person { user_id: customer, account_id, token, token_id: String::new() };
        let get = || pb::GetUserRequest { user_id: customer.user_id.clone() };
        acme.service.users(&customer).get_user(get()).await.unwrap();
        let stop = pb::SetUserActiveRequest {
            user_id: customer.user_id.clone(),
            is_active: false,
            ..Default::default()
        };
        acme.service.users(&root).set_user_active(stop).await.unwrap();
        let called = acme.service.users(&customer).get_user(get()).await;
        refused(called, Code::Unauthenticated, "TOKEN_REVOKED");
        let denied = acme.answer(&customer, "application.read", &acme.account).await;
        assert_eq!(denied.reason(), Reason::SubjectDisabled);
        acme.done().await;
    }
}
