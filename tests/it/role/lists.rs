//! What can be read: roles, what they come to, catalogues.

use std::collections::BTreeMap;

use chancery::proto::v1 as pb;
use tonic::{Code, Status};

use super::{SEED, made, role, texts};
use crate::support::{Person, Service, ask, engines, refused};

async fn all(service: &Service, by: &Person, request: pb::ListRolesRequest) -> Vec<pb::Role> {
    let mut roles = Vec::new();
    let mut request = request;
    loop {
        let page = service.roles(by).list_roles(request.clone()).await.unwrap().into_inner();
        assert!(
            page.roles.len() <= 50.min(usize::try_from(request.page_size).unwrap().max(1))
                || request.page_size == 0
        );
        roles.extend(page.roles);
        if page.next_page_token.is_empty() {
            return roles;
        }
        request.page_token = page.next_page_token;
    }
}

fn of(account_id: &str) -> pb::ListRolesRequest {
    pb::ListRolesRequest { account_id: account_id.to_owned(), ..Default::default() }
}

fn names(roles: &[pb::Role]) -> Vec<&str> {
    roles.iter().map(pb::Role::name).collect()
}

#[tokio::test]
async fn an_account_uses_its_own_roles_and_those_of_the_accounts_above_it_in_its_tenant() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let (left, right) =
            (service.account(&acme, "Left").await, service.account(&acme, "Right").await);
        let root = service.root.clone();
        for (account, name) in [
            (&root.account_id, "at_root"),
            (&acme, "at_acme"),
            (&left, "at_left"),
            (&right, "at_right"),
            (&other, "at_other"),
        ] {
            made(&service, account, role(name, &["recording.read"])).await;
        }
        for (account, wanted) in [
            (&root.account_id, vec!["at_root"]),
            (&acme, vec!["at_acme"]),
            (&left, vec!["at_acme", "at_left"]),
            (&right, vec!["at_acme", "at_right"]),
            (&other, vec!["at_other"]),
        ] {
            let roles = all(&service, &root, of(account)).await;
            assert!(roles.is_sorted_by(|a, b| a.role < b.role));
            let customs: Vec<pb::Role> =
                roles.into_iter().filter(|role| role.catalogue.is_empty()).collect();
            let mut names = names(&customs);
            names.sort_unstable();
            assert_eq!(names, wanted);
            assert!(customs.iter().all(|role| role.expanded.is_empty() && !role.etag.is_empty()));
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn lists_are_cut_by_catalogue_and_holder_and_paged() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = service.root.clone();
        let whole = all(&service, &root, of("")).await;
        let small = all(&service, &root, pb::ListRolesRequest { page_size: 7, ..of("") }).await;
        assert_eq!(whole, small);
        assert!(whole.iter().all(|role| role.name() != "(none)"));

        let ringcx = pb::ListRolesRequest { catalogue: "ringcx".to_owned(), ..of("") };
        let listed = all(&service, &root, ringcx).await;
        let mut found = names(&listed);
        found.sort_unstable();
        let mut seed = SEED.to_vec();
        seed.sort_unstable();
        assert_eq!(found, seed);

        let accounts = pb::ListRolesRequest { assignable_to: pb::Holder::Account.into(), ..of("") };
        let roles = all(&service, &root, accounts).await;
        assert!(names(&roles).contains(&"ProvisioningAgent"));
        assert!(roles.iter().all(|role| role.assignable_to.contains(&pb::Holder::Account.into())));

        let page = service
            .roles(&root)
            .list_roles(pb::ListRolesRequest { page_size: 1, ..of("") })
            .await
            .unwrap();
        let page_token = page.into_inner().next_page_token;
        let another = pb::ListRolesRequest {
            catalogue: "ringcx".to_owned(),
            page_token: page_token.clone(),
            ..of("")
        };
        refused(
            service.roles(&root).list_roles(another).await,
            Code::InvalidArgument,
            "INVALID_PAGE_TOKEN",
        );
        let another = pb::ListCataloguesRequest { page_token, ..Default::default() };
        refused(
            service.roles(&root).list_catalogues(another).await,
            Code::InvalidArgument,
            "INVALID_PAGE_TOKEN",
        );
        service.stop().await;
    }
}

