//! Figures by OTLP: what is on the page is sent.

use std::collections::BTreeSet;

use chancery::proto::v1 as pb;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point::Value};
use pb::account_service_client::AccountServiceClient;
use tempfile::TempDir;

use crate::collector::Collector;
use crate::secrets::figures;
use crate::server::{Server, connect, prepare};
use crate::support::Engine;

const ASKED: &str = "/chancery.v1.AccountService/GetAccount";

/// How often a method was called, by what was sent.
fn called(all: &[Metric]) -> Option<f64> {
    let requests = all.iter().find(|one| one.name == "chancery_rpc_requests_total")?;
    let Some(Data::Sum(sum)) = &requests.data else { panic!("{requests:?}") };
    let point = sum.data_points.iter().find(|point| format!("{point:?}").contains(ASKED))?;
    match point.value? {
        Value::AsDouble(count) => Some(count),
        Value::AsInt(count) => panic!("{count} is sent as a whole number"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_the_page_is_sent_to_the_collector() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::start().await);
    let url = Engine::Sqlite.fresh(&folder).await;
    let settings = [
        ("CHANCERY_TELEMETRY__OTLP_ENDPOINT", collector.url.as_str()),
        ("CHANCERY_TELEMETRY__OTLP_FIGURES_SECONDS", "1"),
    ];
    let root = prepare(&url, folder.path(), &settings);
    let server = Server::start(&url, folder.path(), &settings);
    let mut own = AccountServiceClient::new(connect(&server.address, &root).await);
    for _ in 0..2 {
        own.get_account(pb::GetAccountRequest::default()).await.unwrap();
    }
    let text = figures(&server.admin).await;
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let kinds: BTreeSet<&str> = kinds.collect();
    assert!(kinds.contains("chancery_users") && kinds.contains("chancery_rpc_duration_seconds"));
    let is_sent = |all: &[Metric]| {
        let sent: BTreeSet<&str> = all.iter().map(|one| one.name.as_str()).collect();
        called(all) == Some(2.0) && kinds.is_subset(&sent)
    };
    collector.wait_for_figures(is_sent).await;
}
