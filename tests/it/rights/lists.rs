//! Lists of documents and of assignments, and what documents add up to.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

/// Walks all pages of two, and asserts what tokens are good for.
macro_rules! pages {
    ($acme:expr, $method:ident, $request:expr, $items:ident, $other:expr) => {{
        let (mut found, mut request) = (Vec::new(), $request);
        request.page_size = 2;
        let mut first = String::new();
        loop {
            let by = &$acme.boss;
            let page = $acme.service.rights(by).$method(request.clone()).await;
            let page = page.unwrap().into_inner();
            assert!(page.$items.len() <= 2);
            found.extend(page.$items);
            if page.next_page_token.is_empty() {
                break;
            }
            if first.is_empty() {
                first.clone_from(&page.next_page_token);
            }
            request.page_token = page.next_page_token;
        }
        let bad = (Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        request.page_token = "nonsense".to_owned();
        let status = $acme.service.rights(&$acme.boss).$method(request.clone()).await;
        refused(status, bad.0, bad.1);
        request.page_token = first.clone();
        // Neither somebody else's nor of another list.
        let status = $acme.service.rights(&$acme.service.root).$method(request).await;
        refused(status, bad.0, bad.1);
        let mut other = $other;
        other.page_token = first;
        let status = $acme.service.rights(&$acme.boss).$method(other).await;
        refused(status, bad.0, bad.1);
        found
    }};
}

fn owned(user_id: &str) -> pb::ListRightsDocumentsRequest {
    pb::ListRightsDocumentsRequest { user_id: user_id.to_owned(), ..Default::default() }
}

fn assigned(user_id: &str) -> pb::ListAssignedRightsDocumentsRequest {
    pb::ListAssignedRightsDocumentsRequest { user_id: user_id.to_owned(), ..Default::default() }
}

fn masters(user_id: &str) -> pb::ListAssignedMasterRightsDocumentsRequest {
    pb::ListAssignedMasterRightsDocumentsRequest {
        user_id: user_id.to_owned(),
        ..Default::default()
    }
}

fn assignments(id: &str) -> pb::ListRightsDocumentAssignmentsRequest {
    pb::ListRightsDocumentAssignmentsRequest { rights_doc_id: id.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn lists_come_page_by_page_in_the_order_of_ids() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let (mut plain, mut wide) = (Vec::new(), Vec::new());
        for name in ["a", "b", "c", "d", "e"] {
            let one = acme.write(&acme.boss, document(name, &["READ"])).await.unwrap();
            let master = pb::RightsDocument { is_master: Some(true), ..document(name, &[]) };
            let two = acme.write(&acme.boss, master).await.unwrap();
            for id in [&one.rights_doc_id, &two.rights_doc_id] {
                acme.give(&acme.boss, id, &[&ann]).await.unwrap();
            }
            plain.push(one);
            wide.push(two);
        }
        let (own, hers) = (&acme.boss.user_id, &ann.user_id);
        let listed = pages!(acme, list_rights_documents, owned(own), rights_documents, owned(hers));
        let all: Vec<_> = plain.iter().zip(&wide).flat_map(|(one, two)| [one, two]).collect();
        assert_eq!(listed.iter().collect::<Vec<_>>(), all);
        let listed = pages!(
            acme,
            list_assigned_rights_documents,
            assigned(hers),
            rights_documents,
            assigned(own)
        );
        assert_eq!(listed, plain);
        let listed = pages!(
            acme,
            list_assigned_master_rights_documents,
            masters(hers),
            rights_documents,
            masters(own)
        );
        assert_eq!(listed, wide);
        let (id, other) = (&plain[0].rights_doc_id, &plain[1].rights_doc_id);
        for name in ["bob", "carl", "dan", "eve"] {
            let who = acme.below(&acme.boss, name, &[]).await;
            acme.give(&acme.boss, id, &[&who]).await.unwrap();
        }
        let listed = pages!(
            acme,
            list_rights_document_assignments,
            assignments(id),
            assignments,
            assignments(other)
        );
        assert_eq!(listed.len(), 5);
        assert!(listed.windows(2).all(|pair| pair[0].user_id < pair[1].user_id));
        assert!(listed.iter().all(|one| one.created_by == acme.boss.user_id));
        // Absent, the user is the caller.
        let own = acme.service.rights(&acme.boss).list_rights_documents(owned("")).await.unwrap();
        assert_eq!(own.into_inner().rights_documents.len(), 10);
    }
}

#[tokio::test]
async fn a_list_needs_the_right_to_read_documents_of_a_user_who_is_seen() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let plain = acme.below(&acme.boss, "plain", &[]).await;
        let hidden = acme.below(&acme.boss, "hidden", &[]).await;
        for (by, who, code, reason) in [
            (&plain, &plain.user_id, Code::PermissionDenied, "ACCESS_DENIED"),
            (&plain, &hidden.user_id, Code::NotFound, "USER_NOT_FOUND"),
            (&acme.manager, &hidden.user_id, Code::NotFound, "USER_NOT_FOUND"),
            (&acme.boss, &nobody(), Code::NotFound, "USER_NOT_FOUND"),
        ] {
            let rights = || acme.service.rights(by);
            refused(rights().list_rights_documents(owned(who)).await, code, reason);
            let list = rights().list_assigned_rights_documents(assigned(who)).await;
            refused(list, code, reason);
            let list = rights().list_assigned_master_rights_documents(masters(who)).await;
            refused(list, code, reason);
            let sums = pb::GetAggregatedRightsRequest { user_id: who.clone() };
            refused(rights().get_aggregated_rights(sums).await, code, reason);
        }
    }
}

