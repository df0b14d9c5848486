//! Files that are none, that take what is others', or by which somebody would be left with nothing.

use chancery::model::catalogue::CatalogueFile;
use chancery::model::{AccountId, Change, ChangeKind, Image};
use chancery::proto::v1 as pb;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{HOUSE, apply, later, rehearse};
use crate::account::put;
use crate::role::{create, role};
use crate::support::{Service, engines, refused};

#[tokio::test]
async fn a_file_that_is_none_is_refused_with_what_is_wrong_and_where() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = &service.root;
        for (yaml, told) in [
            ("shelf", "unnamed"),
            ("{ catalogue: house, version: 1, rolls: {} }", "rolls"),
            ("{ catalogue: House, version: 1 }", "House"),
            ("{ catalogue: house, version: 4294967295 }", "2147483647"),
            ("{ catalogue: core, version: 1000 }", "built in"),
            ("{ catalogue: house, version: 1, uses: [attic] }", "attic"),
            (
                "{ catalogue: house, version: 1, uses: [core], roles: { X: { permits: [usr.read] } } }",
                "user.read",
            ),
            (
                "{ catalogue: house, version: 1, uses: [core], roles: { X: { permits: ['*'] } } }",
                "role `X`",
            ),
            (
                "{ catalogue: house, version: 1, uses: [core], resource_types: { user: { actions: [x] } } }",
                "`user`",
            ),
        ] {
            for rehearsed in [true, false] {
                let result = if rehearsed {
                    rehearse(&service, root, yaml).await.map(drop)
                } else {
                    apply(&service, root, yaml).await.map(drop)
                };
                let said = refused(result, Code::InvalidArgument, "INVALID_CATALOGUE");
                let details = said.get_error_details();
                let fault = &details.bad_request().unwrap().field_violations[0];
                assert_eq!(fault.field, "catalogue_yaml");
                assert!(fault.description.contains(told), "{yaml}: {}", fault.description);
            }
        }
        // Nor one that another file rests on and that takes away what it rests on.
        apply(&service, root, HOUSE).await.unwrap();
        let other = "{ catalogue: attic, version: 1, uses: [house], roles: { Y: { permits: [shelf.read] } } }";
        apply(&service, root, other).await.unwrap();
        let empty = apply(&service, root, "{ catalogue: house, version: 2 }").await;
        let said = refused(empty, Code::InvalidArgument, "INVALID_CATALOGUE");
        assert!(said.message().contains("attic"), "{}", said.message());
        service.verify(&root.account_id).await;
    }
}

#[tokio::test]
async fn only_who_may_at_the_root_applies_a_catalogue() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let auditor = service.person(&service.root.account_id, "aud", &["AUDITOR"]).await;
        let stranger = apply(&service, &boss, HOUSE).await;
        refused(stranger, Code::NotFound, "ACCOUNT_NOT_FOUND");
        refused(apply(&service, &auditor, HOUSE).await, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn a_role_that_an_account_has_stays_for_accounts() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = &service.root;
        apply(&service, root, HOUSE).await.unwrap();
        let acme = service.tenant("Acme").await;
        let set = |role: &str| pb::SetAccountRoleRequest {
            account_id: acme.clone(),
            role: role.to_owned(),
            ..Default::default()
        };
        service.accounts(root).set_account_role(set("house/Tenant")).await.unwrap();
        let line = "  Tenant: { assignable_to: [account], reach: subtree, 'on': account, permits: ['*.*'] }\n";
        for instead in [
            "",
            "  Tenant: { assignable_to: [admin], permits: ['*.*'] }\n",
            "  Tenant: { assignable_to: [account], active: false, permits: ['*.*'] }\n",
        ] {
            let dropped = apply(&service, root, &later(2, line, instead)).await;
            let said = refused(dropped, Code::FailedPrecondition, "ROLE_IN_USE");
            assert!(said.message().contains("house/Tenant"), "{}", said.message());
        }
        // A narrower one it may become, and of a closed account nobody needs it.
        apply(&service, root, &later(2, "permits: ['*.*']", "permits: [shelf.read]"))
            .await
            .unwrap();
        let close = pb::CloseAccountRequest { account_id: acme.clone(), ..Default::default() };
        service.accounts(root).close_account(close).await.unwrap();
        apply(&service, root, &later(3, line, "")).await.unwrap();
        service.verify(&root.account_id).await;
    }
}

