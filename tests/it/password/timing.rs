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
        let mut times = vec![Vec::new(); kinds.len()];
        for _ in 0..samples() {
            service.advance(3601);
            for (kind, times) in kinds.iter().zip(&mut times) {
                let began = Instant::now();
                ask(&service, &acme, kind).await.unwrap();
                times.push(began.elapsed().as_secs_f64() * 1e3);
                if *kind == "known" {
                    hook.next().await;
                }
                // Whatever the last one has left to do is done beside an answer that is not timed.
                ask(&service, &acme, "somebody else").await.unwrap();
            }
        }
        assert_alike(&engine, &kinds, times);
        service.stop().await;
    }
}
