use std::ffi::OsString;
use std::fs;

use secrecy::ExposeSecret as _;

use super::*;

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, Problems> {
    Config::load(Sources { environment: environment(variables), ..Sources::default() })
}

/// The keys of all problems, and all texts as one.
fn problems(loaded: Result<Config, Problems>) -> (Vec<String>, String) {
    let problems = loaded.unwrap_err();
    (problems.0.iter().map(|problem| problem.key.clone()).collect(), problems.to_string())
}

fn from_file(text: &str) -> Result<Config, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chancery.toml");
    fs::write(&path, text).unwrap();
    Config::load(Sources { file: Some(path), ..Sources::default() })
}

#[test]
fn nothing_said_is_a_configuration_that_serves() {
    let config = from_environment(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.store().url, "sqlite://chancery.db");
    assert_eq!(config.limits.changes_per_minute, 120);
    let key = config.key_source();
    assert!(matches!(key, Some(KeySource::Beside(path)) if path.as_path() == "chancery.key"));
}

#[test]
fn what_comes_later_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chancery.toml");
    fs::write(
        &path,
        "poll_ms = 100\nstaleness_ms = 1000\n[limits]\nin_flight = 7\nbody_seconds = 3\n",
    )
    .unwrap();
    let named = path.to_str().unwrap();
    let config = Config::load(Sources {
        file: None,
        environment: environment(&[
            ("CHANCERY_CONFIG", named),
            ("CHANCERY_POLL_MS", "200"),
            ("CHANCERY_LIMITS__IN_FLIGHT", "8"),
            ("CHANCERY_DEFAULT_ACCOUNT", "12345"),
            ("CHANCERY_LOG__LEVEL", ""),
            ("CHANCERY", "none of ours"),
            ("PATH", "/bin"),
        ]),
        flags: vec![("poll_ms", "300".to_owned()), ("listen", "[::1]:1".to_owned())],
    })
    .unwrap();
    assert_eq!((config.poll_ms, config.staleness_ms), (300, 1000));
    assert_eq!((config.limits.in_flight, config.limits.body_seconds), (8, 3));
    assert_eq!(config.limits.user_depth, 32, "the rest of a table stays");
    assert_eq!(config.default_account.as_deref(), Some("12345"), "digits can be a name");
    assert_eq!(config.log.level, "info", "a variable set to nothing says nothing");
    assert_eq!(config.listen.to_string(), "[::1]:1");
}

#[test]
fn all_problems_are_told_at_once_with_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    fs::write(&path, "lisen = 1\nlimits = 3\n[log]\nformat = \"xml\"\nlevel = \"a=b=c\"\n[shutdown]\ndrain_ms = -1\n")
        .unwrap();
    let (keys, text) = problems(Config::load(Sources {
        file: Some(path),
        environment: environment(&[
            ("CHANCERY_LIMITS__IN_FLIGHT", "many"),
            ("CHANCERY_LIMITS__FLIGHTS", "1"),
            ("CHANCERY_ALLOW_PLAINTEXT", "yes"),
            ("CHANCERY_STALENESS_MS", "30001"),
        ]),
        flags: vec![("admin_listen", "localhost".to_owned())],
    }));
    for wanted in [
        "lisen (in ",
        "limits (in ",
        "log.format (in ",
        "log.level",
        "shutdown.drain_ms (in ",
        "limits.in_flight (CHANCERY_LIMITS__IN_FLIGHT)",
        "limits.flights (CHANCERY_LIMITS__FLIGHTS)",
        "allow_plaintext (CHANCERY_ALLOW_PLAINTEXT)",
        "staleness_ms",
        "admin_listen (a flag)",
    ] {
        assert!(keys.iter().any(|key| key.starts_with(wanted)), "{wanted}: {text}");
    }
    assert_eq!(keys.len(), 10, "{text}");
    for way_out in
        ["`json`, `pretty`", "limits.in_flight,", "`true` nor `false`", "30000", "127.0.0.1:50051"]
    {
        assert!(text.contains(way_out), "{way_out}: {text}");
    }
}

