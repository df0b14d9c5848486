//! Each kind of credential is good for what it is, and for nothing else (RFC 8725, §3.11; J4).

use super::*;
use crate::password;
use crate::session::keyed::{create, made};
use crate::support::beginning;

/// Where credentials are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Call,
    Refresh,
    Reset,
    Assertion,
    IdToken,
    Page,
}

const DOORS: [Door; 6] =
    [Door::Call, Door::Refresh, Door::Reset, Door::Assertion, Door::IdToken, Door::Page];

impl Door {
    async fn takes(self, service: &Service, text: &str, boss: &Person) -> bool {
        let nobody = Person { token: String::new(), ..boss.clone() };
        let text = text.to_owned();
        match self {
            Self::Call => called(service, &Person { token: text, ..boss.clone() }).await.is_ok(),
            Self::Refresh => service.refresh(&text).await.is_ok(),
            Self::Reset => {
                let password = "kaufhaus tiger lampe".to_owned();
                let request = pb::ResetPasswordRequest { token: text, password };
                service.sessions(&nobody).reset_password(request).await.is_ok()
            }
            Self::Assertion | Self::IdToken => {
                let kind = if self == Self::IdToken { ID_TOKEN } else { "" };
                let request = pb::ExchangeTokenRequest {
                    subject_token: text,
                    subject_token_type: kind.to_owned(),
                };
                service.sessions(&nobody).exchange_token(request).await.is_ok()
            }
            Self::Page => {
                let request =
                    pb::ListUsersRequest { page_size: 1, page_token: text, ..Default::default() };
                service.users(boss).list_users(request).await.is_ok()
            }
        }
    }
}

#[tokio::test]
async fn no_kind_of_credential_is_taken_for_another() {
    for engine in engines() {
        let key = Key::es256("one");
        let issuer = Issuer::start(&[&key]).await;
        let issuers = issuer.of("acme");
        let (service, hook) = password::start_with(&engine, &[("sso.issuers", &issuers)]).await;
        let acme = service.tenant("Acme").await;
        alias(&service, &acme, "acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let (ann, reset) = password::invited(&service, &hook, &acme, "ann").await;
        let robot = service.machine(&acme, "robot", &[]).await;
        sso_user(&service, &acme, "eve", "eve@example.com").await;
        let session = service.session(&ann).await;
        let pair = made(&service, &service.root, create(&robot)).await;
        let assertion = || {
            let mut claims = pair.claims(beginning().timestamp());
            claims["aud"] = json!("https://id.example");
            pair.sign(&claims)
        };
        let of_key = pb::ExchangeTokenRequest { subject_token: assertion(), ..Default::default() };
        let of_key = service.sessions(&boss).exchange_token(of_key).await.unwrap().into_inner();
        let page = pb::ListUsersRequest { page_size: 1, ..Default::default() };
        let page = service.users(&boss).list_users(page).await.unwrap().into_inner();
        let all = [
            ("personal token", ann.token.clone(), Door::Call),
            ("token of a machine", robot.token.clone(), Door::Call),
            ("access token", session.access_token.clone(), Door::Call),
            ("access token of a key", of_key.access_token, Door::Call),
            ("refresh token", session.refresh_token.clone(), Door::Refresh),
            ("assertion", assertion(), Door::Assertion),
            ("ID token", key.sign(&issuer.claims("e", "eve@example.com")), Door::IdToken),
            ("page token", page.next_page_token, Door::Page),
            // Last of all: it ends what else there is of its user.
            ("link", reset, Door::Reset),
        ];
        for (kind, text, own) in &all {
            for door in DOORS.into_iter().filter(|door| door != own) {
                assert!(!door.takes(&service, text, &boss).await, "{door:?} takes the {kind}");
            }
        }
        // Nothing of that has used one up.
        for (kind, text, own) in &all {
            assert!(own.takes(&service, text, &boss).await, "{own:?} does not take the {kind}");
        }
        service.verify(&acme).await;
        service.stop().await;
    }
}
