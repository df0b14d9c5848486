//! What proxies say of their clients' certificates.

use super::*;

const XFCC: &str = "x-forwarded-client-cert";

fn said(id: &str) -> String {
    format!("By={GATE};Hash=5c6d;Subject=\"CN=\\\"x\\\",O=y\";URI={id}")
}

#[tokio::test]
async fn only_a_listed_proxy_tells_of_its_clients_and_never_speaks_for_itself() {
    for engine in engines() {
        let proxies = [("tls.forwarding_proxies", GATE)];
        let scene = Scene::with(&engine, "optional", &proxies).await;
        let gate = scene.channel(&scene.pair(GATE));
        let (acme, own) = (&scene.acme, said(SHOP));
        make_with(&gate, "", &[(XFCC, &own)], acme, "by-gate").await.unwrap();
        let [entry] = &scene.entries("by-gate").await[..] else { panic!("one entry") };
        assert_eq!(entry.actor.unwrap().to_string(), scene.robot.user_id);
        assert_eq!(entry.source, format!("127.0.0.1 {SHOP}"));

        // What it says last is what it has seen itself.
        let spoofed = format!("{own},{}", said("spiffe://prod.example/else"));
        for header in [&spoofed, "", "Hash=5c6d", "URI=", "x", &format!("{own};URI={SHOP}")] {
            let answer = make_with(&gate, "", &[(XFCC, header)], acme, "no").await;
            refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
        }
        let lines = [(XFCC, own.as_str()), (XFCC, "URI=spiffe://prod.example/else")];
        let answer = make_with(&gate, "", &lines, acme, "no").await;
        refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
        refused(make(&gate, "", acme, "no").await, Code::Unauthenticated, "TOKEN_MISSING");
        // One proxy behind another.
        let two = format!("{own},{}", said(GATE));
        make_with(&gate, "", &[(XFCC, &two)], acme, "by-two").await.unwrap();

        // From anybody else it is no more than any header.
        let other = scene.channel(&scene.pair("spiffe://prod.example/else"));
        for channel in [other, scene.secure.channel.clone()] {
            let answer = make_with(&channel, "", &[(XFCC, &own)], acme, "no").await;
            refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
        }
        let shop = scene.channel(&scene.pair(SHOP));
        let other = said("spiffe://prod.example/else");
        make_with(&shop, "", &[(XFCC, &other)], acme, "by-shop").await.unwrap();
        scene.stop().await;
    }
}

#[tokio::test]
async fn a_proxy_that_shows_no_certificate_is_known_by_its_address() {
    let scene =
        Scene::with(&Engine::Sqlite, "optional", &[("tls.forwarding_proxies", "127.0.0.0/8")])
            .await;
    let own = said(SHOP);
    make_with(&scene.secure.channel, "", &[(XFCC, &own)], &scene.acme, "far").await.unwrap();
    // One who shows a certificate is who that says.
    let other = scene.channel(&scene.pair("spiffe://prod.example/else"));
    let answer = make_with(&other, "", &[(XFCC, &own)], &scene.acme, "no").await;
    refused(answer, Code::Unauthenticated, "TOKEN_MISSING");

    // And without TLS, where a proxy on the same machine ends it.
    let peers = peers(&[(SHOP, &scene.robot.user_id)]);
    let settings = [("tls.peers", peers.as_str()), ("tls.forwarding_proxies", "127.0.0.1")];
    let behind = scene.plain.replica_with(&settings).await;
    make_with(&behind.channel, "", &[(XFCC, &own)], &scene.acme, "near").await.unwrap();
    let answer = make(&behind.channel, "", &scene.acme, "no").await;
    refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
    let answer = make_with(&scene.plain.channel, "", &[(XFCC, &own)], &scene.acme, "no").await;
    refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
    behind.stop().await;
    scene.stop().await;
}
