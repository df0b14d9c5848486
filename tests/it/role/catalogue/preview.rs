//! What a file would change is told before, exactly, and to those alone who may see it.

use chancery::proto::v1 as pb;

use super::{HOUSE, apply, later, rehearse};
use crate::role::{create, role};
use crate::support::{Service, engines};

fn of<'a>(preview: &'a pb::CataloguePreview, role: &str) -> &'a pb::RoleChange {
    let found = preview.roles.iter().find(|change| change.role == role);
    found.unwrap_or_else(|| panic!("{role} is not among {:?}", preview.roles))
}

#[tokio::test]
async fn a_preview_tells_what_comes_and_goes_and_how_many_have_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = &service.root;
        let first = rehearse(&service, root, HOUSE).await.unwrap().catalogue.unwrap();
        assert_eq!((first.catalogue.as_str(), first.version), ("house", 1));
        assert_eq!(first.replaces_version, None);
        assert_eq!(first.added_resource_types, ["shelf"]);
        assert_eq!(first.added_permissions, ["shelf.fill", "shelf.read"]);
        assert_eq!(of(&first, "house/Clerk").standing(), pb::Standing::Added);
        assert_eq!(of(&first, "house/Clerk").gained, ["shelf.read"]);
        let everything = of(&first, "ringcx/SUPER_USER");
        assert_eq!(everything.standing(), pb::Standing::Kept);
        assert_eq!(everything.gained, ["shelf.fill", "shelf.read"]);
        assert_eq!(everything.user_count, 1);
        // Of the rehearsal nothing is left.
        let clerk = pb::GetRoleRequest { role: "Clerk".to_owned() };
        assert!(service.roles(root).get_role(clerk).await.is_err());

        apply(&service, root, HOUSE).await.unwrap();
        let acme = service.tenant("Acme").await;
        for n in 0..3 {
            service.person(&acme, &format!("clerk{n}"), &["Clerk"]).await;
        }
        let gone = service.person(&acme, "gone", &["Clerk"]).await;
        let delete = pb::DeleteUserRequest { user_id: gone.user_id, ..Default::default() };
        service.users(root).delete_user(delete).await.unwrap();
        let reader = create(&acme, role("shelf_reader", &["*.read"]));
        let reader = service.roles(root).create_role(reader).await.unwrap();
        let reader = reader.into_inner().role.unwrap().role;
        service.person(&acme, "one", &["shelf_reader"]).await;

        let moved = later(2, "[shelf.read]", "[shelf.fill]");
        let told = rehearse(&service, root, &moved).await.unwrap().catalogue.unwrap();
        assert_eq!(told.replaces_version, Some(1));
        let clerk = of(&told, "house/Clerk");
        assert_eq!(
            (clerk.gained.as_slice(), clerk.lost.as_slice()),
            (&["shelf.fill".to_owned()][..], &["shelf.read".to_owned()][..])
        );
        assert_eq!(clerk.user_count, 3, "the deleted one is not counted");
        assert_eq!(told.roles.len(), 1, "{:?}", told.roles);

        // Wider is more, and less far is less.
        let wider = later(
            2,
            "Clerk: { assignable_to: [admin],",
            "Clerk: { assignable_to: [admin], reach: subtree,",
        );
        let told = rehearse(&service, root, &wider).await.unwrap().catalogue.unwrap();
        assert_eq!(of(&told, "house/Clerk").gained, ["shelf.read"]);
        assert!(of(&told, "house/Clerk").lost.is_empty());

        let empty = "{ catalogue: house, version: 2 }";
        let told = rehearse(&service, root, empty).await.unwrap().catalogue.unwrap();
        assert_eq!(told.removed_resource_types, ["shelf"]);
        assert_eq!(told.removed_permissions, ["shelf.fill", "shelf.read"]);
        let clerk = of(&told, "house/Clerk");
        assert_eq!((clerk.standing(), clerk.user_count), (pb::Standing::Removed, 3));
        let custom = of(&told, &reader);
        assert_eq!((custom.account_id.as_str(), custom.user_count), (acme.as_str(), 1));
        assert_eq!(custom.lost, ["shelf.read"]);
        assert_eq!(told.documents[0].standing(), pb::Standing::Removed);
    }
}

#[tokio::test]
async fn who_may_not_read_the_roles_of_all_tenants_is_told_no_numbers() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = &service.root;
        apply(&service, root, HOUSE).await.unwrap();
        let acme = service.tenant("Acme").await;
        service.person(&acme, "clerk", &["Clerk"]).await;
        let request = create(&acme, role("shelf_reader", &["*.read"]));
        service.roles(root).create_role(request).await.unwrap();
        let applier = create(&root.account_id, role("applier", &["catalogue.*", "account.read"]));
        service.roles(root).create_role(applier).await.unwrap();
        let blind = service.person(&root.account_id, "blind", &["applier"]).await;
        let seeing = service.person(&root.account_id, "op", &["OPERATOR"]).await;
        for (by, users) in [(&seeing, 1), (&blind, 0)] {
            let preview = rehearse(&service, by, "{ catalogue: house, version: 2 }").await.unwrap();
            assert_eq!(preview.others_affected, users == 0);
            let told = preview.catalogue.unwrap();
            assert_eq!(of(&told, "house/Clerk").user_count, users);
            assert_eq!(told.roles.iter().any(|role| !role.account_id.is_empty()), users == 1);
        }
    }
}
