//! The identity of a connection, as one more kind of credential: what becomes of its user becomes of it, at every door.

use envoy_types::pb::envoy::service::auth::v3::attribute_context::Peer;
use tonic::transport::Channel;

use super::*;
use crate::support::certificates::{Authority, Files, Pair, channel, workload};
use crate::support::{Engine, said};

/// What model and edges say of it: it hangs on its user, and on no token, key, session or password.
fn fate(event: Event) -> Fate {
    match event {
        Event::RemoveRole => Fate::Narrowed,
        Event::ChangePassword | Event::EndEach | Event::EndAllSessions | Event::DisableActor => {
            Fate::Lives
        }
        Event::Disable | Event::Delete | Event::Offboard | Event::Suspend | Event::Quarantine => {
            Fate::Dead
        }
    }
}

fn id_of(event: Event) -> String {
    format!("spiffe://prod.example/ns/{event:?}/sa/robot").to_ascii_lowercase()
}

/// Two servers that know the workloads, and for each event a tenant whose robot is one of them.
struct Column {
    first: Service,
    secure: Service,
    other: Service,
    scenes: Vec<(Event, Scene)>,
    servers: Authority,
    clients: Authority,
    _files: Files,
}

impl Column {
    async fn start(engine: &Engine) -> Self {
        let first = Service::start_with(engine, &SETTINGS).await;
        let mut scenes = Vec::new();
        for event in EVENTS {
            scenes.push((event, Scene::new(&first, &format!("{event:?}")).await));
        }
        let (servers, clients) = (Authority::new(), Authority::new());
        let files = Files::new(first.folder.path(), &servers.server(), &clients);
        let text = |file: &std::path::Path| file.display().to_string();
        let (cert, key, issuers) = (text(&files.cert), text(&files.key), text(&files.issuers));
        let peers = scenes.iter().map(|(event, scene)| {
            format!("{{spiffe_id = '{}', user_id = '{}'}}", id_of(*event), scene.robot.user_id)
        });
        let peers = format!("[{}]", peers.collect::<Vec<_>>().join(", "));
        let mut settings = SETTINGS.to_vec();
        settings.extend([
            ("tls.cert_file", cert.as_str()),
            ("tls.key_file", &key),
            ("tls.client_ca_file", &issuers),
            ("tls.client_auth", "optional"),
            ("tls.peers", &peers),
            // Whoever asks the mesh's door below is believed when it names a workload.
            ("mesh.proxies", &first.root.user_id),
        ]);
        let (mut secure, mut other) =
            (first.replica_with(&settings).await, first.replica_with(&settings).await);
        for service in [&mut secure, &mut other] {
            service.channel = channel(service.grpc(), &servers, None);
        }
        Self { first, secure, other, scenes, servers, clients, _files: files }
    }

    fn channel(&self, service: &Service, own: &Pair) -> Channel {
        channel(service.grpc(), &self.servers, Some(own))
    }

    async fn stop(self) {
        self.other.stop().await;
        self.secure.stop().await;
        self.first.stop().await;
    }
}

/// What a refusal says of who was refused.
fn refusal(reason: &str) -> Fate {
    match reason {
        "TOKEN_REVOKED" | "ACCOUNT_NOT_ACTIVE" => Fate::Dead,
        "ACCESS_DENIED" | "USER_NOT_FOUND" => Fate::Narrowed,
        other => panic!("{other} is not expected"),
    }
}

/// Asks every door about a workload, by a connection of its own: as a caller, by a proxy, and by a decision about its user.
async fn seen(service: &Service, shop: &Channel, event: Event, scene: &Scene) -> [Fate; 3] {
    let user_id = scene.colleague.user_id.clone();
    let mut users = pb::user_service_client::UserServiceClient::new(shop.clone());
    let called = match users.get_user(pb::GetUserRequest { user_id: user_id.clone() }).await {
        Ok(_) => Fate::Lives,
        Err(status) => refusal(&self::said(&status).1),
    };
    let mut held = mesh::held("GET", &format!("/v1/users/{user_id}"), &[]);
    let source = Peer { principal: id_of(event), ..Default::default() };
    held.attributes.as_mut().unwrap().source = Some(source);
    let told = mesh::ask(service, &service.root, held).await.unwrap();
    // What a proxy is told for its log says more than what its client is told.
    let passed = match (told.status, told.metadata["reason"].as_str()) {
        (200, _) => Fate::Lives,
        (403, "NO_GRANT") => Fate::Narrowed,
        (401, _) | (403, "ACCOUNT_NOT_ACTIVE") => Fate::Dead,
        other => panic!("{other:?} is not expected"),
    };
    let path = format!("account/{}/user/{user_id}", scene.acme);
    let decided = service.decides(&scene.robot.user_id, "read", "user", &path).await;
    let decided = match decided.reason() {
        pb::Reason::Permitted => Fate::Lives,
        pb::Reason::NoGrant => Fate::Narrowed,
        _ => Fate::Dead,
    };
    [called, passed, decided]
}

#[tokio::test]
async fn what_becomes_of_its_user_becomes_of_a_workload_at_every_door_and_replica() {
    for engine in engines() {
        let column = Box::pin(Column::start(&engine)).await;
        for (event, scene) in &column.scenes {
            let own = column.clients.client(&workload(id_of(*event).leak()));
            let [here, there] =
                [&column.secure, &column.other].map(|service| column.channel(service, &own));
            for (service, shop) in [(&column.secure, &here), (&column.other, &there)] {
                let before = seen(service, shop, *event, scene).await;
                assert_eq!(before, [Fate::Lives; 3], "{event:?}");
            }
            scene.happens(&column.secure, *event).await;
            // At once where it happens, by the connection that was open before; and at another replica as soon as it has heard.
            let after = seen(&column.secure, &here, *event, scene).await;
            assert_eq!(after, [fate(*event); 3], "{event:?}");
            let began = Instant::now();
            loop {
                let after = seen(&column.other, &there, *event, scene).await;
                if after == [fate(*event); 3] {
                    break;
                }
                assert!(began.elapsed() < PATIENCE, "{event:?}: {after:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        column.stop().await;
    }
}