#[test]
fn no_secret_is_shown_by_anything() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let config = from_environment(&[
        ("CHANCERY_DATABASE_URL", "postgres://me:hush@host/db"),
        ("CHANCERY_MASTER_KEY", key),
    ])
    .unwrap();
    let shown = format!("{config:?}{}", config.to_toml().unwrap());
    assert!(!shown.contains("hush") && !shown.contains(key), "{shown}");
    assert!(shown.contains("master_key = \"[redacted]\""), "{shown}");
    assert!(shown.contains("postgres://me:***@host/db"), "{shown}");
    assert_eq!(config.store().url, "postgres://me:hush@host/db");
    assert_eq!(config.master_key.unwrap().expose_secret(), key);

    for text in [
        "master_key = \"hush\nlisten",
        "master_key = 4711471147114711",
        "database_url = [\"hush\"]",
    ] {
        let (_, said) = problems(from_file(text));
        assert!(!said.contains("hush") && !said.contains("4711"), "{said}");
    }
}

#[test]
fn a_list_is_a_list_in_the_file_and_words_with_commas_in_the_environment() {
    let wanted = ["https://a.example/x", "https://b.example"];
    let file = "links.return_uris = [\"https://a.example/x\", \"https://b.example\"]";
    assert_eq!(from_file(file).unwrap().links.return_uris, wanted);
    let named = |text| from_environment(&[("CHANCERY_LINKS__RETURN_URIS", text)]);
    let config = named("https://a.example/x, https://b.example,").unwrap();
    assert_eq!(config.links.return_uris, wanted);
    assert_eq!(from_file(&config.to_toml().unwrap()).unwrap().links.return_uris, wanted);
    assert_eq!(problems(named("https://a.example,b.example")).0, ["links.return_uris"]);
    assert_eq!(problems(from_file("links.return_uris = 3")).0.len(), 1);
}

#[test]
fn a_hash_that_is_too_cheap_does_not_start() {
    let with = |memory, passes| {
        from_environment(&[
            ("CHANCERY_PASSWORDS__HASH_MEMORY_KIB", memory),
            ("CHANCERY_PASSWORDS__HASH_PASSES", passes),
        ])
    };
    assert!(with("7168", "5").is_ok());
    let (keys, text) = problems(with("19455", "2"));
    assert_eq!(keys, ["passwords.hash_memory_kib"]);
    assert!(text.contains("hash-tune"), "{text}");
}

#[test]
fn a_sender_is_told_what_it_lacks_and_its_secrets_are_not_shown() {
    let (keys, _) = problems(from_file("mail.sender = \"smtp\""));
    assert_eq!(keys, ["mail.smtp_url"]);
    let (keys, _) =
        problems(from_file("[mail]\nsender = \"webhook\"\nwebhook_url = \"https://a\""));
    assert_eq!(keys, ["mail.webhook_secret"]);
    let (_, text) = problems(from_file("mail.sender = \"pigeon\""));
    assert!(text.contains("`log`, `smtp`, `webhook`"), "{text}");
    let file = "[mail]\nsmtp_url = \"smtps://a:geheim@b\"\nwebhook_secret = \"geheim\"\n\
                webhook_url = \"https://a:geheim@b/c?key=geheim\"";
    let printed = from_file(file).unwrap().to_toml().unwrap();
    assert!(printed.contains("[redacted]") && !printed.contains("geheim"), "{printed}");
    assert!(printed.contains("https://***@b/c?***"), "{printed}");
}

const ISSUER: &str =
    "[[sso.issuers]]\nissuer = 'https://id.example'\naudiences = ['us']\naccount = 'acme'\n";

