//! An identity provider, in this process: keys of its own, what it publishes of them, and tokens of any form.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::beginning;

/// What we are called there.
pub(super) const CLIENT: &str = "chancery-console";

/// A key that signs.
pub(super) struct Key {
    pub(super) kid: String,
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
}

impl Key {
    pub(super) fn es256(kid: &str) -> Self {
        let (of, chance) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(of, &chance).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(of, document.as_ref(), &chance).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Es256(pair) }
    }

    pub(super) fn ed_dsa(kid: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::EdDsa(pair) }
    }

    /// Always the same: making one takes long.
    pub(super) fn rs256(kid: &str) -> Self {
        let pem = include_str!("rsa.pem");
        let text: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Rs256(Box::new(pair)) }
    }

    pub(super) fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::EdDsa(_) => "EdDSA",
            Pair::Rs256(_) => "RS256",
        }
    }

    pub(super) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) })
            }
            Pair::EdDsa(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
            Pair::Rs256(pair) => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
                json!({ "kty": "RSA", "n": text(&n), "e": text(&e) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Signs claims as an ID token.
    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": self.alg(), "typ": "JWT", "kid": self.kid }), claims)
    }

    pub(super) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let said = format!("{}.{}", part(header), part(claims));
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(self.signature(said.as_bytes())))
    }

    fn signature(&self, said: &[u8]) -> Vec<u8> {
        let chance = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => pair.sign(&chance, said).unwrap().as_ref().to_vec(),
            Pair::EdDsa(pair) => pair.sign(said).as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signed = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &chance, said, &mut signed).unwrap();
                signed
            }
        }
    }
}

/// What is answered at a path: the status and the text. Nothing there: 404.
type Pages = HashMap<String, (u16, String)>;

#[derive(Clone, Default)]
struct Served {
    pages: Arc<Mutex<Pages>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The provider.
pub(super) struct Issuer {
    pub(super) url: String,
    served: Served,
}

impl Issuer {
    /// Starts one that shows these keys.
    pub(super) async fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = Served::default();
        let pages = Router::new().route("/{*path}", get(page)).with_state(served.clone());
        tokio::spawn(async move { axum::serve(listener, pages).await });
        let issuer = Self { url, served };
        let jwks_uri = format!("{}/jwks", issuer.url);
        let document = json!({ "issuer": issuer.url, "jwks_uri": jwks_uri });
        issuer.answer(".well-known/openid-configuration", 200, &document.to_string());
        issuer.show(keys);
        issuer
    }

    /// Answers so from now on.
    pub(super) fn answer(&self, path: &str, status: u16, text: &str) {
        let page = (status, text.to_owned());
        self.served.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    /// Shows these keys from now on.
    pub(super) fn show(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.answer("jwks", 200, &json!({ "keys": keys }).to_string());
    }

    /// Tells how often its keys were asked for.
    pub(super) fn asked(&self) -> usize {
        let asked = self.served.asked.lock().unwrap();
        asked.iter().filter(|path| *path == "jwks").count()
    }

    /// What it says of somebody at the beginning of a test.
    pub(super) fn claims(&self, subject: &str, email: &str) -> Value {
        let at = beginning().timestamp();
        json!({
            "iss": self.url, "sub": subject, "aud": CLIENT, "iat": at, "exp": at + 3600,
            "email": email, "email_verified": true, "nonce": uuid::Uuid::new_v4().to_string(),
        })
    }

    /// How it stands in the settings, as an issuer of an account, its keys being found by discovery.
    pub(super) fn of(&self, account: &str) -> String {
        self.that(account, "")
    }

    /// The same, with more said of it.
    pub(super) fn that(&self, account: &str, more: &str) -> String {
        let url = &self.url;
        format!("[{{ issuer = '{url}', audiences = ['{CLIENT}'], account = '{account}'{more} }}]")
    }
}

async fn page(State(served): State<Served>, Path(path): Path<String>) -> impl IntoResponse {
    served.asked.lock().unwrap().push(path.clone());
    let page = served.pages.lock().unwrap().get(&path).cloned();
    let (status, text) = page.unwrap_or((404, String::new()));
    (StatusCode::from_u16(status).unwrap(), text)
}
