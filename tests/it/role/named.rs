//! Roles by names that fit several, and by ids in scopes that fit none.

use chancery::proto::v1 as pb;
use tonic::{Code, Status};

use super::{create, give, given, made, role, take, texts, update};
use crate::account::apply;
use crate::support::{Person, Service, engines, refused};

/// Roles that are called like some of the built-in catalogues.
const NAMESAKES: &str = r"
catalogue: house
version: 1
uses: [core]
roles:
  AUDITOR:
    description: Reads the account
    assignable_to: [admin]
    permits: [account.read]
  Developer:
    description: Reads accounts
    assignable_to: [account]
    permits: [account.read]
";

/// A tenant with all that can name a role.
struct House {
    service: Service,
    acme: String,
    below: String,
    user: Person,
    own: String,
}

impl House {
    async fn of(service: Service) -> Self {
        apply(&service, NAMESAKES).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let user = service.person(&acme, "user", &["core/AUDITOR", "house/AUDITOR"]).await;
        let own = made(&service, &acme, role("own", &["recording.read"])).await.role;
        Self { service, acme, below, user, own }
    }

    /// Writes `AUDITOR` wherever a role of a user is named.
    async fn name_an_auditor(&self) -> Vec<Result<(), Status>> {
        let Self { service, acme, user, own, .. } = self;
        let name = || "AUDITOR".to_owned();
        let new = pb::User {
            user_name: Some("new".to_owned()),
            roles: vec![name()],
            ..Default::default()
        };
        let new = pb::CreateUserRequest {
            account_id: acme.clone(),
            user: Some(new),
            ..Default::default()
        };
        let including = pb::Role { includes: vec![name()], ..role("new", &[]) };
        let edited = pb::Role { includes: vec![name()], role: own.clone(), ..Default::default() };
        let copy = pb::CreateRoleRequest { copy_from: name(), ..create(acme, role("new", &[])) };
        let token = pb::CreateApiTokenRequest {
            user_id: user.user_id.clone(),
            scopes: texts(&["role:AUDITOR"]),
            ..Default::default()
        };
        let mut roles = service.roles(&service.root);
        vec![
            roles.add_user_role(give(&user.user_id, "AUDITOR")).await.map(drop),
            roles.remove_user_role(take(&user.user_id, "AUDITOR")).await.map(drop),
            roles.create_role(create(acme, including)).await.map(drop),
            roles.create_role(copy).await.map(drop),
            roles.update_role(update(edited, &[])).await.map(drop),
            roles.get_role(pb::GetRoleRequest { role: name() }).await.map(drop),
            service.users(&service.root).create_user(new).await.map(drop),
            service.tokens(&service.root).create_api_token(token).await.map(drop),
        ]
    }

    /// Writes `Developer` wherever a role of an account is named.
    async fn name_a_developer(&self) -> Vec<Result<(), Status>> {
        let role = || "Developer".to_owned();
        let account = pb::Account {
            display_name: Some("New".to_owned()),
            role: role(),
            ..Default::default()
        };
        let child = pb::CreateAccountRequest {
            parent_account_id: self.acme.clone(),
            account: Some(account),
            ..Default::default()
        };
        let ceiling = pb::SetAccountRoleRequest {
            account_id: self.below.clone(),
            role: role(),
            ..Default::default()
        };
        let mut accounts = self.service.accounts(&self.service.root);
        vec![
            accounts.create_account(child).await.map(drop),
            accounts.set_account_role(ceiling).await.map(drop),
        ]
    }
}

#[tokio::test]
async fn a_bare_name_of_several_roles_is_refused_with_all_of_them_wherever_it_is_written() {
    for engine in engines() {
        let house = House::of(Service::start(&engine).await).await;
        for (refusals, candidates) in [
            (house.name_an_auditor().await, ["core/AUDITOR", "house/AUDITOR"]),
            (house.name_a_developer().await, ["restcomm/Developer", "house/Developer"]),
        ] {
            for refusal in refusals {
                let status = refused(refusal, Code::InvalidArgument, "UNKNOWN_ROLE");
                for candidate in candidates {
                    assert!(status.message().contains(candidate), "{}", status.message());
                }
            }
        }
        // In full each is meant, and answers give it in full too.
        let taken = take(&house.user.user_id, "house/AUDITOR");
        let mut roles = house.service.roles(&house.service.root);
        let one = roles.remove_user_role(taken).await.unwrap();
        assert_eq!(one.into_inner().role_grants[0].role_type, "house/AUDITOR");
        house.service.verify(&house.acme).await;
        house.service.stop().await;
    }
}

