//! Documents that cascade: they hold for everybody below those to whom they are assigned.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

fn cascading(name: &str, actions: &[&str]) -> pb::RightsDocument {
    pb::RightsDocument { cascade: Some(true), ..document(name, actions) }
}

async fn moved(acme: &Acme, by: &Person, who: &Person, to: &Person) -> Result<(), Status> {
    let request = pb::MoveUserRequest {
        user_id: who.user_id.clone(),
        parent_user_id: to.user_id.clone(),
        ..Default::default()
    };
    acme.service.users(by).move_user(request).await.map(drop)
}

/// R43.
#[tokio::test]
async fn what_cascades_holds_for_children_and_theirs() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let parent = acme.below(&acme.boss, "parent", &[]).await;
        let child = acme.below(&parent, "child", &[]).await;
        let grandchild = acme.below(&child, "grandchild", &[]).await;
        let beside = acme.below(&acme.boss, "beside", &[]).await;
        let all = [&parent, &child, &grandchild, &beside, &acme.boss];
        let reads = async || {
            let mut reads = Vec::new();
            for who in &all[..4] {
                reads.push(acme.may(who, "gate_group.read", "gate_group/5").await);
            }
            reads
        };
        let id = acme.made(cascading("D", &["READ"])).await;
        acme.give(&acme.boss, &id, &[&parent]).await.unwrap();
        assert_eq!(reads().await, [true, true, true, false]);
        // It is assigned to one of them, and adds up for that one alone.
        assert_eq!(
            acme.assignees(&acme.boss, &id).await.unwrap(),
            std::slice::from_ref(&parent.user_id)
        );
        assert!(acme.has(&child).await.is_empty());
        assert!(acme.aggregated(&acme.boss, &child).await.unwrap().is_empty());
        for (cascade, below) in [(false, false), (true, true)] {
            let change = pb::RightsDocument { cascade: Some(cascade), ..of(&id) };
            acme.change(&acme.boss, change, &[]).await.unwrap();
            assert_eq!(reads().await, [true, below, below, false]);
        }
        // Who was below and is no more has it no more, nor do those below him.
        moved(&acme, &acme.boss, &child, &beside).await.unwrap();
        assert_eq!(reads().await, [true, false, false, false]);
        moved(&acme, &acme.boss, &child, &parent).await.unwrap();
        assert_eq!(reads().await, [true, true, true, false]);
        acme.take(&acme.boss, &id, &parent).await.unwrap();
        assert_eq!(reads().await, [false; 4]);
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn who_comes_below_a_holder_is_given_what_cascades() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let holder = acme.below(&acme.manager, "holder", &[]).await;
        let empty = acme.below(&acme.manager, "empty", &[]).await;
        let id = acme.made(cascading("D", &["READ"])).await;
        acme.give(&acme.boss, &id, &[&holder]).await.unwrap();
        let new = async |by: &Person, parent: &Person, name: &str| {
            let user = pb::User { user_name: Some(name.to_owned()), ..Default::default() };
            let request = pb::CreateUserRequest {
                parent_user_id: parent.user_id.clone(),
                user: Some(user),
                ..Default::default()
            };
            let reply = acme.service.users(by).create_user(request).await?;
            Ok::<_, Status>(reply.into_inner().user.unwrap().user_id)
        };
        // The manager holds none of it: neither does he create below the holder nor move there.
        let status = new(&acme.manager, &holder, "new").await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        let status = moved(&acme, &acme.manager, &empty, &holder).await;
        let status = refused(status, Code::PermissionDenied, "ESCALATION");
        assert!(status.message().contains("read"), "{}", status.message());
        let child = acme.below(&empty, "child", &[]).await;
        let reassign = |from: &Person, to: &Person| pb::ReassignChildrenRequest {
            old_user_id: from.user_id.clone(),
            reassign_user_id: to.user_id.clone(),
            ..Default::default()
        };
        let users = || acme.service.users(&acme.manager);
        let status = users().reassign_children(reassign(&empty, &holder)).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        let leave = pb::DeleteUserRequest {
            user_id: empty.user_id.clone(),
            reassign_user_id: holder.user_id.clone(),
            ..Default::default()
        };
        let status = users().delete_user(leave).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        // What does not cascade is no matter.
        let flat = pb::RightsDocument { cascade: Some(false), ..of(&id) };
        acme.change(&acme.boss, flat, &[]).await.unwrap();
        let made = new(&acme.manager, &holder, "new").await.unwrap();
        moved(&acme, &acme.manager, &empty, &holder).await.unwrap();
        // To let it cascade then gives it to all who are below by now.
        let wide = pb::RightsDocument { cascade: Some(true), ..of(&id) };
        acme.change(&acme.boss, wide, &[]).await.unwrap();
        let made = Person { user_id: made, ..holder.clone() };
        for who in [&made, &empty, &child] {
            assert!(acme.may(who, "account.read", "").await);
        }
        // Who holds it himself may.
        acme.give(&acme.boss, &id, &[&acme.manager]).await.unwrap();
        new(&acme.manager, &holder, "newer").await.unwrap();
        acme.service.verify(&acme.account).await;
    }
}

/// A document is of one account, and those above it; users of sub-accounts hang in a forest of their own.
#[tokio::test]
async fn a_cascade_ends_with_who_hands_it_down() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let top = acme.below(&acme.boss, "top", &[]).await;
        let child = acme.below(&top, "child", &[]).await;
        let id = acme.made(cascading("D", &["READ"])).await;
        acme.give(&acme.boss, &id, &[&top]).await.unwrap();
        assert!(acme.may(&child, "account.read", "").await);
        let offboard =
            pb::OffboardUserRequest { user_id: top.user_id.clone(), ..Default::default() };
        acme.service.users(&acme.boss).offboard_user(offboard).await.unwrap();
        assert!(!acme.may(&child, "account.read", "").await);
        // A holder knows the document, by whomever he has it.
        acme.give(&acme.boss, &id, &[&top]).await.unwrap();
        let read = acme.read(&child, &id).await;
        refused(read, Code::PermissionDenied, "ACCESS_DENIED");
        acme.take(&acme.boss, &id, &top).await.unwrap();
        let read = acme.read(&child, &id).await;
        refused(read, Code::NotFound, "RIGHTS_DOCUMENT_NOT_FOUND");
        acme.service.verify(&acme.account).await;
    }
}
