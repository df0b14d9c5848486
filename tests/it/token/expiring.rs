//! What ends soon, and why a credential works or does not.

use chancery::proto::v1 as pb;
use pb::TokenCheckKind as Check;
use pb::expiring::What;
use tonic::Code;

use super::*;
use crate::support::{beginning, engines, refused};

const DAY: i64 = 86_400;

fn ends_in(seconds: i64) -> pb::CreateApiTokenRequest {
    let end = prost_types::Timestamp { seconds: beginning().timestamp() + seconds, nanos: 0 };
    pb::CreateApiTokenRequest { expire_time: Some(end), ..own(&[]) }
}

fn within(days: i64) -> pb::ListExpiringRequest {
    let within = Some(prost_types::Duration { seconds: days * DAY, nanos: 0 });
    pb::ListExpiringRequest { within, ..Default::default() }
}

async fn listed(
    service: &Service,
    by: &Person,
    mut request: pb::ListExpiringRequest,
) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let reply = service.tokens(by).list_expiring(request.clone()).await.unwrap().into_inner();
        for one in reply.expiring {
            assert!(one.expire_time.is_some());
            ids.push(match one.what.unwrap() {
                What::ApiToken(token) => token.token_id,
                What::SigningKey(key) => key.key_id,
                What::ServiceKey(key) => key.key_id,
            });
        }
        if reply.next_page_token.is_empty() {
            return ids;
        }
        request.page_token = reply.next_page_token;
    }
}

#[tokio::test]
async fn what_ends_soon_is_listed_to_those_who_may_read_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("acme").await;
        let below = service.account(&acme, "below").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let bob = service.person(&acme, "bob", &[]).await;
        let aud = service.person(&acme, "aud", &["AUDITOR"]).await;
        let far = service.person(&below, "far", &[]).await;
        let other = service.tenant("other").await;
        let stranger = service.person(&other, "stranger", &["AUDITOR"]).await;
        let mut ids = Vec::new();
        for (by, end) in [(&ann, 3 * DAY), (&bob, DAY), (&ann, DAY), (&bob, 20 * DAY)] {
            ids.push(made(&service, by, ends_in(end)).await.0.token_id);
        }
        made(&service, &ann, ends_in(31 * DAY)).await;
        made(&service, &far, ends_in(DAY)).await;
        made(&service, &ann, ends_in(60)).await;
        let dead = made(&service, &bob, ends_in(DAY)).await.0.token_id;
        service.tokens(&bob).delete_api_token(by_id(&dead)).await.unwrap();
        service.advance(60);

        let soonest = [&ids[1], &ids[2], &ids[0], &ids[3]].map(Clone::clone);
        assert_eq!(listed(&service, &aud, pb::ListExpiringRequest::default()).await, soonest);
        let pages = pb::ListExpiringRequest { page_size: 1, ..Default::default() };
        assert_eq!(listed(&service, &aud, pages).await, soonest);
        assert_eq!(listed(&service, &aud, within(2)).await, soonest[..2]);
        assert_eq!(listed(&service, &aud, within(0)).await, Vec::<String>::new());
        // One's own at any rate, and nothing of other accounts.
        let own = pb::ListExpiringRequest { page_size: 1, ..Default::default() };
        assert_eq!(listed(&service, &ann, own).await, [ids[2].clone(), ids[0].clone()]);
        assert_eq!(listed(&service, &stranger, within(30)).await, Vec::<String>::new());

        let page = pb::ListExpiringRequest { page_size: 1, ..within(30) };
        let mut tokens = service.tokens(&aud);
        let first = tokens.list_expiring(page.clone()).await.unwrap().into_inner();
        let next = pb::ListExpiringRequest { page_token: first.next_page_token, ..page };
        let theirs = service.tokens(&ann).list_expiring(next).await;
        refused(theirs, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        // How far ahead was looked is of the page as well.
        let page = pb::ListExpiringRequest { page_size: 1, ..within(30) };
        let first = tokens.list_expiring(page.clone()).await.unwrap().into_inner();
        for other in [within(2), pb::ListExpiringRequest::default()] {
            let page_token = first.next_page_token.clone();
            let next = pb::ListExpiringRequest { page_size: 1, page_token, ..other };
            let other = tokens.list_expiring(next).await;
            refused(other, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        }
        for days in [-1, 3651] {
            let bad = service.tokens(&aud).list_expiring(within(days)).await;
            refused(bad, Code::InvalidArgument, "INVALID_FIELD");
        }
        service.stop().await;
    }
}

/// Of all accounts, since the figures are; a part, where there is much.
#[tokio::test]
async fn what_ends_is_found_for_the_figures_in_the_order_of_time() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let other = service.tenant("other").await;
        let bob = service.person(&other, "bob", &[]).await;
        for (by, end) in [(&ann, 3 * DAY), (&bob, DAY), (&ann, 3_600), (&bob, 60 * DAY)] {
            made(&service, by, ends_in(end)).await;
        }
        let dead = made(&service, &bob, ends_in(DAY)).await.0.token_id;
        service.tokens(&bob).delete_api_token(by_id(&dead)).await.unwrap();
        let role = pb::AddUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: "USER".to_owned(),
            expire_time: ends_in(2 * DAY).expire_time,
            ..Default::default()
        };
        service.roles(&service.root).add_user_role(role).await.unwrap();
        let at = |seconds: i64| beginning() + chrono::TimeDelta::seconds(seconds);
        let ends = async |from: i64, until: i64, most: u64| {
            service.store.ends(at(from), at(until), most).await.unwrap()
        };
        let month = ends(0, 30 * DAY, 10).await;
        assert_eq!(month.api_tokens, [at(3_600), at(DAY), at(3 * DAY)]);
        assert_eq!((month.grants, month.service_keys.len()), (vec![at(2 * DAY)], 0));
        assert_eq!(ends(3_600, DAY, 10).await.api_tokens, [at(DAY)]);
        assert_eq!(ends(0, 90 * DAY, 2).await.api_tokens, [at(3_600), at(DAY)]);
        assert_eq!(ends(-DAY, 0, 10).await, chancery::store::Ends::default());
        service.stop().await;
    }
}

