//! Links: used once, by one, in time, and only the newest.

use std::time::{Duration, Instant};

use super::sinks::PATIENCE;
use super::*;
use crate::meddle::Meddler;
use crate::support::engines;

/// Asks for a link and takes it from the hook.
async fn link(service: &Service, hook: &Hook, account: &str, name: &str) -> String {
    ask(service, account, name).await.unwrap();
    token(&hook.next().await)
}

#[track_caller]
fn is_dead(set: Result<(), Status>) {
    refused(set, Code::Unauthenticated, "TOKEN_INVALID");
}

/// A18: an account is active from its first moment on; what a first password opens is the door for its user.
#[tokio::test]
async fn a_link_sets_a_password_once() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let (ann, first) = invited(&service, &hook, &acme, "ann").await;
        let before = ann.with(&service.session(&ann).await);
        set(&service, &first, GOOD).await.unwrap();
        // R61. ResetPassword says nothing else of a link that never was.
        is_dead(set(&service, &first, OTHER).await);
        is_dead(set(&service, &first.replacen("rst", "pat", 1), OTHER).await);
        is_dead(set(&service, "no token", OTHER).await);
        // It ended her token and her session, and opened none.
        for ended in [&ann, &before] {
            let told = service.users(ended).list_users(pb::ListUsersRequest::default()).await;
            refused(told, Code::Unauthenticated, "TOKEN_REVOKED");
        }
        has(&service, &ann, GOOD, OTHER).await;
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn of_many_who_use_a_link_at_once_one_sets_the_password() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let (ann, link) = invited(&service, &hook, &acme, "ann").await;
        let words = ["tiger", "lampe", "turm", "regen", "wolke", "stein"];
        let passwords = words.map(|word| format!("kaufhaus zwiebel {word} 7"));
        let all = passwords.iter().map(|password| set(&service, &link, password));
        let done = futures::future::join_all(all).await;
        let won: Vec<_> = done.iter().zip(&passwords).filter(|(done, _)| done.is_ok()).collect();
        assert_eq!(won.len(), 1);
        has(&service, &ann, won[0].1, GOOD).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_link_has_its_time_and_a_newer_one_ends_it() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let (_, invitation) = invited(&service, &hook, &acme, "ann").await;
        let first = link(&service, &hook, &acme, "ann").await;
        let second = link(&service, &hook, &acme, "ann").await;
        is_dead(set(&service, &invitation, GOOD).await);
        is_dead(set(&service, &first, GOOD).await);
        service.advance(30 * 60);
        is_dead(set(&service, &second, GOOD).await);
        let third = link(&service, &hook, &acme, "ann").await;
        service.advance(30 * 60 - 1);
        set(&service, &third, GOOD).await.unwrap();
        let (_, invitation) = invited(&service, &hook, &acme, "bob").await;
        service.advance(7 * 24 * 3600 - 1);
        set(&service, &invitation, GOOD).await.unwrap();
        service.stop().await;
    }
}

