//! The level Discovery: what a deployment says of itself.

use http::{Request, StatusCode};
use serde_json::json;

use super::{EVALUATION, Records, action, asked, question, record, sent, subject};
use crate::support::{Service, engines};

const PAGE: &str = "/.well-known/authzen-configuration";

#[tokio::test]
async fn the_metadata_name_every_endpoint_below_the_base_url() {
    for engine in engines() {
        // 6.1 to 6.5; open to whoever asks.
        for (settings, url) in [
            (("base_url", "https://id.example/"), "https://id.example"),
            (("authzen.url", "https://pdp.example:8443"), "https://pdp.example:8443"),
            (("authzen.url", "https://pdp.example/of/acme/"), "https://pdp.example/of/acme"),
        ] {
            let service = Service::start_with(&engine, &[settings]).await;
            let place = url.splitn(4, '/').nth(3).map(|path| format!("/{path}"));
            let page = format!("{PAGE}{}", place.unwrap_or_default());
            let reply = sent(&service, Request::get(&page), b"").await;
            assert_eq!(
                reply.json(),
                json!({
                    "policy_decision_point": url,
                    "access_evaluation_endpoint": format!("{url}/access/v1/evaluation"),
                    "access_evaluations_endpoint": format!("{url}/access/v1/evaluations"),
                    "search_subject_endpoint": format!("{url}/access/v1/search/subject"),
                    "search_resource_endpoint": format!("{url}/access/v1/search/resource"),
                    "search_action_endpoint": format!("{url}/access/v1/search/action"),
                })
            );
            let posted = sent(&service, Request::post(&page), b"").await;
            assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(posted.header("allow"), "GET");
            let other = sent(&service, Request::get(format!("{PAGE}/other")), b"").await;
            assert_ne!(other.status, StatusCode::OK);
            service.stop().await;
        }
    }
}

#[tokio::test]
async fn endpoints_answer_with_the_base_urls_path_and_without() {
    for engine in engines() {
        let settings = [("authzen.url", "https://pdp.example/of/acme")];
        let records = Records::start_with(&engine, &settings).await;
        let body = question(subject("alice"), action("read"), record("record-1"));
        for path in [EVALUATION, "/of/acme/access/v1/evaluation"] {
            assert!(asked(&records.service, &records.pep, path, &body).await.decision(), "{path}");
        }
        records.service.stop().await;
    }
}
