//! Who is given what: the one place that knows all rooms.

use std::collections::HashSet;
use std::sync::Arc;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use prost_reflect::DescriptorPool;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::server::Builder;

use super::health::Doctor;
use super::inspect::{InspectConfig, Inspector};
use super::open::{Open, OpenStreams};
use super::phase::{Phase, Phases};
use super::probe::Probe;
use super::prune::Pruner;
use super::{Config, Error};
use crate::admin::Report;
use crate::crypto::{KeyRing, LedgerKey};
use crate::decision_log::DecisionLog;
use crate::feed::{Feed, Signing};
use crate::issuers::Issuers;
use crate::layers::{
    Access, Credentials, Door, Forms, Gate, Places, Proxies, Rate, Rules, Sources,
};
use crate::mesh::{Mesh, MeshApi};
use crate::post::Post;
use crate::proto::v1::account_service_server::AccountServiceServer;
use crate::proto::v1::audit_service_server::AuditServiceServer;
use crate::proto::v1::authorization_service_server::AuthorizationServiceServer;
use crate::proto::v1::rights_document_service_server::RightsDocumentServiceServer;
use crate::proto::v1::role_service_server::RoleServiceServer;
use crate::proto::v1::session_service_server::SessionServiceServer;
use crate::proto::v1::token_service_server::TokenServiceServer;
use crate::proto::v1::user_service_server::UserServiceServer;
use crate::proto::{self, DESCRIPTORS};
use crate::rpc::{
    AccountApi, AuditApi, AuthorizationApi, Heavy, Parts, Passwords, Recorder, RightsDocumentApi,
    RoleApi, SessionApi, Shared, Streams, TokenApi, UserApi,
};
use crate::store::Store;

/// What the server is made of.
pub(super) struct House {
    pub(super) store: Store,
    pub(super) feed: Feed,
    pub(super) signing: Signing,
    pub(super) credentials: Arc<Credentials>,
    pub(super) door: Door,
    ledger_key: Arc<LedgerKey>,
    keys: Arc<KeyRing>,
    passwords: Passwords,
    bell: Arc<Notify>,
    pub(super) post: Post,
    pub(super) issuers: Issuers,
    pub(super) decision_log: Option<DecisionLog>,
    mesh: Arc<Mesh>,
    pool: DescriptorPool,
}

/// Starts what serves from the store. A method without a rule or with a form that is none stops it here.
pub(super) async fn house(
    config: &Config,
    store: Store,
    keys: Arc<KeyRing>,
) -> Result<House, Error> {
    let pool = proto::pool()?;
    let clock = Arc::clone(store.clock());
    let issuers = Issuers::start(&config.issuers, &clock)?;
    let feed = Feed::start(store.clone(), config.feed).await?;
    let catalogue = feed.catalogue().await?;
    let rules = Rules::read(&pool, &catalogue)?;
    let mesh = Arc::new(Mesh::start(&config.mesh, &catalogue)?);
    let signing =
        Signing::start(store.clone(), feed.clone(), Arc::clone(&keys), config.signing).await?;
    let access = Access { signing: signing.clone(), parties: config.parties.clone() };
    let peers = config.peers.clone();
    let credentials = Arc::new(Credentials::new(store.clone(), feed.clone(), access, peers));
    let gate = Gate {
        credentials: Arc::clone(&credentials),
        feed: feed.clone(),
        uses: Arc::clone(store.uses()),
        clock,
        rules: Arc::new(rules),
        forms: Forms::compile(&pool)?,
        sources: Sources::trusting(&config.trusted_proxies)?,
        proxies: Proxies::believing(&config.forwarding_proxies)?,
        rate: Rate::new(config.changes_per_minute),
        message_bytes: config.message_bytes,
        body_deadline: config.body_deadline,
    };
    let passwords = Passwords::start(Arc::clone(&keys), &config.passwords)?;
    let bell = Arc::<Notify>::default();
    let base = config.rpc.base_url.clone();
    let post =
        Post::new(store.clone(), Arc::clone(&keys), base, &config.sender, Arc::clone(&bell))?;
    let door = Door {
        gate: Arc::new(gate),
        places: Places::new(config.in_flight),
        deadlines: config.deadlines,
        slow: config.slow,
        // Where the house is put together.
        behind: Handle::current(),
    };
    let ledger_key = Arc::new(LedgerKey::of(&keys)?);
    let events = config.events.clone();
    let decision_log = config.decision_log.as_ref();
    let decision_log = decision_log.map(|log| DecisionLog::start(log, events)).transpose()?;
    Ok(House {
        store,
        feed,
        signing,
        credentials,
        door,
        ledger_key,
        keys,
        passwords,
        bell,
        post,
        issuers,
        decision_log,
        mesh,
        pool,
    })
}

