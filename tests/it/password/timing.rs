//! Whether the time that an answer takes tells whom it is about (S4). Welch's t is printed; `TIMING_SAMPLES=2000` makes it mean
//! something, and without it the test only sees that nothing is grossly apart.

use std::time::Instant;

use super::*;
use crate::support::engines;

/// How many answers of each kind are timed.
fn samples() -> usize {
    std::env::var("TIMING_SAMPLES").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / count(of)
}

fn count(of: &[f64]) -> f64 {
    of.iter().fold(0.0, |count, _| count + 1.0)
}

fn spread(of: &[f64]) -> f64 {
    let middle = mean(of);
    of.iter().map(|one| (one - middle).powi(2)).sum::<f64>() / (count(of) - 1.0)
}

/// How far two means are apart, measured by what they are known to.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let known = spread(one) / count(one) + spread(other) / count(other);
    (mean(one) - mean(other)) / known.sqrt()
}

/// Leaves out the slowest twentieth, which is what else the machine did.
fn calm(mut of: Vec<f64>) -> Vec<f64> {
    of.sort_by(f64::total_cmp);
    of.truncate(of.len() - of.len() / 20);
    of
}

/// The kinds in another order each round, so that whatever one leaves to the next falls on all of them alike.
fn shuffled(kinds: usize, round: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..kinds).collect();
    let mut order = Vec::with_capacity(kinds);
    // The round's number, mixed, and read off as one of all orders.
    let mut rest = round.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_right(29);
    while !left.is_empty() {
        order.push(left.remove(rest % left.len()));
        rest /= left.len().max(1) + 1;
    }
    order
}

/// Compares each kind with the first, and asserts that none is told from it.
#[track_caller]
fn assert_alike(engine: &Engine, kinds: &[&str], times: Vec<Vec<f64>>) {
    let times: Vec<_> = times.into_iter().map(calm).collect();
    let most = if samples() >= 2_000 { 4.5 } else { 20.0 };
    for (kind, times_of) in kinds.iter().zip(&times).skip(1) {
        let t = welch(&times[0], times_of);
        let means = (mean(&times[0]), mean(times_of));
        println!("{engine:?} {} against {kind}: t = {t:.2}, means {means:.3?} ms", kinds[0]);
        assert!(t.abs() < most, "{kind} is told from {} by its time: t = {t:.2}", kinds[0]);
    }
}

#[tokio::test]
async fn the_time_does_not_tell_whether_a_link_was_sent() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        invited(&service, &hook, &acme, "known").await;
        made(&service, &acme, pb::User { sso: Some(true), ..somebody("elsewhere") }).await;
        made(&service, &acme, pb::User { enabled: Some(false), ..somebody("disabled") }).await;
        let kinds = ["known", "unknown", "elsewhere", "disabled"];
        let others = ["first", "second", "third", "fourth"];
        for other in others {
            invited(&service, &hook, &acme, other).await;
        }
        let mut times = vec![Vec::new(); kinds.len()];
        for round in 0..samples() {
            service.advance(3601);
            for (one, other) in shuffled(kinds.len(), round).into_iter().zip(others) {
                // Somebody else gets a link first: once it is there, nothing of the answer before is left to be done beside this one.
                ask(&service, &acme, other).await.unwrap();
                hook.next().await;
                let kind = kinds[one];
                let began = Instant::now();
                ask(&service, &acme, kind).await.unwrap();
                times[one].push(began.elapsed().as_secs_f64() * 1e3);
                if kind == "known" {
                    hook.next().await;
                }
            }
        }
        assert_alike(&engine, &kinds, times);
        service.stop().await;
    }
}

/// Whatever is wrong is told in the same words, and takes as long: a hash is worked through in any case.
#[tokio::test]
async fn the_time_does_not_tell_why_somebody_does_not_get_in() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        for name in ["known", "locked"] {
            with_password(&service, &hook, &acme, name).await;
        }
        invited(&service, &hook, &acme, "without").await;
        let elsewhere = pb::User { sso: Some(true), ..somebody("elsewhere") };
        service.password(&person(&made(&service, &acme, elsewhere).await), GOOD).await;
        let disabled = with_password(&service, &hook, &acme, "disabled").await;
        let user_id = disabled.user_id;
        let off = pb::SetUserActiveRequest { user_id, ..Default::default() };
        service.users(&service.root).set_user_active(off).await.unwrap();
        for _ in 0..20 {
            service.sign_in(&acme, "locked", OTHER).await.unwrap_err();
        }
        let kinds = ["known", "unknown", "without", "elsewhere", "disabled", "locked"];
        let mut times = vec![Vec::new(); kinds.len()];
        for round in 0..samples() {
            // The source is forgiven by then; the name is, by being right once.
            service.advance(3601);
            service.sign_in(&acme, "known", GOOD).await.unwrap();
            let mut said = Vec::new();
            for one in shuffled(kinds.len(), round) {
                let kind = kinds[one];
                // What is right for them is as wrong as the rest, but for the one who gets in by it.
                let password = if kind == "known" { OTHER } else { GOOD };
                if kind == "locked" {
                    service.sign_in(&acme, kind, OTHER).await.unwrap_err();
                }
                let began = Instant::now();
                let status = service.sign_in(&acme, kind, password).await.unwrap_err();
                times[one].push(began.elapsed().as_secs_f64() * 1e3);
                said.push((status.code(), status.message().to_owned(), status.details().to_vec()));
            }
            said.dedup();
            assert_eq!(said.len(), 1, "{said:?}");
        }
        assert_alike(&engine, &kinds, times);
        service.stop().await;
    }
}

fn person(user: &pb::User) -> Person {
    let (user_id, account_id) = (user.user_id.clone(), user.account_id.clone());
    Person { user_id, account_id, ..nobody() }
}
