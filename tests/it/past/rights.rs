//! Rights as they were, and what has become of them.

use super::*;

fn permissions(rights: &[pb::EffectiveRight]) -> Vec<&str> {
    rights.iter().flat_map(|right| right.permissions.iter().map(String::as_str)).collect()
}

#[tokio::test]
async fn rights_are_read_as_they_were_and_held_against_those_of_now() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let mut rights = told.service.rights(&told.boss);
        let request = pb::GetEffectiveRightsRequest {
            user_id: told.ann.user_id.clone(),
            ..Default::default()
        };
        for (time, held) in told.times.iter().zip([false, true, false]) {
            let request = pb::GetEffectiveRightsRequest { as_of: Some(*time), ..request.clone() };
            let then = rights.get_effective_rights(request).await.unwrap().into_inner();
            let found = permissions(&then.effective_rights).contains(&"user.list");
            assert_eq!(found, held);
            let request = pb::CompareRightsRequest {
                user_id: told.ann.user_id.clone(),
                as_of: Some(*time),
                ..Default::default()
            };
            let change = rights.compare_rights(request).await.unwrap().into_inner();
            assert!(change.only_user.is_empty() && !change.partial);
            assert_eq!(permissions(&change.only_other).contains(&"user.list"), held);
        }
        // A user of whom there was nothing yet had nothing.
        let new = told.service.person(&told.acme, "new", &["MANAGE_USERS"]).await;
        let request = pb::CompareRightsRequest {
            user_id: new.user_id.clone(),
            as_of: Some(told.times[0]),
            ..Default::default()
        };
        let change = rights.compare_rights(request).await.unwrap().into_inner();
        assert!(permissions(&change.only_user).contains(&"user.list"));
        assert!(change.only_other.is_empty());
    }
}

#[tokio::test]
async fn rights_are_compared_across_catalogues_by_the_names_of_permissions() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let service = &told.service;
        let apply = async |version: u32, kind: &str, role: &str| {
            let catalogue_yaml = format!(
                "{{ catalogue: house, version: {version}, uses: [core], \
                 resource_types: {{ {kind}: {{ in: [account], actions: [read] }} }}, \
                 roles: {{ {role}: {{ assignable_to: [admin], permits: [{kind}.read] }} }} }}"
            );
            let request = pb::ApplyCatalogueRequest { catalogue_yaml, ..Default::default() };
            service.roles(&service.root).apply_catalogue(request).await.unwrap();
        };
        apply(1, "attic", "Keeper").await;
        give(service, &told.ann, "house/Keeper").await;
        service.advance(1);
        let time = now(service);
        service.advance(1);
        apply(2, "shed", "Keeper").await;
        let request = pb::CompareRightsRequest {
            user_id: told.ann.user_id.clone(),
            as_of: Some(time),
            ..Default::default()
        };
        let mut rights = service.rights(&told.boss);
        let change = rights.compare_rights(request).await.unwrap().into_inner();
        assert_eq!(permissions(&change.only_user), ["shed.read"]);
        assert_eq!(permissions(&change.only_other), ["attic.read"]);
        let attic =
            ask(&told.ann.user_id, "read", "attic", &format!("account/{}/attic/7", told.acme));
        let then = asked(service, &told.boss, &attic, &time).await.unwrap();
        assert!(then.decision);
        refused(
            service.authorization(&told.boss).authorize(attic).await,
            Code::InvalidArgument,
            "INVALID_PATH",
        );
    }
}

#[tokio::test]
async fn another_time_takes_the_right_to_explain_and_stands_alone() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let (service, time) = (&told.service, told.times[1]);
        let reads = service.person(&told.acme, "reads", &["MANAGE_RIGHTS", "MANAGE_USERS"]).await;
        let of_ann = |as_of| pb::GetEffectiveRightsRequest {
            user_id: told.ann.user_id.clone(),
            as_of,
            ..Default::default()
        };
        let mut rights = service.rights(&reads);
        assert!(rights.get_effective_rights(of_ann(None)).await.is_ok());
        let then = rights.get_effective_rights(of_ann(Some(time))).await;
        refused(then, Code::PermissionDenied, "ACCESS_DENIED");
        let compare = |other: &str, as_of| pb::CompareRightsRequest {
            user_id: told.ann.user_id.clone(),
            other_user_id: other.to_owned(),
            as_of,
        };
        let then = rights.compare_rights(compare("", Some(time))).await;
        refused(then, Code::PermissionDenied, "ACCESS_DENIED");
        let mut rights = service.rights(&told.boss);
        let mut soon = now(service);
        soon.seconds += 1;
        for request in
            [compare("", None), compare(&reads.user_id, Some(time)), compare("", Some(soon))]
        {
            let then = rights.compare_rights(request).await;
            refused(then, Code::InvalidArgument, "INVALID_FIELD");
        }
        let then = rights.get_effective_rights(of_ann(Some(soon))).await;
        refused(then, Code::InvalidArgument, "INVALID_FIELD");
        let long = prost_types::Timestamp { seconds: time.seconds - 10_000, nanos: 0 };
        let then = rights.compare_rights(compare("", Some(long))).await;
        refused(then, Code::OutOfRange, "HISTORY_NOT_BEGUN");
        let then = rights.get_effective_rights(of_ann(Some(long))).await;
        refused(then, Code::OutOfRange, "HISTORY_NOT_BEGUN");
    }
}