#[tokio::test]
async fn a_scope_names_roles_and_tokens_only_where_they_are_and_are_seen() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let user = service.person(&acme, "user", &[]).await;
        let mate = service.person(&acme, "mate", &[]).await;
        let stranger = service.person(&other, "stranger", &[]).await;
        let own = made(&service, &acme, role("own", &["recording.read"])).await;
        let theirs = made(&service, &other, role("theirs", &["recording.read"])).await;
        let within = |pair: &str| format!("account/{acme}/{pair}");
        let token = |of: &str, id: &str| within(&format!("user/{of}/api_token/{id}"));
        let nobodys = "01h455vb4pex5vsknk084sn02q";
        for (scope, reason) in [
            (within(&format!("role/rol_{nobodys}")), "ROLE_NOT_FOUND"),
            (within(&format!("role/{}", theirs.role)), "ROLE_NOT_FOUND"),
            (token(&mate.user_id, &format!("tok_{nobodys}")), "TOKEN_NOT_FOUND"),
            (token(&mate.user_id, &stranger.token_id), "TOKEN_NOT_FOUND"),
            // It is there, but of another.
            (token(&mate.user_id, &user.token_id), "TOKEN_NOT_FOUND"),
        ] {
            let request =
                pb::AddUserRoleRequest { scope, ..super::force(&user.user_id, "AUDITOR") };
            let result = service.roles(&boss).add_user_role(request).await;
            refused(result, Code::NotFound, reason);
        }
        for scope in [within(&format!("role/{}", own.role)), token(&mate.user_id, &mate.token_id)] {
            let request =
                pb::AddUserRoleRequest { scope, ..super::force(&user.user_id, "AUDITOR") };
            service.roles(&boss).add_user_role(request).await.unwrap();
        }
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_page_of_one_users_roles_is_no_page_of_anothers() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let root = service.root.clone();
        let (ann, bob) =
            (service.person(&acme, "ann", &[]).await, service.person(&acme, "bob", &[]).await);
        for name in ["USER", "WFO_ACCESS"] {
            given(&service, &ann, name).await;
            given(&service, &bob, name).await;
        }
        let of = |user_id: &str, page_token: &str| pb::ListUserRolesRequest {
            user_id: user_id.to_owned(),
            page_size: 1,
            page_token: page_token.to_owned(),
        };
        let mut roles = service.roles(&root);
        let page = roles.list_user_roles(of(&ann.user_id, "")).await.unwrap().into_inner();
        for (user, token) in
            [(&bob.user_id, page.next_page_token.as_str()), (&ann.user_id, "garbage")]
        {
            let result = roles.list_user_roles(of(user, token)).await;
            refused(result, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        }
        let token = page.next_page_token;
        let rest = roles.list_user_roles(of(&ann.user_id, &token)).await.unwrap().into_inner();
        assert_eq!((rest.role_grants.len(), rest.next_page_token.as_str()), (1, ""));
        service.stop().await;
    }
}

/// Roles of accounts below are used there, and read by whoever may; those of accounts above are seen, and changed by nobody below.
#[tokio::test]
async fn a_role_is_found_by_its_id_where_it_may_be_read() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let (below, other) = (service.account(&acme, "Below").await, service.tenant("Other").await);
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let low = service.person(&below, "low", &["SUPER_USER"]).await;
        let stranger = service.person(&other, "stranger", &["SUPER_USER"]).await;
        let theirs = made(&service, &below, role("theirs", &["recording.read"])).await.role;
        let ours = made(&service, &acme, role("ours", &["recording.read"])).await.role;
        let read = async |by: &Person, role: &str| {
            let request = pb::GetRoleRequest { role: role.to_owned() };
            Ok::<_, Status>(service.roles(by).get_role(request).await?.into_inner().role.unwrap())
        };
        for by in [&service.root, &boss, &low] {
            for id in [&theirs, &ours] {
                let found = read(by, id).await.unwrap();
                assert_eq!((&found.role, found.expanded.len()), (id, 1));
            }
        }
        refused(read(&stranger, &ours).await, Code::NotFound, "ROLE_NOT_FOUND");
        refused(read(&boss, "theirs").await, Code::NotFound, "ROLE_NOT_FOUND");
        let edited = pb::Role { role: ours.clone(), ..pb::Role::default() };
        let edited = pb::Role { description: Some("mine".to_owned()), ..edited };
        let delete = pb::DeleteRoleRequest { role: ours.clone(), ..Default::default() };
        for (by, code, reason) in [
            (&low, Code::PermissionDenied, "ACCESS_DENIED"),
            (&stranger, Code::NotFound, "ROLE_NOT_FOUND"),
        ] {
            let mut roles = service.roles(by);
            refused(roles.update_role(update(edited.clone(), &[])).await, code, reason);
            refused(roles.delete_role(delete.clone()).await, code, reason);
        }
        service.stop().await;
    }
}

/// A custom role is called by its name, and taken by what it is called.
#[tokio::test]
async fn a_custom_role_on_a_user_is_called_by_its_name() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let below = service.account(&acme, "Below").await;
        let user = service.person(&below, "user", &[]).await;
        let own = made(&service, &acme, role("own", &["recording.read"])).await.role;
        for by in [&boss, &service.root] {
            let request = super::force(&user.user_id, &own);
            let mut roles = service.roles(by);
            let given = roles.add_user_role(request).await.unwrap().into_inner();
            assert_eq!(given.role_grant.unwrap().role_type, "own");
            let request =
                pb::ListUserRolesRequest { user_id: user.user_id.clone(), ..Default::default() };
            let listed = roles.list_user_roles(request).await.unwrap().into_inner().role_grants;
            assert_eq!(listed[0].role_type, "own");
            let taken = take(&user.user_id, &listed[0].role_type);
            let taken = roles.remove_user_role(taken).await.unwrap().into_inner();
            assert_eq!(taken.role_grants[0].role_type, "own");
        }
        service.stop().await;
    }
}
