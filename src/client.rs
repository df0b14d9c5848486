//! Calling a server of this program: what the command line asks of it.

mod watch;

use std::time::Duration;

use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::outside::{NoTls, Secure, Trust};
use crate::proto::v1 as pb;
use crate::proto::v1::account_service_client::AccountServiceClient;
use crate::proto::v1::audit_service_client::AuditServiceClient;
use crate::proto::v1::authorization_service_client::AuthorizationServiceClient;
use crate::proto::v1::rights_document_service_client::RightsDocumentServiceClient;
use crate::proto::v1::role_service_client::RoleServiceClient;
use crate::proto::v1::token_service_client::TokenServiceClient;
use crate::proto::v1::user_service_client::UserServiceClient;

pub use watch::{Changes, Known, Revisions};

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum NoReply {
    /// The address is none.
    #[error("`{0}` is no address of a server; one is `http://127.0.0.1:50051`")]
    Address(String),
    /// The token is none.
    #[error("the token holds what no header may hold")]
    Token,
    /// Who the server should be, or who we are.
    #[error(transparent)]
    Tls(#[from] NoTls),
    /// Nobody listens, or not in time.
    #[error("nobody answers at `{0}`")]
    Unreachable(String, #[source] tonic::transport::Error),
    /// The server does not take the token that it is asked with, whatever it is asked about.
    #[error("the token that is asked with (--token, CHANCERY_TOKEN) is refused: {0}")]
    Asker(String),
    /// What was followed is not there any more, or not from there on.
    #[error("{0}: what was kept of it is worth nothing; begin anew, without a token")]
    Lost(String),
    /// There was nothing at the time that was asked about.
    #[error("there was nothing yet at that time")]
    NotBegun,
    /// It is not there, or not for whoever asks.
    #[error("{0}")]
    Unseen(String),
    /// It was asked wrongly, or with the token of a page that is no longer one.
    #[error("{0}")]
    Unfit(String),
    /// The server refuses.
    #[error("{0}")]
    Refused(String),
}

impl From<Status> for NoReply {
    fn from(status: Status) -> Self {
        let why = format!("{:?}: {}", status.code(), status.message());
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.as_str());
        match (status.code(), reason) {
            (Code::Unauthenticated, _) => Self::Asker(why),
            (Code::DataLoss | Code::OutOfRange, Some("HISTORY_LOST" | "HISTORY_PRUNED")) => {
                Self::Lost(why)
            }
            (Code::OutOfRange, Some("HISTORY_NOT_BEGUN")) => Self::NotBegun,
            (Code::NotFound | Code::PermissionDenied, _) => Self::Unseen(why),
            (Code::InvalidArgument, _) => Self::Unfit(why),
            _ => Self::Refused(why),
        }
    }
}

/// How long one batch of spans may be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// Returns what connects to a collector of spans once there are some; over `https` only to whom browsers take for who it should be.
pub fn collector(url: &str) -> Result<Channel, NoReply> {
    let bad = || NoReply::Address(url.to_owned());
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_| bad())?;
    if !matches!(endpoint.uri().scheme_str(), Some("http" | "https")) {
        return Err(bad());
    }
    let endpoint = endpoint.connect_timeout(ON_ITS_WAY).timeout(ON_ITS_WAY);
    let secure = Secure { trust: Trust::Web, own: None };
    Ok(endpoint.connect_with_connector_lazy(secure.connector()?))
}

/// The longest message that is read, in bytes: one entry of a ledger, or a page of rights, may be longer than others are.
const LONGEST: usize = 64 << 20;

/// A ledger on its way, part by part.
#[derive(Debug)]
pub struct Exported(tonic::Streaming<pb::ExportLedgerResponse>);

impl Exported {
    /// Waits for the next part; nothing where it was the last.
    pub async fn next(&mut self) -> Result<Option<pb::ExportLedgerResponse>, NoReply> {
        Ok(self.0.message().await?)
    }
}

/// A connection to a server, in somebody's name.
#[derive(Debug, Clone)]
pub struct Client {
    accounts: AccountServiceClient<Channel>,
    audit: AuditServiceClient<Channel>,
    authorization: AuthorizationServiceClient<Channel>,
    rights: RightsDocumentServiceClient<Channel>,
    roles: RoleServiceClient<Channel>,
    tokens: TokenServiceClient<Channel>,
    users: UserServiceClient<Channel>,
    bearer: AsciiMetadataValue,
}

impl Client {
    /// Connects to a server; over `https` only if it is who it should be.
    pub async fn connect(
        url: &str,
        secure: &Secure,
        token: &str,
        patience: Duration,
    ) -> Result<Self, NoReply> {
        let mut bearer: AsciiMetadataValue =
            format!("Bearer {token}").parse().map_err(|_| NoReply::Token)?;
        bearer.set_sensitive(true);
        let endpoint =
            Endpoint::from_shared(url.to_owned()).map_err(|_| NoReply::Address(url.to_owned()))?;
        let endpoint = endpoint.connect_timeout(patience).timeout(patience);
        let channel = endpoint.connect_with_connector(secure.connector()?).await;
        let channel = channel.map_err(|error| NoReply::Unreachable(url.to_owned(), error))?;
        let accounts = AccountServiceClient::new(channel.clone());
        let audit = AuditServiceClient::new(channel.clone()).max_decoding_message_size(LONGEST);
        let authorization = AuthorizationServiceClient::new(channel.clone());
        let rights = RightsDocumentServiceClient::new(channel.clone());
        let rights = rights.max_decoding_message_size(LONGEST);
        let roles = RoleServiceClient::new(channel.clone()).max_decoding_message_size(LONGEST);
        let tokens = TokenServiceClient::new(channel.clone());
        let users = UserServiceClient::new(channel).max_decoding_message_size(LONGEST);
        Ok(Self { accounts, audit, authorization, rights, roles, tokens, users, bearer })
    }

