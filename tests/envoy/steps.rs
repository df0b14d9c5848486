//! The proxy itself: gRPC goes through it.

use chancery::proto::v1 as pb;
use pb::user_service_client::UserServiceClient;
use serde_json::json;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::proxy::{Envoy, grpc_cluster, listener};
use crate::support::{Bearer, Service, engines};

#[tokio::test(flavor = "multi_thread")]
async fn grpc_goes_through_envoy_as_it_is() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let envoy = Envoy::start(json!({
            "listeners": [listener("front", &[], "chancery")],
            "clusters": [grpc_cluster("chancery", service.grpc())],
        }))
        .await;

        let front = Channel::from_shared(format!("http://{}", envoy.at("front"))).unwrap();
        let bearer = format!("Bearer {}", service.root.token).parse().unwrap();
        let front = InterceptedService::new(front.connect().await.unwrap(), Bearer(Some(bearer)));
        let request = pb::GetUserRequest { user_id: service.root.user_id.clone() };
        let answer = UserServiceClient::new(front).get_user(request).await.unwrap();

        assert_eq!(answer.into_inner().user.unwrap().user_id, service.root.user_id);
        envoy.until("cluster.chancery.upstream_rq_total", |count| count == 1).await;
        drop(envoy);
        service.stop().await;
    }
}
