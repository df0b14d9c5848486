//! Catalogue files of operators: applied, refused, rehearsed, and what that changes for whom.

mod escalation;
mod preview;
mod refusals;
mod versions;

use chancery::proto::v1 as pb;
use tonic::Status;

use crate::support::{Person, Service};

/// A type, a role for people, one for accounts and a document.
const HOUSE: &str = "
catalogue: house
version: 1
uses: [core, ringcx]
resource_types:
  shelf: { in: [account], actions: [read, fill] }
roles:
  Clerk: { assignable_to: [admin], permits: [shelf.read] }
  Keeper: { assignable_to: [admin], reach: subtree, permits: ['shelf.*', account.read] }
  Tenant: { assignable_to: [account], reach: subtree, 'on': account, permits: ['*.*'] }
system_documents:
  SHELVES: { name: Shelves, account_permissions: [fill] }
";

fn file(yaml: &str) -> pb::ApplyCatalogueRequest {
    pb::ApplyCatalogueRequest { catalogue_yaml: yaml.to_owned(), ..Default::default() }
}

async fn apply(
    service: &Service,
    by: &Person,
    yaml: &str,
) -> Result<pb::ApplyCatalogueResponse, Status> {
    Ok(service.roles(by).apply_catalogue(file(yaml)).await?.into_inner())
}

async fn rehearse(service: &Service, by: &Person, yaml: &str) -> Result<pb::Preview, Status> {
    let request = pb::ApplyCatalogueRequest { validate_only: true, ..file(yaml) };
    let reply = service.roles(by).apply_catalogue(request).await?.into_inner();
    assert!(reply.consistency_token.is_empty() && reply.catalogue.is_some());
    Ok(reply.preview.unwrap())
}

/// The file in a later version, with something else in it.
fn later(version: u32, from: &str, to: &str) -> String {
    assert!(HOUSE.contains(from));
    HOUSE.replace("version: 1", &format!("version: {version}")).replace(from, to)
}
