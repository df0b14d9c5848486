//! Rights documents: written, assigned, held, handed on. Among them the acceptance cases R30 to R52 of the source system.

mod assigned;
mod below;
mod changed;
mod effective;
mod given;
mod kept;
mod left;
mod lists;
mod many;
mod master;
mod means;
mod moved;
mod repeated;
mod seen;
mod system;
mod walk;
mod written;

use chancery::proto::v1 as pb;
use prost_types::FieldMask;
use tonic::Status;

use crate::support::{Engine, Person, Service};

/// A tenant with somebody who may do everything in it, and below him somebody who manages rights and users.
struct Acme {
    service: Service,
    account: String,
    boss: Person,
    manager: Person,
}

impl Acme {
    async fn start(engine: &Engine) -> Self {
        Self::of(Service::start(engine).await).await
    }

    async fn of(service: Service) -> Self {
        let account = service.tenant("Acme").await;
        let boss = service.person(&account, "boss", &["SUPER_USER"]).await;
        let roles = ["MANAGE_RIGHTS", "MANAGE_USERS"];
        let manager = service.person_under(&account, Some(&boss), "manager", &roles).await;
        Self { service, account, boss, manager }
    }

    /// Makes somebody below another, with a token.
    async fn below(&self, parent: &Person, name: &str, roles: &[&str]) -> Person {
        self.service.person_under(&self.account, Some(parent), name, roles).await
    }

    /// Writes a document of the caller's own.
    async fn write(
        &self,
        by: &Person,
        document: pb::RightsDocument,
    ) -> Result<pb::RightsDocument, Status> {
        let reply = self.service.rights(by).create_rights_document(create(document)).await?;
        Ok(reply.into_inner().rights_document.unwrap())
    }

    /// Writes one as the boss, and returns its id.
    async fn made(&self, document: pb::RightsDocument) -> String {
        self.write(&self.boss, document).await.unwrap().rights_doc_id
    }

    async fn read(&self, by: &Person, id: &str) -> Result<pb::RightsDocument, Status> {
        let request =
            pb::GetRightsDocumentRequest { rights_doc_id: id.to_owned(), ..Default::default() };
        let reply = self.service.rights(by).get_rights_document(request).await?;
        Ok(reply.into_inner().rights_document.unwrap())
    }

    async fn change(
        &self,
        by: &Person,
        document: pb::RightsDocument,
        mask: &[&str],
    ) -> Result<pb::RightsDocument, Status> {
        let request = pb::UpdateRightsDocumentRequest { force: true, ..update(document, mask) };
        let reply = self.service.rights(by).update_rights_document(request).await?;
        Ok(reply.into_inner().rights_document.unwrap())
    }

    async fn delete(&self, by: &Person, id: &str) -> Result<pb::RightsDocument, Status> {
        let reply = self.service.rights(by).delete_rights_document(delete(id)).await?;
        Ok(reply.into_inner().rights_document.unwrap())
    }

    /// Assigns by force, since the root made the tokens of everybody here.
    async fn give(
        &self,
        by: &Person,
        id: &str,
        to: &[&Person],
    ) -> Result<Vec<pb::Assignment>, Status> {
        let request = pb::AssignRightsDocumentRequest { force: true, ..assign(id, to) };
        let reply = self.service.rights(by).assign_rights_document(request).await?;
        Ok(reply.into_inner().assignments)
    }

    async fn take(&self, by: &Person, id: &str, from: &Person) -> Result<pb::Assignment, Status> {
        let request = unassign(id, from);
        let reply = self.service.rights(by).unassign_rights_document(request).await?;
        Ok(reply.into_inner().assignment.unwrap())
    }

    /// Lists the documents that somebody has by assignment, as the boss sees them.
    async fn has(&self, who: &Person) -> Vec<String> {
        let request = pb::ListAssignedRightsDocumentsRequest {
            user_id: who.user_id.clone(),
            ..Default::default()
        };
        let reply = self.service.rights(&self.boss).list_assigned_rights_documents(request).await;
        let listed = reply.unwrap().into_inner().rights_documents;
        listed.into_iter().map(|document| document.rights_doc_id).collect()
    }

    async fn has_masters(&self, who: &Person) -> Vec<String> {
        let request = pb::ListAssignedMasterRightsDocumentsRequest {
            user_id: who.user_id.clone(),
            ..Default::default()
        };
        let reply =
            self.service.rights(&self.boss).list_assigned_master_rights_documents(request).await;
        let listed = reply.unwrap().into_inner().rights_documents;
        listed.into_iter().map(|document| document.rights_doc_id).collect()
    }

    /// Lists the documents that somebody owns, as the boss sees them.
    async fn owns(&self, who: &Person) -> Vec<String> {
        let request =
            pb::ListRightsDocumentsRequest { user_id: who.user_id.clone(), ..Default::default() };
        let reply = self.service.rights(&self.boss).list_rights_documents(request).await;
        let listed = reply.unwrap().into_inner().rights_documents;
        listed.into_iter().map(|document| document.rights_doc_id).collect()
    }