impl House {
    /// Returns what looks whether the house can serve.
    pub(super) fn probe(&self) -> Probe {
        let (store, feed, keys) = (self.store.clone(), self.feed.clone(), Arc::clone(&self.keys));
        Probe { store, feed, signing: self.signing.clone(), keys }
    }

    /// Returns what looks after the ledgers.
    pub(super) fn inspector(&self, config: InspectConfig) -> Inspector {
        let (store, feed) = (self.store.clone(), self.feed.clone());
        Inspector::new((store, feed, Arc::clone(&self.ledger_key)), config)
    }

    /// Returns what prunes the ledgers, if that is wanted.
    pub(super) fn pruner(&self, config: InspectConfig) -> Option<Pruner> {
        let (store, key) = (self.store.clone(), Arc::clone(&self.ledger_key));
        config.keep.map(|keep| Pruner { store, key, look: config.look, keep, walked: None })
    }

    /// Returns every service: ours, health, and reflection in both its versions.
    pub(super) fn routes(
        &self,
        config: &Config,
        reports: watch::Receiver<Report>,
        phases: &Phases,
    ) -> Result<Routes, Error> {
        let most = config.message_bytes;
        let shared = Shared::new(Parts {
            store: self.store.clone(),
            feed: self.feed.clone(),
            clock: Arc::clone(self.store.clock()),
            keys: Arc::clone(&self.keys),
            credentials: Arc::clone(&self.credentials),
            settings: Arc::new(config.rpc.clone()),
            passwords: self.passwords.clone(),
            sign_ins: Arc::new(Rate::new(config.sign_ins_per_minute)),
            bell: Arc::clone(&self.bell),
            heavy: Heavy::default(),
            issuers: self.issuers.clone(),
            decisions: self
                .decision_log
                .clone()
                .map_or_else(Recorder::default, |log| Recorder::new(log, config.remember)),
            // What streams would keep from ending, they do not.
            streams: Streams::new(phases.clone().reached(Phase::Closing), config.stall),
        });
        let account = AccountServiceServer::new(AccountApi(shared.clone()));
        let user = UserServiceServer::new(UserApi(shared.clone()));
        let role = RoleServiceServer::new(RoleApi(shared.clone()));
        let rights = RightsDocumentServiceServer::new(RightsDocumentApi(shared.clone()));
        let session = SessionServiceServer::new(SessionApi(shared.clone()));
        let token = TokenServiceServer::new(TokenApi(shared.clone()));
        let (key, gate) = (Arc::clone(&self.ledger_key), Arc::clone(&self.door.gate));
        let audit = AuditServiceServer::new(AuditApi::new(shared.clone(), key, gate));
        let authorization = AuthorizationApi(shared, Arc::clone(&self.door.gate));
        // A proxy's question is one of Authorize, asked by the proxy.
        let (gate, mesh) = (Arc::clone(&self.door.gate), Arc::clone(&self.mesh));
        let check =
            AuthorizationServer::new(MeshApi { authorize: authorization.clone(), gate, mesh });
        let authorization = AuthorizationServiceServer::new(authorization);

        let services = self.pool.services().map(|service| service.full_name().to_owned());
        // The empty name is the whole server.
        let others = [<AuthorizationServer<()> as NamedService>::NAME.to_owned(), String::new()];
        let services: HashSet<String> = services.chain(others).collect();
        let doctor = Doctor { services: Arc::new(services), reports };
        let streams = OpenStreams::default();
        // An open stream would keep its connection from ending: these end when the server closes.
        let open = Opener { streams, phases: phases.clone() };
        Ok(Routes::new(account.max_decoding_message_size(most))
            .add_service(user.max_decoding_message_size(most))
            .add_service(role.max_decoding_message_size(most))
            .add_service(rights.max_decoding_message_size(most))
            .add_service(session.max_decoding_message_size(most))
            .add_service(token.max_decoding_message_size(most))
            .add_service(audit.max_decoding_message_size(most))
            .add_service(authorization.max_decoding_message_size(most))
            .add_service(check.max_decoding_message_size(most))
            .add_service(open.of(HealthServer::new(doctor)))
            .add_service(open.of(reflection().build_v1()?))
            .add_service(open.of(reflection().build_v1alpha()?))
            .prepare())
    }
}

struct Opener {
    streams: OpenStreams,
    phases: Phases,
}

impl Opener {
    fn of<S>(&self, service: S) -> Open<S> {
        Open { service, streams: self.streams.clone(), phases: self.phases.clone() }
    }
}

/// Error details too, so that clients can read them. Both versions show everything that is served, themselves and each other included, with all imports.
fn reflection() -> Builder<'static> {
    Builder::configure()
        .include_reflection_service(false)
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
}