#[tokio::test]
async fn assigned_documents_add_up_account_by_account() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let entries = |actions: &[&str], cascade| pb::RightsDocument {
            product_permissions: vec![product("ACD", actions, cascade)],
            resource_permissions: vec![resource("GATE_GROUP", "5", actions, cascade)],
            ..document("D", actions)
        };
        for one in [
            entries(&["READ"], false),
            entries(&["UPDATE", "READ"], false),
            entries(&["DELETE"], true),
            pb::RightsDocument { is_master: Some(true), ..document("M", &["REPORT"]) },
            pb::RightsDocument { account_id: below.clone(), ..document("B", &["READ"]) },
        ] {
            let id = acme.made(one).await;
            acme.give(&acme.boss, &id, &[&ann]).await.unwrap();
        }
        let sums = acme.aggregated(&acme.boss, &ann).await.unwrap();
        let mut accounts = [acme.account.clone(), below.clone()];
        accounts.sort_unstable();
        assert_eq!(
            sums.iter().map(|sum| &sum.account_id).collect::<Vec<_>>(),
            accounts.iter().collect::<Vec<_>>()
        );
        let of = |account: &str| sums.iter().find(|sum| sum.account_id == account).unwrap();
        assert_eq!(of(&below).account_permissions, ["READ"]);
        let sum = of(&acme.account);
        assert!(sum.rights_doc_id.is_empty() && sum.rights_doc_name.is_none());
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        assert_eq!(sorted(&sum.account_permissions), ["DELETE", "READ", "REPORT", "UPDATE"]);
        // What cascades and what does not are not the same, and stand apart.
        let products = &sum.product_permissions;
        assert_eq!(products.len(), 2);
        let flat = products.iter().find(|entry| !entry.cascade).unwrap();
        assert_eq!(sorted(&flat.permissions), ["READ", "UPDATE"]);
        let deep = products.iter().find(|entry| entry.cascade).unwrap();
        assert_eq!(deep.permissions, ["DELETE"]);
        assert_eq!(sum.resource_permissions.len(), 2);
        assert!(acme.aggregated(&acme.boss, &acme.manager).await.unwrap().is_empty());
    }
}
