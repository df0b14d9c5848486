//! The audit: what the ledgers tell.

mod activity;
mod exported;
mod found;
mod proof;
mod pruned;
mod seen;
mod unused;
mod watched;

use chancery::proto::v1 as pb;

use crate::support::{Person, Service};

/// Asks for the changes of an account and all below it, oldest first.
pub(crate) fn all(account_id: &str) -> pb::ListAuditEventsRequest {
    pb::ListAuditEventsRequest {
        account_id: account_id.to_owned(),
        subtree: true,
        page_size: 1000,
        ..Default::default()
    }
}

/// Lists changes, page by page.
pub(crate) async fn list(
    service: &Service,
    by: &Person,
    mut request: pb::ListAuditEventsRequest,
) -> Vec<pb::AuditEvent> {
    let mut events = Vec::new();
    loop {
        let page = service.audit(by).list_audit_events(request.clone()).await.unwrap().into_inner();
        events.extend(page.audit_events);
        if page.next_page_token.is_empty() {
            return events;
        }
        request.page_token = page.next_page_token;
    }
}

fn places(events: &[pb::AuditEvent]) -> Vec<(u64, u32)> {
    events.iter().map(|event| (event.revision, event.ordinal)).collect()
}