#[tokio::test]
async fn a_signing_key_that_is_replaced_ends_soon_for_the_platforms_own_people() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let rotate = pb::RotateSigningKeyRequest::default();
        service.tokens(&service.root).rotate_signing_key(rotate).await.unwrap();
        let keys = listed(&service, &service.root, within(30)).await;
        assert!(keys.len() == 1 && keys[0].starts_with("sig_"), "{keys:?}");
        let pages = pb::ListExpiringRequest { page_size: 1, ..within(30) };
        let (token, _) = made(&service, &service.root, ends_in(29 * DAY)).await;
        let all = [keys[0].clone(), token.token_id];
        assert_eq!(listed(&service, &service.root, pages).await, all);
        assert_eq!(listed(&service, &boss, within(30)).await, Vec::<String>::new());
        service.stop().await;
    }
}

async fn explained(service: &Service, by: &Person, token: &str) -> pb::ExplainTokenResponse {
    let request = pb::ExplainTokenRequest { token: token.to_owned() };
    service.tokens(by).explain_token(request).await.unwrap().into_inner()
}

/// Asserts how far a credential comes: all checks before `failed` hold, none behind it is made.
#[track_caller]
fn stops_at(told: &pb::ExplainTokenResponse, failed: Check) {
    use pb::TokenCheckResult::{Failed, NotReached, Passed};
    let at = told.checks.iter().position(|check| check.check() == failed);
    let at = at.unwrap_or_else(|| panic!("{failed:?} is not among {:?}", told.checks));
    let expected = |place: usize| match place.cmp(&at) {
        std::cmp::Ordering::Less => Passed,
        std::cmp::Ordering::Equal => Failed,
        std::cmp::Ordering::Greater => NotReached,
    };
    for (place, check) in told.checks.iter().enumerate() {
        assert_eq!(check.result(), expected(place), "{:?}", told.checks);
        assert_eq!(check.why.is_empty(), place != at, "{:?}", told.checks);
    }
    assert!(!told.valid);
}

#[tokio::test]
async fn a_token_that_does_not_work_is_told_why_check_by_check() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("acme").await;
        let client = service.machine(&acme, "client", &["DECISION_CLIENT"]).await;
        let ann = service.person(&acme, "ann", &[]).await;
        let good = explained(&service, &client, &ann.token).await;
        assert!(good.valid && good.kind() == pb::CredentialKind::Pat);
        assert!(good.checks.iter().all(|one| one.result() == pb::TokenCheckResult::Passed));
        let session = service.session(&ann).await;
        assert!(explained(&service, &client, &session.access_token).await.valid);

        let (head, tail) = ann.token.split_at(49);
        let other = if tail == "0" { "1" } else { "0" };
        let sealed = session.access_token.rsplit_once('.').unwrap().0;
        for (text, check) in [
            (String::new(), Check::Form),
            ("garbage".to_owned(), Check::Form),
            (format!("{} ", ann.token), Check::Form),
            (format!("{head}{other}"), Check::Checksum),
            (stranger(), Check::Known),
            (session.refresh_token.clone(), Check::Purpose),
            (format!("{sealed}.AAAA"), Check::Signature),
            ("a.b.c".to_owned(), Check::Signature),
        ] {
            stops_at(&explained(&service, &client, &text).await, check);
        }

        let (_, short) = made(&service, &ann, ends_in(60)).await;
        let (_, ended) = made(&service, &ann, own(&[])).await;
        service.tokens(&ann).delete_api_token(by_secret(&ended.token)).await.unwrap();
        service.advance(60);
        stops_at(&explained(&service, &client, &short.token).await, Check::InTime);
        stops_at(&explained(&service, &client, &ended.token).await, Check::NotEnded);
        let off = pb::SetUserActiveRequest { user_id: ann.user_id.clone(), ..Default::default() };
        service.users(&service.root).set_user_active(off).await.unwrap();
        stops_at(&explained(&service, &client, &ann.token).await, Check::User);
        let robot = service.machine(&acme, "robot", &[]).await;
        let stop = pb::SuspendAccountRequest { account_id: acme, ..Default::default() };
        service.accounts(&service.root).suspend_account(stop).await.unwrap();
        let told = explained(&service, &service.root, &robot.token).await;
        stops_at(&told, Check::Account);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_token_that_is_not_for_the_asker_is_explained_like_none() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (tenant, other) = (service.tenant("acme").await, service.tenant("other").await);
        let ann = service.person(&tenant, "ann", &[]).await;
        let bob = service.person(&tenant, "bob", &[]).await;
        let eve = service.person(&other, "eve", &["SUPER_USER"]).await;
        let none = explained(&service, &bob, &stranger()).await;
        for by in [&bob, &eve] {
            assert_eq!(explained(&service, by, &ann.token).await, none);
        }
        let session = service.session(&ann).await;
        stops_at(&explained(&service, &bob, &session.access_token).await, Check::Known);
        stops_at(&explained(&service, &eve, &session.access_token).await, Check::Known);
        service.stop().await;
    }
}
