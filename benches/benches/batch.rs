//! A thousand questions in one `BatchAuthorize`, against a thousand calls of `Authorize`.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use benches::figures::{self, Spread, Target, rounds};
use benches::grpc::{CONNECTIONS, IN_FLIGHT, Method, Service};
use bytes::Bytes;
use chancery::proto::v1 as pb;
use prost::Message as _;

/// As many as one call may hold.
const QUESTIONS: u32 = 1000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(Box::pin(compare()));
}

async fn compare() {
    let service = Box::pin(Service::start()).await;
    let single = Method {
        at: service.at.clone(),
        path: "/chancery.v1.AuthorizationService/Authorize",
        token: service.token.clone(),
        message: Bytes::from(service.question(5).encode_to_vec()),
    };
    let answer = pb::AuthorizeResponse::decode(single.call().await).unwrap();
    assert!(answer.decision, "{answer:?}");
    let batch = Method {
        path: "/chancery.v1.AuthorizationService/BatchAuthorize",
        message: Bytes::from(questions(&service).encode_to_vec()),
        ..single.clone()
    };
    let answer = batch.call().await;
    let length = answer.len();
    let answers = pb::BatchAuthorizeResponse::decode(answer).unwrap().evaluations;
    assert_eq!(answers.len(), usize::try_from(QUESTIONS).unwrap());
    assert!(answers.iter().all(|answer| answer.decision));

    println!("# Decisions a second, {} interleaved rounds\n", rounds());
    println!(
        "{CONNECTIONS} connections; a batch is {} bytes in and {length} bytes out. Client and server share this process.\n",
        batch.message.len()
    );
    let mut rates: [Vec<f64>; 3] = Default::default();
    for round in 0..=rounds() {
        let figures = [
            single.rate(IN_FLIGHT).await,
            f64::from(QUESTIONS) * batch.rate(1).await,
            f64::from(QUESTIONS) * batch.rate(IN_FLIGHT).await,
        ];
        if round > 0 {
            rates.iter_mut().zip(figures).for_each(|(all, figure)| all.push(figure));
        }
    }
    let [single, alone, many] = &rates;
    println!("| | decisions a second |\n|---|---|");
    let batch = "BatchAuthorize of 1000";
    for (name, figures) in [
        (format!("Authorize, {IN_FLIGHT} in flight on each connection"), single),
        (format!("{batch}, 1 in flight"), alone),
        (format!("{batch}, {IN_FLIGHT} in flight"), many),
    ] {
        println!("| {name} | {} |", Spread::of(figures.iter().copied()));
    }
    figures::heading();
    let target = Target::AtLeast(12.0);
    target.judge(
        &format!("P8: {batch}, 1 in flight, against Authorize"),
        "×",
        Spread::of_ratios(alone, single),
    );
    target.judge(
        &format!("P8: {batch}, {IN_FLIGHT} in flight, against Authorize"),
        "×",
        Spread::of_ratios(many, single),
    );
}

/// Every question is written out in full, as a caller with a table of rows and buttons has it.
fn questions(service: &Service) -> pb::BatchAuthorizeRequest {
    let evaluations = (0..QUESTIONS).map(|id| {
        let asked = service.question(usize::try_from(id).unwrap());
        pb::EvaluationRequest {
            subject: asked.subject,
            action: asked.action,
            resource: asked.resource,
            ..Default::default()
        }
    });
    pb::BatchAuthorizeRequest { evaluations: evaluations.collect(), ..Default::default() }
}