#[tokio::test]
async fn a_name_that_an_account_has_for_a_role_of_its_own_is_taken() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = &service.root;
        let acme = service.tenant("Acme").await;
        let request = create(&acme, role("keeper", &["account.read"]));
        service.roles(root).create_role(request).await.unwrap();
        let said =
            refused(apply(&service, root, HOUSE).await, Code::AlreadyExists, "ROLE_NAME_TAKEN");
        assert!(said.message().contains("keeper"), "{}", said.message());
        apply(&service, root, &HOUSE.replace("Keeper", "Warden")).await.unwrap();
        // And the other way round.
        let request = create(&acme, role("warden", &["account.read"]));
        let taken = service.roles(root).create_role(request).await;
        refused(taken, Code::AlreadyExists, "ROLE_NAME_TAKEN");
    }
}

#[tokio::test]
async fn there_are_at_most_sixty_four_catalogues() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = &service.root;
        let tenant: AccountId = root.account_id.parse().unwrap();
        let files = (0..60).map(|n| Change {
            account: tenant,
            kind: ChangeKind::CatalogueApply,
            before: None,
            after: Some(Image::Catalogue(CatalogueFile {
                name: format!("file_{n}"),
                version: 1,
                yaml: format!("{{ catalogue: file_{n}, version: 1 }}"),
            })),
        });
        put(&service, &root.account_id, files.collect()).await;
        let more = apply(&service, root, "{ catalogue: more, version: 1 }").await;
        refused(more, Code::FailedPrecondition, "TOO_LARGE");
        apply(&service, root, "{ catalogue: file_7, version: 2 }").await.unwrap();
    }
}

/// A file may be a megabyte long, and what it unfolds to may be far more.
#[tokio::test]
async fn a_file_that_unfolds_or_nests_without_end_is_refused_and_holds_nobody_up() {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| {
        (0..count).map(line).collect::<Vec<_>>().join("\n")
    };
    let head = "catalogue: house\nversion: 1\nuses: [core]\n";
    let laughs = lines(30, &|n| match n {
        0 => "l0: &l0 [user.read, user.read]".to_owned(),
        n => format!("l{n}: &l{n} [{}]", vec![format!("*l{}", n - 1); 9].join(", ")),
    });
    let roles = |count, role: &dyn Fn(usize) -> String| {
        let roles = lines(count, &|n| format!("  R{n}: {}", role(n)));
        format!("{head}roles:\n{roles}")
    };
    let texts = [
        format!("{laughs}\n{head}"),
        format!("{head}roles: {}", "[".repeat(500_000)),
        format!("{head}roles: {}", "{a: ".repeat(200_000)),
        format!("{head}roles:\n{}", lines(1_000, &|n| format!("{}a:", " ".repeat(n)))),
        format!("{head}notes: &a {}\nroles: {{ A: *a }}", "x".repeat(1_000_000)),
        format!("&a {head}roles: {{ A: {{ includes: *a }} }}"),
        roles(10_000, &|_| "{}".to_owned()),
        roles(5_000, &|_| "{ permits: [user.read] }".to_owned()),
        roles(4_000, &|n| format!("{{ includes: [R{}] }}", n + 1)),
        roles(1, &|_| format!("{{ permits: [{}] }}", "a.b, ".repeat(150_000))),
        roles(1, &|_| format!("{{ permits: [{}] }}", lines(90_000, &|n| format!("x{n}.y,")))),
        roles(1, &|_| format!("{{ permits: [user.read], when: \"{}\" }}", "(".repeat(900_000))),
    ];
    for engine in engines() {
        // A machine that does much else may be slow.
        let service = Service::start_with(&engine, &[("limits.request_seconds", "60")]).await;
        for (at, yaml) in texts.iter().enumerate() {
            let result = rehearse(&service, &service.root, yaml).await;
            let status = result.map(drop).expect_err("this should have been refused");
            assert_eq!(status.code(), Code::InvalidArgument, "{at}: {status:?}");
            assert!(status.message().len() < 10_000, "{at}");
        }
        // As large as one may be, and whole.
        let whole = roles(3_000, &|n| {
            let includes = lines(n.min(30), &|m| format!("R{},", n - m - 1));
            format!(
                "{{ permits: [\"user.*\", \"*.read\"], except: [user.read], includes: [{includes}] }}"
            )
        });
        let result = rehearse(&service, &service.root, &whole).await;
        let status = result.map(drop).expect_err("too many are included");
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let whole = roles(3_500, &|n| {
            let n = n / 10 * 10;
            format!(
                "{{ permits: [\"user.*\", \"*.read\"], except: [user.read], includes: [{}] }}",
                if n == 0 { String::new() } else { "R0, R1, R2".to_owned() }
            )
        });
        rehearse(&service, &service.root, &whole).await.unwrap();
        apply(&service, &service.root, &whole).await.unwrap();
        service.verify(&service.root.account_id).await;
    }
}