/// The same throws in every run, as good as any.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Whatever happens in whatever order, one link sets a password at most: the newest, in its time, of a user who is there.
#[tokio::test]
async fn in_any_order_of_events_only_the_link_that_counts_sets_a_password() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let (ann, first) = invited(&service, &hook, &acme, "ann").await;
        set(&service, &first, GOOD).await.unwrap();
        let (mut links, mut live) = (vec![(first, 0_i64)], None);
        let (mut now, mut enabled, mut password, mut used) = (0_i64, true, GOOD, 0);
        let mut dice = Dice(0x5eed);
        for step in 0..60 {
            let other = if password == GOOD { OTHER } else { GOOD };
            match dice.roll(8) {
                0..2 => {
                    let user_id = ann.user_id.clone();
                    let request = pb::SendPasswordResetRequest { user_id, ..Default::default() };
                    let sent = service.sessions(&service.root).send_password_reset(request).await;
                    assert_eq!(sent.is_ok(), enabled, "step {step}: {sent:?}");
                    if enabled {
                        links.push((token(&hook.next().await), now));
                        live = Some(links.len() - 1);
                    }
                }
                2..5 => {
                    let newest = u64::try_from(links.len()).unwrap();
                    let at = usize::try_from(newest - 1 - dice.roll(newest.min(3))).unwrap();
                    let (link, born) = &links[at];
                    let counts = live == Some(at) && enabled && now - born < 1800;
                    let done = set(&service, link, other).await;
                    assert_eq!(done.is_ok(), counts, "step {step}: {done:?}");
                    if counts {
                        (live, password, used) = (None, other, used + 1);
                    }
                }
                5 if enabled => {
                    change(&service, &ann, password, other).await.unwrap();
                    (live, password) = (None, other);
                }
                6 => {
                    enabled = !enabled;
                    live = None;
                    let user_id = ann.user_id.clone();
                    let request = pb::SetUserActiveRequest {
                        user_id,
                        is_active: enabled,
                        ..Default::default()
                    };
                    service.users(&service.root).set_user_active(request).await.unwrap();
                }
                _ => {
                    service.advance(700);
                    now += 700;
                }
            }
        }
        assert!(used > 2, "{used}");
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn whatever_changes_how_a_user_signs_in_ends_its_links() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let users = || service.users(&service.root);
        let ann = with_password(&service, &hook, &acme, "ann").await;
        let (user_id, hour) = (ann.user_id.clone(), 3600);

        let of = link(&service, &hook, &acme, "ann").await;
        let user = pb::User {
            user_id: user_id.clone(),
            email: Some("other@example.com".to_owned()),
            ..Default::default()
        };
        let request = pb::UpdateUserRequest { user: Some(user), ..Default::default() };
        users().update_user(request).await.unwrap();
        is_dead(set(&service, &of, OTHER).await);

        let of = link(&service, &hook, &acme, "ann").await;
        change(&service, &ann, GOOD, OTHER).await.unwrap();
        is_dead(set(&service, &of, GOOD).await);
        service.advance(hour);

        let of = link(&service, &hook, &acme, "ann").await;
        for is_active in [false, true] {
            let user_id = user_id.clone();
            let request = pb::SetUserActiveRequest { user_id, is_active, ..Default::default() };
            users().set_user_active(request).await.unwrap();
            is_dead(set(&service, &of, GOOD).await);
        }

        let of = link(&service, &hook, &acme, "ann").await;
        let request = pb::DeleteUserRequest { user_id: user_id.clone(), ..Default::default() };
        users().delete_user(request).await.unwrap();
        is_dead(set(&service, &of, GOOD).await);
        let request = pb::UndeleteUserRequest { user_id: user_id.clone(), ..Default::default() };
        users().undelete_user(request).await.unwrap();
        is_dead(set(&service, &of, GOOD).await);
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn in_a_stopped_account_no_link_works_until_it_goes_on() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let (_, link) = invited(&service, &hook, &acme, "ann").await;
        let account_id = acme.clone();
        let stop = pb::SuspendAccountRequest { account_id, ..Default::default() };
        service.accounts(&service.root).suspend_account(stop).await.unwrap();
        is_dead(set(&service, &link, GOOD).await);
        let resume = pb::ResumeAccountRequest { account_id: acme, ..Default::default() };
        service.accounts(&service.root).resume_account(resume).await.unwrap();
        set(&service, &link, GOOD).await.unwrap();
        service.stop().await;
    }
}

/// Whoever writes the store, and is not this service, sets nobody's password (`edges.md` §5).
#[tokio::test]
async fn a_planted_row_is_worth_nothing() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let meddler = Meddler::new(&service.url).await;
        let acme = service.tenant("Acme").await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        let (_, own) = invited(&service, &hook, &acme, "mallory").await;
        let hers = "(select id from users where user_name = 'ann')";
        let his = "(select id from users where user_name = 'mallory')";
        // Her message, made out to him, to be sent once more: it is put aside unsent.
        let again = "next_time = create_time, end_time = null";
        meddler
            .run(&format!("update outbox set user_id = {his}, {again} where user_id = {hers}"))
            .await;
        let due = "select count(*) from outbox where next_time is not null";
        let began = Instant::now();
        while meddler.number(due).await > 0 {
            assert!(began.elapsed() < PATIENCE, "nobody looks at it");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(hook.is_quiet().await, "a message that this service did not write is not sent");
        // His own link, made out to her.
        meddler.run(&format!("update outbox set user_id = {hers} where user_id = {his}")).await;
        is_dead(set(&service, &own, OTHER).await);
        let newest = link(&service, &hook, &acme, "mallory").await;
        set(&service, &newest, OTHER).await.unwrap();
        assert!(hook.is_quiet().await, "nothing but the link that was asked for");
        // His hash, in her row.
        let hash = format!("select hash from passwords where user_id = {his}");
        meddler.run(&format!("update passwords set hash = ({hash}) where user_id = {hers}")).await;
        let told = change(&service, &ann, OTHER, OTHER).await;
        refused(told, Code::Unauthenticated, "WRONG_PASSWORD");
        service.stop().await;
    }
}

#[tokio::test]
async fn guessing_links_is_slowed_down() {
    for engine in engines() {
        let (service, _hook) = start(&engine).await;
        for _ in 0..=100 {
            is_dead(set(&service, "chy_rst_", OTHER).await);
        }
        // ResetPassword and RequestPasswordReset count a source together.
        let told = set(&service, "chy_rst_", OTHER).await;
        refused(told, Code::ResourceExhausted, "RATE_LIMITED");
        service.advance(1);
        is_dead(set(&service, "chy_rst_", OTHER).await);
        service.stop().await;
    }
}
