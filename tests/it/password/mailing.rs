//! Messages on their way out.

use chancery::crypto::outbox::signature;

use super::sinks::MailServer;
use super::*;
use crate::meddle::Meddler;
use crate::support::engines;

#[tokio::test]
async fn what_was_not_taken_is_sent_again_until_it_is() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        hook.refuse(2);
        made(&service, &acme, somebody("ann")).await;
        let first = hook.request().await;
        let secret = signature("of the hook", first.body.as_bytes());
        assert!(first.headers.contains(&format!("chancery-signature: {secret}")));
        for wait in [60, 120] {
            service.advance(wait);
            // The same message: whoever took it and could not say so knows it again.
            let again = hook.request().await;
            assert_eq!(again.body, first.body);
        }
        service.advance(7 * 24 * 3600);
        invited(&service, &hook, &acme, "bob").await;
        assert!(hook.is_quiet().await, "what was taken is not sent again");
        service.stop().await;
    }
}

#[tokio::test]
async fn each_message_is_sent_by_one_process() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let others = [service.replica().await, service.replica().await];
        let acme = service.tenant("Acme").await;
        let names: Vec<String> = (0..12).map(|n| format!("user-{n}")).collect();
        let all = names.iter().map(|name| made(&service, &acme, somebody(name)));
        futures::future::join_all(all).await;
        let mut to = Vec::new();
        for _ in &names {
            to.push(hook.next().await["user_name"].as_str().unwrap().to_owned());
        }
        to.sort_unstable();
        let mut names = names;
        names.sort_unstable();
        assert_eq!(to, names);
        for other in others {
            other.stop().await;
        }
        service.stop().await;
        assert!(hook.is_quiet().await);
    }
}

#[tokio::test]
async fn nobody_is_sent_what_has_become_worthless() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        hook.refuse(1);
        let ann = made(&service, &acme, somebody("ann")).await;
        hook.next().await;
        let request = pb::SetUserActiveRequest { user_id: ann.user_id, ..Default::default() };
        service.users(&service.root).set_user_active(request).await.unwrap();
        service.advance(60);
        invited(&service, &hook, &acme, "bob").await;
        assert!(hook.is_quiet().await);
        service.stop().await;
    }
}

#[tokio::test]
async fn an_e_mail_holds_the_link() {
    for engine in engines() {
        let mut server = MailServer::start().await;
        let settings = [
            ("mail.sender", "smtp"),
            ("mail.smtp_url", server.url.as_str()),
            ("mail.from", "Chancery <no-reply@example.com>"),
        ];
        let (service, _hook) = start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        made(&service, &acme, somebody("ann")).await;
        let mail = server.next().await;
        assert!(mail.contains("RCPT TO:<ann@example.com>"), "{mail}");
        assert!(mail.contains("From: Chancery <no-reply@example.com>"), "{mail}");
        assert!(mail.contains("Acme: your account is ready"), "{mail}");
        let whole = mail.replace("=\r\n", "").replace("=3D", "=");
        let link = whole.split("reset-password#token=").nth(1).unwrap();
        set(&service, &link[..50], GOOD).await.unwrap();
        service.stop().await;
    }
}

/// S7, for what sets passwords: neither they nor the links stand anywhere in the store.
#[tokio::test]
async fn no_secret_is_kept() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let meddler = Meddler::new(&service.url).await;
        let acme = service.tenant("Acme").await;
        let (ann, link) = invited(&service, &hook, &acme, "ann").await;
        set(&service, &link, GOOD).await.unwrap();
        change(&service, &ann, GOOD, OTHER).await.unwrap();
        ask(&service, &acme, "ann").await.unwrap();
        let second = super::token(&hook.next().await);
        let mut texts = Vec::new();
        for table in ["passwords", "outbox"] {
            let column = if table == "passwords" { "hash" } else { "return_uri" };
            for row in meddler.rows(&format!("select {column} from {table}")).await.unwrap() {
                texts.push(row.try_get_by_index::<String>(0).unwrap());
            }
        }
        for row in meddler.rows("select body from ledger").await.unwrap() {
            let body: Vec<u8> = row.try_get_by_index(0).unwrap();
            texts.push(String::from_utf8(body).unwrap());
        }
        assert!(texts.iter().any(|text| text.contains("password.change")));
        for secret in [GOOD, OTHER, &link[8..44], &second[8..44], "$argon2id"] {
            let found = texts.iter().filter(|text| text.contains(secret)).count();
            assert_eq!(found, usize::from(secret == "$argon2id"), "{secret}");
        }
        service.stop().await;
    }
}