#[test]
fn an_issuer_is_told_what_it_lacks_by_its_place_and_field() {
    let config = from_file(ISSUER).unwrap();
    let issuer = &config.sso.issuers[0];
    assert_eq!((&*issuer.claim, issuer.algorithms.len()), ("email", 3));
    let text = "[{ issuer = 'https://id.example', audiences = ['us'], account = 'acme' }]";
    let same = from_environment(&[("CHANCERY_SSO__ISSUERS", text)]).unwrap();
    assert_eq!(same.to_toml().unwrap(), config.to_toml().unwrap());
    assert_eq!(
        from_file(&config.to_toml().unwrap()).unwrap().to_toml().unwrap(),
        same.to_toml().unwrap()
    );

    let jwk = "jwks = '{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}'";
    for (line, field) in [
        ("issuer = 'http://id.example'", "issuer"),
        ("issuer = 'id.example'", "issuer"),
        ("issuer = 'https://id.example?tenant=1'", "issuer"),
        ("audiences = []", "audiences"),
        ("audiences = ['']", "audiences"),
        ("audiences = 'us'", "audiences"),
        ("account = ' '", "account"),
        ("claim = ''", "claim"),
        ("algorithms = []", "algorithms"),
        ("algorithms = ['ES256', 'none']", "algorithms[1]"),
        ("algorithms = ['HS256']", "algorithms[0]"),
        ("jwks = '{}'", "jwks"),
        (jwk, "jwks"),
        ("jwks_uri = 'http://id.example/keys'", "jwks_uri"),
        ("jwks_file = 'a'\njwks_uri = 'https://id.example/keys'", "jwks"),
    ] {
        let name = line.split(" = ").next().unwrap();
        let kept = ISSUER.lines().filter(|line| !line.starts_with(&format!("{name} = ")));
        let other =
            "[[sso.issuers]]\nissuer = 'http://localhost:1'\naudiences = ['us']\naccount = 'a'\n";
        let file = format!("{other}{}\n{line}\n", kept.collect::<Vec<_>>().join("\n"));
        let (keys, text) = problems(from_file(&file));
        assert_eq!(keys.len(), 1, "{text}");
        let wanted = format!("sso.issuers[1].{field}");
        assert!(keys[0] == wanted || keys[0].starts_with(&format!("{wanted} (in ")), "{text}");
        assert!(!text.contains("c2VjcmV0"), "{text}");
    }
    let (keys, _) = problems(from_file(&ISSUER.replace("account = 'acme'\n", "")));
    assert!(keys[0].starts_with("sso.issuers[0]"), "{keys:?}");
    let (_, text) = problems(from_file(&ISSUER.replace("account = 'acme'\n", "")));
    assert!(text.contains("`account` is missing"), "{text}");
    let (_, text) = problems(from_file(&ISSUER.replace("account", "acount")));
    assert!(text.contains("`acount` is not known; known here are issuer, audiences"), "{text}");
    let (_, text) = problems(from_file(&ISSUER.replace("['us']", "7")));
    assert!(text.contains("is not a list"), "{text}");
    let (_, text) = problems(from_file("sso.issuers = [7]"));
    assert!(text.contains("is not a table"), "{text}");
    let (keys, text) = problems(from_file(&ISSUER.repeat(2)));
    assert_eq!(keys, ["sso.issuers[1].issuer"], "{text}");
    for text in ["https://id.example", "[{]", "[7]"] {
        let (keys, _) = problems(from_environment(&[("CHANCERY_SSO__ISSUERS", text)]));
        assert!(keys[0].starts_with("sso.issuers"), "{keys:?}");
    }
}

#[test]
fn what_is_printed_can_be_given_back() {
    let config = from_environment(&[("CHANCERY_LIMITS__IN_FLIGHT", "9")]).unwrap();
    let printed = config.to_toml().unwrap();
    assert_eq!(from_file(&printed).unwrap().to_toml().unwrap(), printed);
}

#[test]
fn plain_text_stays_on_loopback_unless_somebody_says_otherwise() {
    let open = ("CHANCERY_LISTEN", "0.0.0.0:50051");
    let (keys, text) = problems(from_environment(&[open]));
    assert_eq!(keys, ["listen"]);
    assert!(text.contains("allow_plaintext = true"), "{text}");
    assert!(from_environment(&[open, ("CHANCERY_ALLOW_PLAINTEXT", "true")]).is_ok());
    // Nor does the port of figures and health encrypt.
    let (cert, key) = (("CHANCERY_TLS__CERT_FILE", "a"), ("CHANCERY_TLS__KEY_FILE", "b"));
    assert!(from_environment(&[open, cert, key]).is_ok());
    let admin = ("CHANCERY_ADMIN_LISTEN", "0.0.0.0:9090");
    let (keys, text) = problems(from_environment(&[open, admin, cert, key]));
    assert_eq!(keys, ["admin_listen"]);
    assert!(text.contains("allow_plaintext = true"), "{text}");
    let said = ("CHANCERY_ALLOW_PLAINTEXT", "true");
    assert!(from_environment(&[open, admin, cert, key, said]).is_ok());
    assert!(from_environment(&[("CHANCERY_LISTEN", "[::ffff:127.0.0.1]:1")]).is_ok());
    let same = [("CHANCERY_LISTEN", "127.0.0.1:9090")];
    assert_eq!(problems(from_environment(&same)).0, ["admin_listen"]);
    let any = [("CHANCERY_LISTEN", "127.0.0.1:0"), ("CHANCERY_ADMIN_LISTEN", "127.0.0.1:0")];
    assert!(from_environment(&any).is_ok());
}

