//! For every changing RPC a request that succeeds, with the objects it needs, and another that differs from it.

#[path = "examples/credentials.rs"]
mod credentials;

use chancery::proto::v1 as pb;
use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use prost_types::FieldMask;

use crate::raw::{methods, set};
use crate::support::{Person, Service};

/// Every method whose request says `validate_only`: all that change anything.
pub(crate) fn changing() -> Vec<MethodDescriptor> {
    let changes =
        |method: &MethodDescriptor| method.input().get_field_by_name("validate_only").is_some();
    methods().into_iter().filter(changes).collect()
}

/// A tenant to try things in.
#[derive(Debug)]
pub(crate) struct Scene<'s> {
    service: &'s Service,
    /// What everything is made in.
    pub(crate) tenant: String,
    made: usize,
}

impl<'s> Scene<'s> {
    pub(crate) async fn new(service: &'s Service) -> Self {
        let tenant = service.tenant("Scene").await;
        Self { service, tenant, made: 0 }
    }

    fn name(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}_{}", self.made)
    }

    async fn account(&mut self) -> String {
        let name = self.name("account");
        self.service.account(&self.tenant, &name).await
    }

    async fn user(&mut self) -> Person {
        let name = self.name("user");
        self.service.person(&self.tenant, &name, &[]).await
    }

    async fn machine(&mut self) -> Person {
        let name = self.name("machine");
        self.service.machine(&self.tenant, &name, &[]).await
    }

    async fn below(&mut self, above: &Person) -> Person {
        let name = self.name("user");
        self.service.person_under(&self.tenant, Some(above), &name, &[]).await
    }

    async fn role(&mut self) -> String {
        let request = pb::CreateRoleRequest {
            account_id: self.tenant.clone(),
            role: Some(role(&self.name("role"))),
            ..Default::default()
        };
        let made = self.service.roles(&self.service.root).create_role(request).await.unwrap();
        made.into_inner().role.unwrap().role
    }

    /// Makes what a method needs; returns a request that it accepts, and one that says something else.
    pub(crate) async fn example(&mut self, method: &MethodDescriptor) -> [DynamicMessage; 2] {
        let service = method.parent_service();
        let bytes = match service.name() {
            "AccountService" => self.of_accounts(method.name()).await,
            "UserService" => self.of_users(method.name()).await,
            "RoleService" => self.of_roles(method.name()).await,
            "TokenService" => self.of_tokens(method.name()).await,
            "SessionService" => self.of_sessions(method.name()).await,
            "RightsDocumentService" => self.of_documents(method.name()).await,
            other => panic!("{other} is new: say here what its changes need"),
        };
        let one = DynamicMessage::decode(method.input(), bytes.as_slice()).unwrap();
        let mut other = one.clone();
        let text = |text: &str| Value::String(text.to_owned());
        let differs = set(&mut other, "etag", text("other"))
            || set(&mut other, "account.display_name", text("Other"))
            || set(&mut other, "user.first_name", text("Other"))
            || set(&mut other, "role.description", text("Other"))
            || set(&mut other, "rights_document.rights_doc_name", text("Other"))
            || set(&mut other, "catalogue_yaml", text("catalogue: other"))
            || set(&mut other, "display_name", text("Other"));
        assert!(differs, "{}", method.full_name());
        [one, other]
    }

    /// Makes a user who has an e-mail address.
    async fn reachable(&mut self) -> String {
        let name = self.name("user");
        let user = pb::User {
            email: Some(format!("{name}@example.com")),
            user_name: Some(name),
            root_user: true,
            ..Default::default()
        };
        let request = pb::CreateUserRequest {
            account_id: self.tenant.clone(),
            user: Some(user),
            ..Default::default()
        };
        let made = self.service.users(&self.service.root).create_user(request).await.unwrap();
        made.into_inner().user.unwrap().user_id
    }

    async fn of_accounts(&mut self, name: &str) -> Vec<u8> {
        let account_id = self.account().await;
        let accounts = || self.service.accounts(&self.service.root);
        match name {
            "CreateAccount" => pb::CreateAccountRequest {
                parent_account_id: account_id,
                account: Some(display("New")),
                ..Default::default()
            }
            .encode_to_vec(),
            "UpdateAccount" => pb::UpdateAccountRequest {
                account: Some(pb::Account { account_id, ..display("New") }),
                update_mask: Some(FieldMask { paths: vec!["display_name".to_owned()] }),
                ..Default::default()
            }
            .encode_to_vec(),
            "SetAccountRole" => pb::SetAccountRoleRequest {
                account_id,
                role: "ProvisioningAgent".to_owned(),
                ..Default::default()
            }
            .encode_to_vec(),
            "SuspendAccount" => suspend(account_id).encode_to_vec(),
            "ResumeAccount" => {
                accounts().suspend_account(suspend(account_id.clone())).await.unwrap();
                pb::ResumeAccountRequest { account_id, ..Default::default() }.encode_to_vec()
            }
            "CloseAccount" => {
                pb::CloseAccountRequest { account_id, ..Default::default() }.encode_to_vec()
            }
            "MoveAccount" => pb::MoveAccountRequest {
                new_parent_account_id: self.account().await,
                account_id,
                ..Default::default()
            }
            .encode_to_vec(),
            "QuarantineAccount" => quarantine(account_id).encode_to_vec(),
            "ReleaseAccount" => {
                accounts().quarantine_account(quarantine(account_id.clone())).await.unwrap();
                pb::ReleaseAccountRequest { account_id, ..Default::default() }.encode_to_vec()
            }
            other => panic!("{other} is new: say here what it needs"),
        }
    }

    async fn of_users(&mut self, name: &str) -> Vec<u8> {
        let person = self.user().await;
        let user_id = person.user_id.clone();
        match name {
            "CreateUser" => pb::CreateUserRequest {
                account_id: self.tenant.clone(),
                user: Some(pb::User {
                    user_name: Some(self.name("user")),
                    roles: vec!["USER".to_owned()],
                    ..Default::default()
                }),
                ..Default::default()
            }
            .encode_to_vec(),
            "UpdateUser" => pb::UpdateUserRequest {
                user: Some(pb::User {
                    user_id,
                    first_name: Some("New".to_owned()),
                    ..Default::default()
                }),
                update_mask: Some(FieldMask { paths: vec!["first_name".to_owned()] }),
                ..Default::default()
            }
            .encode_to_vec(),
            "SetUserActive" => {
                pb::SetUserActiveRequest { user_id, ..Default::default() }.encode_to_vec()
            }
            "DeleteUser" => pb::DeleteUserRequest { user_id, ..Default::default() }.encode_to_vec(),
            "UndeleteUser" => {
                let gone = pb::DeleteUserRequest { user_id: user_id.clone(), ..Default::default() };
                self.service.users(&self.service.root).delete_user(gone).await.unwrap();
                pb::UndeleteUserRequest { user_id, ..Default::default() }.encode_to_vec()
            }
            "ReassignChildren" => {
                self.below(&person).await;
                pb::ReassignChildrenRequest {
                    old_user_id: user_id,
                    reassign_user_id: self.user().await.user_id,
                    ..Default::default()
                }
                .encode_to_vec()
            }
            "MoveUser" => pb::MoveUserRequest {
                user_id,
                parent_user_id: self.user().await.user_id,
                ..Default::default()
            }
            .encode_to_vec(),
            "OffboardUser" => {
                pb::OffboardUserRequest { user_id, ..Default::default() }.encode_to_vec()
            }
            other => panic!("{other} is new: say here what it needs"),
        }
    }

    async fn of_roles(&mut self, name: &str) -> Vec<u8> {
        match name {
            "CreateRole" => pb::CreateRoleRequest {
                account_id: self.tenant.clone(),
                role: Some(role(&self.name("role"))),
                ..Default::default()
            }
            .encode_to_vec(),
            "UpdateRole" => {
                let changed = pb::Role {
                    role: self.role().await,
                    description: Some("New".to_owned()),
                    ..Default::default()
                };
                pb::UpdateRoleRequest {
                    role: Some(changed),
                    update_mask: Some(FieldMask { paths: vec!["description".to_owned()] }),
                    ..Default::default()
                }
                .encode_to_vec()
            }
            "DeleteRole" => pb::DeleteRoleRequest { role: self.role().await, ..Default::default() }
                .encode_to_vec(),
            "AddUserRole" => give(self.user().await.user_id).encode_to_vec(),
            "RemoveUserRole" => {
                let user_id = self.user().await.user_id;
                let roles = || self.service.roles(&self.service.root);
                roles().add_user_role(give(user_id.clone())).await.unwrap();
                pb::RemoveUserRoleRequest {
                    user_id,
                    role_type: "USER".to_owned(),
                    ..Default::default()
                }
                .encode_to_vec()
            }
            "ApplyCatalogue" => {
                let name = self.name("file");
                pb::ApplyCatalogueRequest {
                    catalogue_yaml: format!(
                        "{{ catalogue: {name}, version: 1, uses: [core], \
                           resource_types: {{ {name}_shelf: {{ in: [account], actions: [fill] }} }} }}"
                    ),
                    ..Default::default()
                }
                .encode_to_vec()
            }
            other => panic!("{other} is new: say here what it needs"),
        }
    }

    async fn document(&mut self) -> String {
        let request = pb::CreateRightsDocumentRequest {
            user_id: self.user().await.user_id,
            rights_document: Some(document()),
            ..Default::default()
        };
        let root = &self.service.root;
        let made = self.service.rights(root).create_rights_document(request).await.unwrap();
        made.into_inner().rights_document.unwrap().rights_doc_id
    }

    async fn of_documents(&mut self, name: &str) -> Vec<u8> {
        let user_id = self.user().await.user_id;
        if name == "CreateRightsDocument" {
            let rights_document = Some(document());
            return pb::CreateRightsDocumentRequest {
                user_id,
                rights_document,
                ..Default::default()
            }
            .encode_to_vec();
        }
        let rights_doc_id = self.document().await;
        let assign = pb::AssignRightsDocumentRequest {
            rights_doc_id: rights_doc_id.clone(),
            user_ids: vec![user_id.clone()],
            ..Default::default()
        };
        if name != "AssignRightsDocument" {
            let root = &self.service.root;
            self.service.rights(root).assign_rights_document(assign.clone()).await.unwrap();
        }
        match name {
            "AssignRightsDocument" => assign.encode_to_vec(),
            "UpdateRightsDocument" => pb::UpdateRightsDocumentRequest {
                rights_document: Some(pb::RightsDocument {
                    rights_doc_id,
                    rights_doc_name: Some("New".to_owned()),
                    ..Default::default()
                }),
                update_mask: Some(FieldMask { paths: vec!["rights_doc_name".to_owned()] }),
                ..Default::default()
            }
            .encode_to_vec(),
            "DeleteRightsDocument" => {
                pb::DeleteRightsDocumentRequest { rights_doc_id, ..Default::default() }
                    .encode_to_vec()
            }
            "UnassignRightsDocument" => pb::UnassignRightsDocumentRequest {
                rights_doc_id,
                assigned_user_id: user_id,
                ..Default::default()
            }
            .encode_to_vec(),
            other => panic!("{other} is new: say here what it needs"),
        }
    }
}

fn display(name: &str) -> pb::Account {
    pb::Account { display_name: Some(name.to_owned()), ..Default::default() }
}

fn suspend(account_id: String) -> pb::SuspendAccountRequest {
    pb::SuspendAccountRequest { account_id, ..Default::default() }
}

fn quarantine(account_id: String) -> pb::QuarantineAccountRequest {
    pb::QuarantineAccountRequest { account_id, ..Default::default() }
}

fn role(name: &str) -> pb::Role {
    pb::Role {
        name: Some(name.to_owned()),
        permits: vec!["account.read".to_owned()],
        ..Default::default()
    }
}

fn document() -> pb::RightsDocument {
    pb::RightsDocument {
        rights_doc_name: Some("document".to_owned()),
        account_permissions: vec!["READ".to_owned()],
        ..Default::default()
    }
}

fn give(user_id: String) -> pb::AddUserRoleRequest {
    pb::AddUserRoleRequest { user_id, role_type: "USER".to_owned(), ..Default::default() }
}