async fn get(service: &Service, by: &Person, role: &str) -> Result<pb::Role, Status> {
    let request = pb::GetRoleRequest { role: role.to_owned() };
    let found = service.roles(by).get_role(request).await?;
    Ok(found.into_inner().role.unwrap())
}

#[tokio::test]
async fn a_role_is_found_by_each_of_its_names() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let own = made(&service, &acme, role("night_shift", &["recording.*", "user.read"])).await;
        let boss = service.person(&below, "boss", &["SUPER_USER"]).await;
        for (written, is) in [
            ("MANAGE_RIGHTS", "ringcx/MANAGE_RIGHTS"),
            ("ringcx/MANAGE_RIGHTS", "ringcx/MANAGE_RIGHTS"),
            ("core/(none)", "core/(none)"),
            ("night_shift", own.role.as_str()),
            (own.role.as_str(), own.role.as_str()),
        ] {
            let found = get(&service, &boss, written).await.unwrap();
            assert_eq!(found.role, is);
            assert!(found.expanded.is_sorted() && !found.expanded.is_empty());
        }
        let rights = get(&service, &boss, "MANAGE_RIGHTS").await.unwrap();
        assert_eq!(rights.except, ["rights_document.write_master"]);
        assert_eq!(rights.expanded.len(), 9);
        assert!(!rights.expanded.contains(&"rights_document.write_master".to_owned()));
        let explorer = get(&service, &boss, "DECISION_EXPLORER").await.unwrap();
        assert_eq!((explorer.includes, explorer.expanded.len()), (texts(&["DECISION_CLIENT"]), 5));
        assert_eq!(get(&service, &boss, "SUPER_USER").await.unwrap().expanded.len(), 559);

        let several = get(&service, &boss, "Developer").await;
        let several = refused(several, Code::InvalidArgument, "UNKNOWN_ROLE");
        assert!(several.message().contains("restcomm/Developer"), "{}", several.message());
        service.stop().await;
    }
}

#[tokio::test]
async fn a_role_that_cannot_be_used_here_is_not_there() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let root = service.root.clone();
        let main = service.person(&acme, "main", &["SUPER_USER"]).await;
        let nobody = service.person(&acme, "nobody", &[]).await;
        let own = made(&service, &acme, role("own", &["recording.read"])).await;
        let theirs = made(&service, &other, role("theirs", &["recording.read"])).await;
        let roots = made(&service, &root.account_id, role("at_root", &["recording.read"])).await;
        for (by, unusable) in [
            (&main, "NO_SUCH"),
            (&main, "theirs"),
            (&main, theirs.role.as_str()),
            (&main, roots.role.as_str()),
            // Who may read no role sees none.
            (&nobody, own.role.as_str()),
            (&nobody, "USER"),
        ] {
            let status = get(&service, by, unusable).await;
            let status = refused(status, Code::NotFound, "ROLE_NOT_FOUND");
            assert!(status.message().contains(unusable), "{}", status.message());
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn a_list_of_roles_needs_the_right_to_read_them_on_the_account() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let user = service.person(&acme, "user", &["USER"]).await;
        refused(
            service.roles(&user).list_roles(of("")).await,
            Code::PermissionDenied,
            "ACCESS_DENIED",
        );
        refused(
            service.roles(&user).list_roles(of(&other)).await,
            Code::NotFound,
            "ACCOUNT_NOT_FOUND",
        );
        let catalogues = pb::ListCataloguesRequest::default();
        refused(
            service.roles(&user).list_catalogues(catalogues).await,
            Code::PermissionDenied,
            "ACCESS_DENIED",
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn the_catalogues_say_what_permissions_are_made_of() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let boss = service.person(&service.tenant("Acme").await, "boss", &["MANAGE_USERS"]).await;
        let mut request = pb::ListCataloguesRequest { page_size: 3, ..Default::default() };
        let first =
            service.roles(&boss).list_catalogues(request.clone()).await.unwrap().into_inner();
        request.page_token = first.next_page_token;
        let second = service.roles(&boss).list_catalogues(request).await.unwrap().into_inner();
        assert!(second.next_page_token.is_empty());
        let catalogues: BTreeMap<String, pb::Catalogue> = first
            .catalogues
            .into_iter()
            .chain(second.catalogues)
            .map(|catalogue| (catalogue.catalogue.clone(), catalogue))
            .collect();
        let count = |name: &str| {
            catalogues[name].resource_types.iter().map(|kind| kind.actions.len()).sum::<usize>()
        };
        let counts: Vec<_> = catalogues.keys().map(|name| (name.as_str(), count(name))).collect();
        assert_eq!(counts, [("core", 65), ("restcomm", 82), ("ringcx", 149), ("voximplant", 273)]);
        let shared = catalogues["voximplant"]
            .resource_types
            .iter()
            .find(|kind| !kind.shared_down.is_empty());
        assert_eq!(shared.unwrap().resource_type, "scenario");
        assert_eq!(catalogues["ringcx"].roles.len(), 13);
        service.stop().await;
    }
}