const TLS: &str = r#"
[tls]
cert_file = "tls.crt"
key_file = "tls.key"
client_ca_file = "ca.crt"
client_auth = "required"
forwarding_proxies = ["spiffe://a/gate", "10.0.0.0/8"]
[[tls.peers]]
spiffe_id = "spiffe://a/shop"
user_id = "usr_00000000000000000000000000"
"#;

#[test]
fn tls_is_whole_or_refused() {
    let config = from_file(TLS).unwrap();
    assert!(config.server().tls.is_some());
    assert!(from_environment(&[]).unwrap().server().tls.is_none());
    let printed = config.to_toml().unwrap();
    assert_eq!(from_file(&printed).unwrap().to_toml().unwrap(), printed);
    for (was, is, key) in [
        ("key_file = \"tls.key\"\n", "", "tls.key_file"),
        ("cert_file = \"tls.crt\"\n", "", "tls.cert_file"),
        ("client_ca_file = \"ca.crt\"\n", "", "tls.client_ca_file"),
        ("required", "off", "tls.client_auth"),
        ("\"required\"", "\"sometimes\"", "tls.client_auth (in "),
        ("10.0.0.0/8", "10.0.0.0/33", "tls.forwarding_proxies"),
        ("spiffe://a/gate", "spiffe://a", "tls.forwarding_proxies"),
        ("a/gate", "a/shop", "tls.peers[0].spiffe_id"),
        ("spiffe://a/shop", "spiffe://a/shop/", "tls.peers[0].spiffe_id"),
        ("spiffe://a/shop", "https://a/shop", "tls.peers[0].spiffe_id"),
        ("usr_0", "acc_0", "tls.peers[0].user_id"),
    ] {
        let (keys, text) = problems(from_file(&TLS.replacen(was, is, 1)));
        assert!(keys[0].starts_with(key), "{was}: {text}");
    }
    let peer = TLS.split_once("[[").unwrap().1;
    let (keys, text) = problems(from_file(&format!("{TLS}[[{peer}")));
    assert_eq!(keys, ["tls.peers[1].spiffe_id"], "{text}");
    let alone = format!("[tls]\n[[{peer}");
    assert_eq!(problems(from_file(&alone)).0, ["tls.peers"]);
}

#[test]
fn postgres_needs_a_key_and_one_is_enough() {
    let url = ("CHANCERY_DATABASE_URL", "postgres://host/db");
    assert_eq!(problems(from_environment(&[url])).0, ["master_key"]);
    let file = ("CHANCERY_MASTER_KEY_FILE", "/run/key");
    let config = from_environment(&[url, file]).unwrap();
    assert!(matches!(config.key_source(), Some(KeySource::File(_))));
    assert_eq!(
        problems(from_environment(&[url, file, ("CHANCERY_MASTER_KEY", "x")])).0,
        ["master_key"]
    );
    assert_eq!(
        problems(from_environment(&[("CHANCERY_DATABASE_URL", "mysql://x")])).0,
        ["database_url"]
    );
}

#[test]
fn a_master_key_is_one_or_is_refused_and_not_repeated() {
    for bad in [" ", "hush-hush!", "aHVzaA==", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
        let (keys, text) = problems(from_environment(&[("CHANCERY_MASTER_KEY", bad)]));
        assert_eq!(keys, ["master_key"], "{bad}");
        assert!(text.contains("openssl rand -base64 32"), "{text}");
        assert!(!text.contains(bad.trim()) || bad == " ", "{text}");
    }
}

