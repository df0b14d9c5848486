//! A new catalogue: for whom it counts, and that nobody falls between the old one and the new.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chancery::proto::v1 as pb;

use crate::account::apply;
use crate::support::{Service, ask, engines};

const SHELVES: &str = r"
catalogue: house
version: 1
uses: [core]
resource_types:
  shelf: { in: [account], actions: [read, fill] }
";

#[tokio::test]
async fn a_token_for_everything_covers_what_comes_later_and_a_pattern_what_there_was() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let (_, pattern) = service.mint(&boss.user_id, &["*.read"]).await;
        apply(&service, SHELVES).await;
        let shelf = format!("account/{acme}/shelf/7");
        for (token, reason) in
            [(&boss.token, pb::Reason::Permitted), (&pattern, pb::Reason::TokenScope)]
        {
            let mut asked = ask("", "read", "shelf", &shelf);
            asked.subject = Some(pb::Subject { token: token.clone(), ..Default::default() });
            let told = service.authorization(&service.root).authorize(asked).await.unwrap();
            assert_eq!(told.into_inner().reason(), reason);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_catalogue_changes_every_question_is_answered_by_the_old_or_the_new() {
    for engine in engines() {
        let service = Arc::new(Service::start(&engine).await);
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let over = Arc::new(AtomicBool::new(false));
        let path = format!("account/{acme}");
        let asking = tokio::spawn({
            let (service, over) = (Arc::clone(&service), Arc::clone(&over));
            async move {
                let mut asked = 0;
                while !over.load(Ordering::Relaxed) {
                    let answer = service.decides(&boss.user_id, "read", "account", &path).await;
                    assert!(answer.decision, "{:?}", answer.reason());
                    asked += 1;
                }
                asked
            }
        });
        apply(&service, SHELVES).await;
        over.store(true, Ordering::Relaxed);
        assert!(asking.await.unwrap() > 0);
    }
}
