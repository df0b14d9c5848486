//! Where invitations lead back to.

use super::*;

#[tokio::test]
async fn an_invitation_leads_back_to_where_the_configuration_allows_and_nowhere_else() {
    for engine in engines() {
        let allowed = "https://app.example/welcome";
        let service = Service::start_with(&engine, &[("links.return_uris", allowed)]).await;
        let to = |uri: &str, name: &str| pb::CreateUserRequest {
            return_uri: uri.to_owned(),
            ..new(named(name))
        };
        for near in [
            "https://app.example/welcome/",
            "https://app.example/welcome?x",
            "https://APP.example/welcome",
            "HTTPS://app.example/welcome",
            "http://app.example/welcome",
            "//app.example/welcome",
            "https://app.example:443/welcome",
            "https://app.example/welcome#x",
            "https://app.example/welcome/../x",
            "https://app.example/%77elcome",
            "https://app.example\\@evil.example/welcome",
            "https://app.example@evil.example/welcome",
            "https://evil.example/https://app.example/welcome",
            "https://app.example.evil.example/welcome",
            "https://\u{430}pp.example/welcome",
            " https://app.example/welcome",
            "https://app.example/welcome\n",
            "javascript:alert(1)",
        ] {
            let made = service.users(&service.root).create_user(to(near, "x")).await;
            let told = refused(made, Code::InvalidArgument, "INVALID_FIELD");
            assert!(told.message().starts_with("return_uri: "), "{}", told.message());
        }
        service.users(&service.root).create_user(to(allowed, "x")).await.unwrap();
        service.users(&service.root).create_user(to("", "y")).await.unwrap();
        service.stop().await;
    }
}
