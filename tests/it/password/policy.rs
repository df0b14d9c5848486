//! What a password must be.

use tonic_types::StatusExt as _;

use super::*;
use crate::support::engines;

#[tokio::test]
async fn a_weak_password_is_refused_with_the_reason_and_the_link_stays_good() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme Phones").await;
        let (ann, link) = invited(&service, &hook, &acme, "ann.keller").await;
        let long = "x".repeat(257);
        for (weak, why) in [
            ("short", "this one 5"),
            (long.as_str(), "this one 257"),
            ("password123", "easily guessed"),
            ("P@ssw0rd!", "easily guessed"),
            ("ann.keller1", "easily guessed"),
            ("AcmePhones", "easily guessed"),
        ] {
            let told = set(&service, &link, weak).await;
            let told = refused(told, Code::InvalidArgument, "WEAK_PASSWORD");
            let details = told.get_error_details();
            let fault = &details.bad_request().unwrap().field_violations[0];
            assert_eq!(fault.field, "password");
            assert!(fault.description.contains(why), "{weak}: {}", fault.description);
            assert!(!told.message().contains(weak), "{}", told.message());
        }
        // ResetPassword takes what is not weak, of whatever letters.
        set(&service, &link, "ξάνθη ουρανός λύχνος").await.unwrap();
        // And ChangePassword asks for no less.
        let weak = change(&service, &ann, "ξάνθη ουρανός λύχνος", "password123").await;
        let told = refused(weak, Code::InvalidArgument, "WEAK_PASSWORD");
        assert!(told.message().starts_with("new_password: "), "{}", told.message());
        has(&service, &ann, "ξάνθη ουρανός λύχνος", GOOD).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn what_the_operator_lists_is_no_password_and_without_the_list_nothing_starts() {
    for engine in engines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known.txt");
        std::fs::write(&path, format!("{}\n{OTHER}\n", GOOD.to_uppercase())).unwrap();
        let list = path.to_str().unwrap();
        let settings = [("passwords.blocklist_file", list)];
        let (service, hook) = start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        let (_, link) = invited(&service, &hook, &acme, "ann").await;
        let told = set(&service, &link, GOOD).await;
        let told = refused(told, Code::InvalidArgument, "WEAK_PASSWORD");
        assert!(told.message().contains("have become known"), "{}", told.message());
        set(&service, &link, "ein ganz anderer satz").await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let config = service.config.server();
        let keys = chancery::crypto::KeyRing::from_base64(crate::support::KEY).unwrap();
        let listener = || tokio::net::TcpListener::bind("127.0.0.1:0");
        let (grpc, admin) = (listener().await.unwrap(), listener().await.unwrap());
        let again =
            chancery::server::start(config, service.store.clone(), keys.into(), grpc, admin);
        let why = again.await.unwrap_err().to_string();
        assert!(why.contains("passwords.blocklist_file") && why.contains("known.txt"), "{why}");
        service.stop().await;
    }
}
