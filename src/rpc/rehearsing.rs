//! What a change would do, asked for without making it: the change itself, as a dry run of its own service.

use prost::Message as _;
use tonic::{Request, Response, Status};

use super::authorization::AuthorizationApi;
use super::shared::open;
use super::{AccountApi, RightsDocumentApi, RoleApi, SessionApi, TokenApi, UserApi};
use crate::crypto::seal;
use crate::layers::{Call, Part, status};
use crate::model::UserId;
use crate::proto::v1 as pb;
use crate::proto::v1::account_service_server::AccountService;
use crate::proto::v1::preview_change_request::Change;
use crate::proto::v1::rights_document_service_server::RightsDocumentService;
use crate::proto::v1::role_service_server::RoleService;
use crate::proto::v1::session_service_server::SessionService;
use crate::proto::v1::token_service_server::TokenService;
use crate::proto::v1::user_service_server::UserService;

/// The most users of a page: each is named with all its permissions.
const MOST: usize = 100;

/// Hands each kind of change to the service that makes it, as a dry run.
macro_rules! rehearse {
    ($api:ident, $call:ident, $part:ident, $change:ident: $($service:ident($door:ident) {
        $($kind:ident $method:ident,)*
    })*) => {
        match $change {
            $($(Change::$kind(mut request) => {
                request.validate_only = true;
                request.request_id.clear();
                let path = concat!("/chancery.v1.", stringify!($service), "/", stringify!($kind));
                let message = request.encode_to_vec();
                let call = $api.1.rehearse(path, &message, $call, $part).await?;
                let mut request = Request::new(request);
                request.extensions_mut().insert(call);
                let reply = $service::$method(&$door($api.0.clone()), request).await?;
                let preview = reply.get_ref().preview.clone();
                Ok(reply.map(|_| preview))
            })*)*
        }
    };
}

impl AuthorizationApi {
    pub(super) async fn previewed(
        &self,
        request: Request<pb::PreviewChangeRequest>,
    ) -> Result<Response<pb::PreviewChangeResponse>, Status> {
        let (call, mut request) = open(request)?;
        let (size, token) = (request.page_size, std::mem::take(&mut request.page_token));
        request.page_size = 0;
        let caller = call.caller.as_ref().map(|caller| caller.user.to_string()).unwrap_or_default();
        let method = call.ask.rule().method.as_bytes();
        let bound = seal::context(&[caller.as_bytes(), method, &request.encode_to_vec()]);
        let page = self.0.page_in::<UserId>(&bound, size, &token)?;
        let size = page.size.min(MOST);
        let change = request
            .change
            .ok_or_else(|| status::bad_field("INVALID_FIELD", "change", "must name one change"))?;
        // One more than the page tells whether there is another.
        let part = Part::Page { after: page.after, size: size + 1 };
        let reply = self.rehearsed(&call, change, part).await?;
        let mut preview = reply.get_ref().clone().ok_or_else(status::internal)?;
        let more = preview.users.len() > size;
        preview.users.truncate(size);
        let last = preview.users.last().filter(|_| more).map(|last| &last.user_id);
        let next_page_token =
            last.map(|last| self.0.next_page_in(&bound, last)).unwrap_or_default();
        Ok(reply.map(|_| pb::PreviewChangeResponse { preview: Some(preview), next_page_token }))
    }

    async fn rehearsed(
        &self,
        call: &Call,
        change: Change,
        part: Part,
    ) -> Result<Response<Option<pb::Preview>>, Status> {
        rehearse!(self, call, part, change:
            AccountService(AccountApi) {
                CreateAccount create_account,
                UpdateAccount update_account,
                SetAccountRole set_account_role,
                SuspendAccount suspend_account,
                ResumeAccount resume_account,
                CloseAccount close_account,
                MoveAccount move_account,
                QuarantineAccount quarantine_account,
                ReleaseAccount release_account,
            }
            UserService(UserApi) {
                CreateUser create_user,
                UpdateUser update_user,
                SetUserActive set_user_active,
                DeleteUser delete_user,
                UndeleteUser undelete_user,
                ReassignChildren reassign_children,
                MoveUser move_user,
                OffboardUser offboard_user,
            }
            RoleService(RoleApi) {
                CreateRole create_role,
                UpdateRole update_role,
                DeleteRole delete_role,
                AddUserRole add_user_role,
                RemoveUserRole remove_user_role,
                ApplyCatalogue apply_catalogue,
            }
            RightsDocumentService(RightsDocumentApi) {
                CreateRightsDocument create_rights_document,
                UpdateRightsDocument update_rights_document,
                DeleteRightsDocument delete_rights_document,
                AssignRightsDocument assign_rights_document,
                UnassignRightsDocument unassign_rights_document,
            }
            TokenService(TokenApi) {
                CreateApiToken create_api_token,
                RotateApiToken rotate_api_token,
                DeleteApiToken delete_api_token,
                ReportLeakedToken report_leaked_token,
                RotateSigningKey rotate_signing_key,
                CreateServiceKey create_service_key,
                DeleteServiceKey delete_service_key,
            }
            SessionService(SessionApi) {
                RevokeSession revoke_session,
                RevokeAllSessions revoke_all_sessions,
                AssumeUser assume_user,
                SendPasswordReset send_password_reset,
            }
        )
    }
}
