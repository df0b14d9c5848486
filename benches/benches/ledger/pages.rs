//! A page of `ListAuditEvents`, in a large ledger against a small one.

use std::time::Instant;

use benches::caller::Caller;
use benches::figures::{self, Spread, Target, rounds};
use benches::program::{Program, UNVERIFIED};
use chancery::proto::v1 as pb;

use super::{BENCH, FEW, Filled, Ledger, USERS};

/// Events of a page.
const PAGE: i32 = 50;
/// Calls of each kind in a round.
const CALLS: u32 = 20;

/// What is asked for. The last was done when the tenant was made, before all else: it takes several calls of which all but the last
/// find nothing.
const KINDS: [&str; 5] = [
    "the newest",
    "in the middle",
    "of one object",
    "of one kind, half of all",
    "what was done seldom, and long ago",
];

/// The request of a kind; `all` ends in the middle.
fn request(
    kind: usize,
    ledger: &Ledger,
    all: &pb::ListAuditEventsRequest,
) -> pb::ListAuditEventsRequest {
    let newest = pb::ListAuditEventsRequest { end_time: None, ..all.clone() };
    let actions = |action: &str| vec![action.to_owned()];
    match kind {
        0 => newest,
        1 => all.clone(),
        2 => pb::ListAuditEventsRequest { entity_id: ledger.user.clone(), ..newest },
        3 => pb::ListAuditEventsRequest { actions: actions("role.assign"), ..newest },
        _ => pb::ListAuditEventsRequest { actions: actions("user.create"), ..newest },
    }
}

pub(crate) async fn measure(all: &[Filled], entries: usize) {
    for filled in all {
        let program = Program::serve_with(BENCH, &filled.stored, UNVERIFIED);
        let caller = Caller::of(&program, &filled.stored).await;
        let sides =
            [side(&caller, &filled.few, FEW).await, side(&caller, &filled.many, entries).await];
        let mut took = vec![Vec::new(); 2 * KINDS.len()];
        for round in 0..=rounds() {
            for (at, side) in sides.iter().flatten().enumerate() {
                let began = Instant::now();
                for _ in 0..CALLS {
                    list(&caller, side).await;
                }
                if round > 0 {
                    took[at].push(began.elapsed().as_secs_f64() * 1e3 / f64::from(CALLS));
                }
            }
        }
        let (few, many) = took.split_at(KINDS.len());
        let (name, rounds) = (filled.name, rounds());
        println!("\n# A page of {PAGE} audit events on {name}, ms, {rounds} interleaved rounds\n");
        println!("| | of {FEW} entries | of {entries} |\n|---|---|---|");
        for (kind, what) in KINDS.iter().enumerate() {
            let [few, many] = [few, many].map(|took| Spread::of(took[kind].iter().copied()));
            println!("| {what} | {few:.2} | {many:.2} |");
        }
        figures::heading();
        for (kind, what) in KINDS.iter().enumerate() {
            let what =
                format!("a page of the audit, {what}, {name}: {entries} entries against {FEW}");
            Target::AtMost(1.5).judge(&what, "×", Spread::of_ratios(&many[kind], &few[kind]));
        }
    }
}

/// The requests about a ledger, each but the last of which fills a page.
async fn side(caller: &Caller, ledger: &Ledger, entries: usize) -> Vec<pb::ListAuditEventsRequest> {
    let all = pb::ListAuditEventsRequest {
        account_id: ledger.account.clone(),
        page_size: PAGE,
        order: pb::AuditOrder::NewestFirst.into(),
        ..Default::default()
    };
    // Those that were made past the program are a microsecond apart.
    let mut middle = list(caller, &all).await[0].time.unwrap();
    let micros = i64::from(middle.nanos / 1_000) - i64::try_from(entries / 2).unwrap();
    middle.seconds += micros.div_euclid(1_000_000);
    middle.nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap();
    let all = pb::ListAuditEventsRequest { end_time: Some(middle), ..all };
    let requests: Vec<_> = (0..KINDS.len()).map(|kind| request(kind, ledger, &all)).collect();
    for (kind, request) in requests.iter().enumerate() {
        let found = list(caller, request).await.len();
        let full = if kind + 1 == KINDS.len() { USERS } else { usize::try_from(PAGE).unwrap() };
        assert_eq!(found, full, "{}: {request:?}", KINDS[kind]);
    }
    requests
}

/// Lists a page: the first that has anything, as whoever looks for it would go on.
async fn list(caller: &Caller, request: &pb::ListAuditEventsRequest) -> Vec<pb::AuditEvent> {
    let mut request = request.clone();
    loop {
        let page = caller.audit().list_audit_events(request.clone()).await.unwrap().into_inner();
        if !page.audit_events.is_empty() {
            return page.audit_events;
        }
        assert!(!page.next_page_token.is_empty(), "there is none");
        request.page_token = page.next_page_token;
    }
}