/// R28 and R29: the services that they call come later; the decisions and the refused list are here already.
#[tokio::test]
async fn who_holds_one_narrow_role_passes_there_and_nowhere_else() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let wfo = service.person(&acme, "wfo", &["WFO_ACCESS"]).await;
        let audit = service.person(&acme, "audit", &["ACCESS_AUDIT_LOG"]).await;
        let at = format!("account/{acme}");
        for (person, action, permitted) in [
            (&wfo, "integration.list_users", true),
            (&wfo, "integration.list_subaccounts", true),
            (&wfo, "audit_event.read", false),
            (&wfo, "user.list", false),
            (&audit, "audit_event.read", true),
            (&audit, "integration.list_users", false),
            (&audit, "user.list", false),
        ] {
            let answer = service.decides(&person.user_id, action, "account", &at).await;
            assert_eq!(answer.decision, permitted, "{action}");
        }
        for person in [&wfo, &audit] {
            let list = pb::ListUsersRequest { account_id: acme.clone(), ..Default::default() };
            refused(
                service.users(person).list_users(list).await,
                Code::PermissionDenied,
                "ACCESS_DENIED",
            );
        }
        service.stop().await;
    }
}

/// Each role of RingCX against each permission of every catalogue: what `GetRole` says is what `Authorize` permits.
#[tokio::test]
async fn every_role_of_ringcx_permits_exactly_what_it_comes_to() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let root = service.root.clone();
        let listed = service
            .roles(&root)
            .list_catalogues(pb::ListCataloguesRequest::default())
            .await
            .unwrap();
        let catalogues = listed.into_inner().catalogues;
        // Asked on the account, which needs no relation: types that lie right in one.
        let mut wanted: Vec<String> = catalogues
            .iter()
            .flat_map(|file| &file.resource_types)
            .filter(|kind| kind.parents.iter().any(|parent| parent == "account"))
            .flat_map(|kind| {
                kind.actions.iter().map(|action| format!("{}.{action}", kind.resource_type))
            })
            .filter(|name| !name.starts_with("user."))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        for name in SEED {
            let person = service.person(&acme, &name.to_lowercase(), &[name]).await;
            let get = pb::GetRoleRequest { role: name.to_owned() };
            let expanded = service
                .roles(&root)
                .get_role(get)
                .await
                .unwrap()
                .into_inner()
                .role
                .unwrap()
                .expanded;
            let asks = wanted.iter().map(|permission| {
                let ask = ask(&person.user_id, permission, "account", &format!("account/{acme}"));
                pb::EvaluationRequest {
                    subject: ask.subject,
                    action: ask.action,
                    resource: ask.resource,
                    context: None,
                }
            });
            let batch =
                pb::BatchAuthorizeRequest { evaluations: asks.collect(), ..Default::default() };
            let answers =
                service.authorization(&root).batch_authorize(batch).await.unwrap().into_inner();
            for (permission, answer) in wanted.iter().zip(answers.evaluations) {
                // `(none)` gives nothing on the account but questions about oneself, asked on no user here.
                let given = expanded.contains(permission);
                let baseline = ["decision.evaluate", "decision.introspect", "decision.search"]
                    .contains(&permission.as_str());
                assert!(
                    answer.decision == given || (baseline && name != "NO_ACCESS"),
                    "{name} {permission} {answer:?}"
                );
            }
        }
        service.stop().await;
    }
}
