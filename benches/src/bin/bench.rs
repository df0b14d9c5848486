//! What the benches start as processes of their own, and a load for whatever speaks gRPC.
//!
//!     bench echo stealing|apart LENGTH
//!     bench load ADDRESS /package.Service/Method MESSAGE-FILE SECONDS CONNECTIONS IN-FLIGHT [CALLS-A-SECOND]
//!     bench serve, and all else that `chancery` does
//!
//! `load` reads the message, as protobuf, from the file, and the bearer, if any, from `CHANCERY_TOKEN`. Every answer has to be as
//! long as the first and of status 0; with a number of calls a second the loop is an open one.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use benches::echo;
use benches::load::{Call, Load};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["echo", shape, length] => {
            echo::serve(shape.parse().unwrap(), length.parse().unwrap(), |at| {
                eprintln!(r#"{{"level":"INFO","message":"serving","grpc":"{at}"}}"#);
            });
            ExitCode::SUCCESS
        }
        ["load", at, path, file, seconds, connections, in_flight, ref rate @ ..] => {
            let token = std::env::var("CHANCERY_TOKEN").unwrap_or_default();
            let message = std::fs::read(file).unwrap();
            let first = OnceLock::new();
            let call = Call::new(path, &token, &message, move |answer| {
                *first.get_or_init(|| answer.len()) == answer.len()
            });
            let load = Load::new(at.parse().unwrap(), connections.parse().unwrap(), vec![call]);
            let during = Duration::from_secs_f64(seconds.parse().unwrap());
            let outcome = match rate.first() {
                Some(rate) => load.open(rate.parse().unwrap(), during),
                None => load.closed(in_flight.parse().unwrap(), during),
            };
            println!(
                "{} right, {} refused, {:.0} a second",
                outcome.done,
                outcome.refused,
                outcome.rate()
            );
            for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
                println!("{name:>5} {:9.3} ms", outcome.quantile(quantile));
            }
            if outcome.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        _ => chancery::cli::run(),
    }
}
