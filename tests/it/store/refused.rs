//! A server that is not there.

use std::error::Error as _;

use chancery::store::{Error, Store, StoreConfig};
use tokio::net::TcpListener;

use super::support::clock;

#[tokio::test]
async fn a_port_where_nobody_listens_is_named_and_the_password_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let config = StoreConfig {
        url: format!("postgres://chancery:hunter2@{at}/chancery"),
        acquire_timeout_ms: 200,
        ..StoreConfig::default()
    };
    let error = Store::open(&config, clock()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    let why = error.source().unwrap().to_string();
    assert!(why.starts_with(&format!("`{at}`: Connection refused")), "{why}");
    assert!(!format!("{error:?} {why}").contains("hunter2"));
}
