//! Of sessions, tokens and keys.

use chancery::proto::v1 as pb;
use prost::Message as _;

use super::Scene;
use crate::support::Person;

impl Scene<'_> {
    pub(super) async fn of_sessions(&mut self, name: &str) -> Vec<u8> {
        let person = self.user().await;
        let user_id = person.user_id.clone();
        match name {
            "RevokeSession" => {
                let session_id = self.service.session(&person).await.session_id;
                pb::RevokeSessionRequest { session_id, user_id, ..Default::default() }
                    .encode_to_vec()
            }
            "RevokeAllSessions" => {
                pb::RevokeAllSessionsRequest { user_id, ..Default::default() }.encode_to_vec()
            }
            "AssumeUser" => pb::AssumeUserRequest {
                user_id,
                reason: "to see what they see".to_owned(),
                ..Default::default()
            }
            .encode_to_vec(),
            "SendPasswordReset" => {
                let user_id = self.reachable().await;
                pb::SendPasswordResetRequest { user_id, ..Default::default() }.encode_to_vec()
            }
            other => panic!("{other} is new: say here what it needs"),
        }
    }

    pub(super) async fn of_tokens(&mut self, name: &str) -> Vec<u8> {
        let Person { user_id, token_id, token, .. } = self.user().await;
        match name {
            "CreateApiToken" => {
                pb::CreateApiTokenRequest { user_id, ..Default::default() }.encode_to_vec()
            }
            "RotateApiToken" => {
                pb::RotateApiTokenRequest { token_id, ..Default::default() }.encode_to_vec()
            }
            "DeleteApiToken" => {
                pb::DeleteApiTokenRequest { token_id, ..Default::default() }.encode_to_vec()
            }
            "RotateSigningKey" => pb::RotateSigningKeyRequest::default().encode_to_vec(),
            "CreateServiceKey" => {
                let user_id = self.machine().await.user_id;
                pb::CreateServiceKeyRequest { user_id, ..Default::default() }.encode_to_vec()
            }
            "DeleteServiceKey" => {
                let user_id = self.machine().await.user_id;
                let create = pb::CreateServiceKeyRequest { user_id, ..Default::default() };
                let mut tokens = self.service.tokens(&self.service.root);
                let made = tokens.create_service_key(create).await.unwrap().into_inner();
                let key_id = made.service_key.unwrap().key_id;
                pb::DeleteServiceKeyRequest { key_id, ..Default::default() }.encode_to_vec()
            }
            "ReportLeakedToken" => {
                pb::ReportLeakedTokenRequest { token, ..Default::default() }.encode_to_vec()
            }
            other => panic!("{other} is new: say here what it needs"),
        }
    }
}