#[test]
fn variables_of_service_links_are_told_for_what_they_are() {
    for name in ["CHANCERY_SERVICE_HOST", "CHANCERY_PORT", "CHANCERY_PORT_50051_TCP_ADDR"] {
        let (keys, text) = problems(from_environment(&[(name, "10.0.0.1")]));
        assert_eq!(keys, [name]);
        assert!(text.contains("enableServiceLinks"), "{text}");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_problem() {
    let (keys, _) = problems(from_environment(&[("CHANCERY_CONFIG", "/nowhere/c.toml")]));
    assert_eq!(keys, ["/nowhere/c.toml"]);
}

#[test]
fn what_is_said_of_authzen_and_of_browsers_is_looked_at() {
    for (text, key) in [
        ("authzen.url = 'pdp.example'", "authzen.url"),
        ("authzen.url = 'https://pdp.example?tenant=1'", "authzen.url"),
        ("authzen.resource_types = ['user']", "authzen.resource_types"),
        ("authzen.resource_types = ['=person']", "authzen.resource_types"),
        ("browsers.origins = ['*']", "browsers.origins"),
        ("browsers.origins = ['https://a.example/']", "browsers.origins"),
    ] {
        assert_eq!(problems(from_file(text)).0, [key], "{text}");
    }
    let good = "authzen = { url = 'https://a.example/of/b/', resource_types = ['user=person'] }
browsers = { grpc_web = true, origins = ['https://a.example'] }";
    let config = from_file(good).unwrap();
    assert_eq!(config.authzen().url, "https://a.example/of/b");
    assert_eq!(config.authzen().resource_types, [("user".to_owned(), "person".to_owned())]);
    assert!(config.browsers().grpc_web);
    // Nobody's page may call, and browsers are not spoken to, unless somebody says so.
    let config = from_file("").unwrap();
    assert!(!config.browsers().grpc_web && config.browsers().origins.is_empty());
    assert_eq!(config.authzen().url, "http://localhost");
}

#[test]
fn where_spans_go_is_told_as_other_programs_are_told_and_what_is_said_to_us_goes_before() {
    let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    let config = from_environment(&[general]).unwrap();
    assert_eq!(config.telemetry.otlp_endpoint.as_deref(), Some("http://127.0.0.1:4317"));
    let own = ("CHANCERY_TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:1");
    let config = from_environment(&[own, general]).unwrap();
    assert_eq!(config.telemetry.otlp_endpoint.as_deref(), Some("http://127.0.0.1:1"));
    assert_eq!(from_environment(&[]).unwrap().telemetry.otlp_endpoint, None);
}

#[test]
fn a_share_is_from_nothing_to_all_and_a_file_is_needed_where_one_is_written() {
    let share = ("CHANCERY_DECISION_LOG__PERMITS", "0.25");
    let config = from_environment(&[share, ("CHANCERY_TELEMETRY__SAMPLE", "1")]).unwrap();
    assert!((config.decision_log.permits - 0.25).abs() < f64::EPSILON);
    let server = config.server();
    assert!(server.decision_log.is_none(), "off unless it is asked for");
    let (keys, text) = problems(from_environment(&[
        ("CHANCERY_TELEMETRY__SAMPLE", "1.5"),
        ("CHANCERY_DECISION_LOG__SINK", "file"),
    ]));
    assert_eq!(keys, ["decision_log.file", "telemetry.sample"], "{text}");
    let (keys, _) = problems(from_environment(&[("CHANCERY_TELEMETRY__SAMPLE", "half")]));
    assert_eq!(keys, ["telemetry.sample (CHANCERY_TELEMETRY__SAMPLE)"]);
}

#[test]
fn a_ledger_is_kept_for_ever_or_for_long_enough() {
    assert_eq!(from_environment(&[]).unwrap().server().inspect.keep, None);
    for (days, kept) in [("0", None), ("30", Some(30)), ("3650", Some(3_650))] {
        let config = from_environment(&[("CHANCERY_LEDGER__KEEP_DAYS", days)]).unwrap();
        assert_eq!(config.server().inspect.keep, kept.map(chrono::TimeDelta::days));
    }
    for days in ["1", "29", "36501"] {
        let (keys, text) = problems(from_environment(&[("CHANCERY_LEDGER__KEEP_DAYS", days)]));
        assert_eq!(keys, ["ledger.keep_days"], "{text}");
    }
}
