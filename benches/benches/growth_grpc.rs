//! What `Authorize` costs over gRPC, with every layer on, as a tenant grows: each question is about another user.
//!
//! The argument is the greatest number of users, of 1000, 10 000, 100 000 and 1 000 000; without one it is 100 000.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may panic")]

use benches::figures::{self, Chance, ROUNDS, Spread, Target};
use benches::grpc::{CONNECTIONS, IN_FLIGHT, Method, Service, rate};
use benches::stored::grown_user;
use bytes::Bytes;
use chancery::proto::v1 as pb;
use prost::Message as _;

/// So many users.
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// So many different questions.
const ASKED: usize = 10_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(Box::pin(compare()));
}

async fn compare() {
    // Cargo passes `--bench`.
    let most: Option<usize> = std::env::args().find_map(|argument| argument.parse().ok());
    let most = most.unwrap_or(100_000);
    let sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size <= most).collect();
    let mut methods = Vec::new();
    for size in &sizes {
        methods.push(questions(*size).await);
    }
    println!("# `Authorize` over gRPC, requests a second, {ROUNDS} interleaved rounds\n");
    println!(
        "{CONNECTIONS} connections × {IN_FLIGHT} in flight; client and servers share this process.\n"
    );
    let mut figures = vec![Vec::new(); methods.len() * 2];
    for round in 0..=ROUNDS {
        for (at, of) in methods.iter().flatten().enumerate() {
            let figure = rate(of, IN_FLIGHT).await;
            if round > 0 {
                figures[at].push(figure);
            }
        }
    }
    println!("| users | permit | deny |\n|---|---|---|");
    for (size, of) in sizes.iter().zip(figures.chunks(2)) {
        let [permit, deny] = [0, 1].map(|kind| Spread::of(of[kind].iter().copied()));
        println!("| {size} | {permit} | {deny} |");
    }
    figures::heading();
    for (kind, name) in ["permit", "deny"].iter().enumerate() {
        // Fewer requests a second are more time for each.
        let last = &figures[figures.len() - 2 + kind];
        let what =
            format!("P4: over gRPC, {} to {} users, {name}", sizes[0], sizes[sizes.len() - 1]);
        Target::AtMost(1.5).judge(&what, "×", Spread::of_ratios(&figures[kind], last));
    }
}

/// Starts a service with so many users, and makes questions that are permitted and questions that are denied.
async fn questions(size: usize) -> [Vec<Method>; 2] {
    let service = Box::pin(Service::start_with(size)).await;
    let mut chance = Chance::new(7);
    let mut asked = [Vec::new(), Vec::new()];
    for _ in 0..ASKED {
        let user = grown_user(chance.below(size)).to_string();
        for (action, methods) in ["listen", "delete"].into_iter().zip(&mut asked) {
            let question = pb::AuthorizeRequest {
                subject: Some(pb::Subject {
                    r#type: "user".into(),
                    id: user.clone(),
                    ..Default::default()
                }),
                action: Some(pb::Action { name: action.into(), properties: None }),
                resource: Some(pb::Resource {
                    r#type: "recording".into(),
                    id: "17".into(),
                    properties: None,
                }),
                ..Default::default()
            };
            methods.push(Method {
                at: service.at.clone(),
                path: "/chancery.v1.AuthorizationService/Authorize",
                token: service.token.clone(),
                message: Bytes::from(question.encode_to_vec()),
            });
        }
    }
    for (methods, permit) in asked.iter().zip([true, false]) {
        let answer = pb::AuthorizeResponse::decode(methods[0].call().await).unwrap();
        assert_eq!(answer.decision, permit, "{answer:?}");
    }
    std::mem::forget(service);
    asked
}