    /// Lists to whom a document is assigned.
    async fn assignees(&self, by: &Person, id: &str) -> Result<Vec<String>, Status> {
        let request = pb::ListRightsDocumentAssignmentsRequest {
            rights_doc_id: id.to_owned(),
            ..Default::default()
        };
        let reply = self.service.rights(by).list_rights_document_assignments(request).await?;
        let listed = reply.into_inner().assignments;
        Ok(listed.into_iter().map(|one| one.user_id).collect())
    }

    async fn aggregated(
        &self,
        by: &Person,
        who: &Person,
    ) -> Result<Vec<pb::RightsDocument>, Status> {
        let request = pb::GetAggregatedRightsRequest { user_id: who.user_id.clone() };
        let reply = self.service.rights(by).get_aggregated_rights(request).await?;
        Ok(reply.into_inner().rights_documents)
    }

    /// Asks whether somebody may do something to what lies at a path of the tenant's account.
    async fn may(&self, who: &Person, permission: &str, path: &str) -> bool {
        self.may_in(&self.account, who, permission, path).await
    }

    /// Asks it of another account.
    async fn may_in(&self, account: &str, who: &Person, permission: &str, path: &str) -> bool {
        let kind = path.rsplit('/').nth(1).unwrap_or("account");
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        let path = format!("account/{account}{path}");
        self.service.decides(&who.user_id, permission, kind, &path).await.decision
    }

    /// Closes an account, which is final.
    async fn close(&self, account: &str) {
        let request =
            pb::CloseAccountRequest { account_id: account.to_owned(), ..Default::default() };
        self.service.accounts(&self.service.root).close_account(request).await.unwrap();
    }

    /// Makes a user of kind APPLICATION, and returns its id.
    async fn customer(&self) -> String {
        let user = pb::User {
            user_name: Some("customer".to_owned()),
            kind: Some(pb::UserKind::Application.into()),
            application_id: "7".to_owned(),
            ..Default::default()
        };
        let request = pb::CreateUserRequest {
            account_id: self.account.clone(),
            user: Some(user),
            ..Default::default()
        };
        let made = self.service.users(&self.service.root).create_user(request).await.unwrap();
        made.into_inner().user.unwrap().user_id
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A document that gives actions on the account and all in it.
fn document(name: &str, actions: &[&str]) -> pb::RightsDocument {
    pb::RightsDocument {
        rights_doc_name: Some(name.to_owned()),
        account_permissions: texts(actions),
        ..Default::default()
    }
}

fn product(product: &str, actions: &[&str], cascade: bool) -> pb::ProductPermissions {
    pb::ProductPermissions { product: product.to_owned(), permissions: texts(actions), cascade }
}

fn resource(kind: &str, id: &str, actions: &[&str], cascade: bool) -> pb::ResourcePermissions {
    pb::ResourcePermissions {
        resource_type: kind.to_owned(),
        resource_id: id.to_owned(),
        permissions: texts(actions),
        cascade,
    }
}

/// A document by its id, to say what is to be different.
fn of(id: &str) -> pb::RightsDocument {
    pb::RightsDocument { rights_doc_id: id.to_owned(), ..Default::default() }
}

fn create(document: pb::RightsDocument) -> pb::CreateRightsDocumentRequest {
    pb::CreateRightsDocumentRequest { rights_document: Some(document), ..Default::default() }
}

fn update(document: pb::RightsDocument, mask: &[&str]) -> pb::UpdateRightsDocumentRequest {
    pb::UpdateRightsDocumentRequest {
        rights_document: Some(document),
        update_mask: (!mask.is_empty()).then(|| FieldMask { paths: texts(mask) }),
        ..Default::default()
    }
}

fn delete(id: &str) -> pb::DeleteRightsDocumentRequest {
    pb::DeleteRightsDocumentRequest { rights_doc_id: id.to_owned(), ..Default::default() }
}

fn assign(id: &str, to: &[&Person]) -> pb::AssignRightsDocumentRequest {
    pb::AssignRightsDocumentRequest {
        rights_doc_id: id.to_owned(),
        user_ids: to.iter().map(|person| person.user_id.clone()).collect(),
        ..Default::default()
    }
}

fn unassign(id: &str, from: &Person) -> pb::UnassignRightsDocumentRequest {
    pb::UnassignRightsDocumentRequest {
        rights_doc_id: id.to_owned(),
        assigned_user_id: from.user_id.clone(),
        ..Default::default()
    }
}

/// An id of the right form that no document has.
fn nothing() -> String {
    "doc_01h455vb4pex5vsknk084sn02q".to_owned()
}

fn nobody() -> String {
    "usr_01h455vb4pex5vsknk084sn02q".to_owned()
}
