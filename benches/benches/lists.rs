//! What a page of a list of users costs as the account grows, wherever in the list it lies, for who sees all and for who sees few.
//!
//! The argument is the number of users of the large account; without one it is a million.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench may panic")]

use std::time::Instant;

use benches::caller::Caller;
use benches::figures::{self, Spread, Target, rounds};
use benches::program::{Program, UNVERIFIED};
use benches::stored::Stored;
use chancery::proto::v1 as pb;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// Users of the small account.
const FEW: usize = 1000;
/// Users of a page.
const PAGE: i32 = 50;
/// Calls of each kind in a round.
const CALLS: u32 = 20;
/// Users below the one who sees only those.
const BELOW: usize = 60;

/// A server, who sees all in its account, who sees few, and where pages at the beginning, in the middle and near the end begin.
struct Side {
    _program: Program,
    all: Caller,
    few: Caller,
    pages: [String; 3],
    _stored: Stored,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Box::pin(compare()));
}

async fn compare() {
    let many = figures::argument().unwrap_or(1_000_000);
    let sides = [Box::pin(side(FEW)).await, Box::pin(side(many)).await];
    let mut took = vec![Vec::new(); 8];
    for round in 0..=rounds() {
        for (nth, side) in sides.iter().enumerate() {
            for kind in 0..4 {
                let figure = time(side, kind).await;
                if round > 0 {
                    took[nth * 4 + kind].push(figure);
                }
            }
        }
    }
    let kinds = ["the first page", "one in the middle", "one of the last", "for who sees 61"];
    println!("# A page of {PAGE} users, ms, {} interleaved rounds\n", rounds());
    println!("| | of {FEW} users | of {many} |\n|---|---|---|");
    for (kind, name) in kinds.iter().enumerate() {
        let [few, many] = [&took[kind], &took[4 + kind]].map(|all| Spread::of(all.iter().copied()));
        println!("| {name} | {few:.2} | {many:.2} |");
    }
    figures::heading();
    for (kind, name) in kinds.iter().enumerate() {
        let what = format!("P12: list of users, {name}: {many} users against {FEW}");
        Target::AtMost(1.5).judge(&what, "×", Spread::of_ratios(&took[4 + kind], &took[kind]));
    }
}

async fn side(users: usize) -> Side {
    let stored = Box::pin(Stored::sqlite()).await;
    stored.grow(users).await;
    let program = Program::serve_with(BENCH, &stored, UNVERIFIED);
    let all = Caller::of(&program, &stored).await;
    let lead = all.user("", "lead", vec!["ringcx/MANAGE_USERS".to_owned()]).await;
    for nth in 0..BELOW {
        all.user_below(&lead, &format!("below{nth}")).await;
    }
    let few = Caller::with(&program, &all.token(&lead).await).await;
    // From the first page to the last, by great steps.
    let (mut tokens, mut next) = (vec![String::new()], list(&all, "", 1000).await);
    while !next.is_empty() {
        tokens.push(next.clone());
        next = list(&all, &next, 1000).await;
    }
    let pages = [0, tokens.len() / 2, tokens.len() - 1].map(|at| tokens[at].clone());
    Side { _program: program, all, few, pages, _stored: stored }
}

async fn list(caller: &Caller, page_token: &str, page_size: i32) -> String {
    let request = pb::ListUsersRequest {
        flatten: true,
        page_size,
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    let page = caller.users().list_users(request).await.unwrap().into_inner();
    assert!(!page.users.is_empty());
    page.next_page_token
}

/// Times a call of one kind, in milliseconds.
async fn time(side: &Side, kind: usize) -> f64 {
    let began = Instant::now();
    for _ in 0..CALLS {
        match side.pages.get(kind) {
            Some(page) => list(&side.all, page, PAGE).await,
            None => list(&side.few, "", PAGE).await,
        };
    }
    began.elapsed().as_secs_f64() * 1e3 / f64::from(CALLS)
}