    /// Asks why a question is decided as it is.
    pub async fn explain(
        &mut self,
        request: pb::ExplainAuthorizationRequest,
    ) -> Result<pb::ExplainAuthorizationResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.authorization.explain_authorization(request).await?.into_inner())
    }

    /// Opens a stream of changes.
    async fn watch(
        &mut self,
        request: pb::WatchChangesRequest,
    ) -> Result<Streaming<pb::WatchChangesResponse>, Status> {
        let request = self.signed(request);
        Ok(self.authorization.watch_changes(request).await?.into_inner())
    }

    /// Asks who may do something: one part of them.
    pub async fn search_subjects(
        &mut self,
        request: pb::SearchSubjectsRequest,
    ) -> Result<pb::SearchSubjectsResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.authorization.search_subjects(request).await?.into_inner())
    }

    /// Asks for all that a user may do.
    pub async fn effective_rights(
        &mut self,
        request: pb::GetEffectiveRightsRequest,
    ) -> Result<pb::GetEffectiveRightsResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.rights.get_effective_rights(request).await?.into_inner())
    }

    /// Applies a catalogue file, or rehearses it.
    pub async fn apply_catalogue(
        &mut self,
        request: pb::ApplyCatalogueRequest,
    ) -> Result<pb::ApplyCatalogueResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.roles.apply_catalogue(request).await?.into_inner())
    }

    /// Asks which checks a credential passes.
    pub async fn explain_token(
        &mut self,
        request: pb::ExplainTokenRequest,
    ) -> Result<pb::ExplainTokenResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.tokens.explain_token(request).await?.into_inner())
    }

    /// Asks for changes that were made: one page of them.
    pub async fn audit_events(
        &mut self,
        request: pb::ListAuditEventsRequest,
    ) -> Result<pb::ListAuditEventsResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.audit.list_audit_events(request).await?.into_inner())
    }

    /// Asks how far a ledger is.
    pub async fn ledger_head(
        &mut self,
        request: pb::GetLedgerHeadRequest,
    ) -> Result<pb::GetLedgerHeadResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.audit.get_ledger_head(request).await?.into_inner())
    }

    /// Asks for a ledger.
    pub async fn export_ledger(
        &mut self,
        request: pb::ExportLedgerRequest,
    ) -> Result<Exported, NoReply> {
        let request = self.signed(request);
        Ok(Exported(self.audit.export_ledger(request).await?.into_inner()))
    }

    /// Asks for an account.
    pub async fn account(
        &mut self,
        request: pb::GetAccountRequest,
    ) -> Result<pb::GetAccountResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.accounts.get_account(request).await?.into_inner())
    }

    /// Asks for accounts below one: a page of them.
    pub async fn accounts(
        &mut self,
        request: pb::ListAccountsRequest,
    ) -> Result<pb::ListAccountsResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.accounts.list_accounts(request).await?.into_inner())
    }

    /// Asks for users of an account: a page of them.
    pub async fn users(
        &mut self,
        request: pb::ListUsersRequest,
    ) -> Result<pb::ListUsersResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.users.list_users(request).await?.into_inner())
    }

    /// Puts an account into quarantine, or rehearses it.
    pub async fn quarantine_account(
        &mut self,
        request: pb::QuarantineAccountRequest,
    ) -> Result<pb::QuarantineAccountResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.accounts.quarantine_account(request).await?.into_inner())
    }

    /// Lifts a quarantine, or rehearses it.
    pub async fn release_account(
        &mut self,
        request: pb::ReleaseAccountRequest,
    ) -> Result<pb::ReleaseAccountResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.accounts.release_account(request).await?.into_inner())
    }

    /// Ends all that a user may do, or rehearses it.
    pub async fn offboard_user(
        &mut self,
        request: pb::OffboardUserRequest,
    ) -> Result<pb::OffboardUserResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.users.offboard_user(request).await?.into_inner())
    }

    /// Asks for roles of an account: a page of them.
    pub async fn roles(
        &mut self,
        request: pb::ListRolesRequest,
    ) -> Result<pb::ListRolesResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.roles.list_roles(request).await?.into_inner())
    }

    /// Asks for a rights document.
    pub async fn rights_document(
        &mut self,
        request: pb::GetRightsDocumentRequest,
    ) -> Result<pb::GetRightsDocumentResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.rights.get_rights_document(request).await?.into_inner())
    }

    /// Asks which rights nobody uses: a page of users.
    pub async fn unused_rights(
        &mut self,
        request: pb::ListUnusedRightsRequest,
    ) -> Result<pb::ListUnusedRightsResponse, NoReply> {
        let request = self.signed(request);
        Ok(self.audit.list_unused_rights(request).await?.into_inner())
    }

    fn signed<R>(&self, message: R) -> Request<R> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }
}
