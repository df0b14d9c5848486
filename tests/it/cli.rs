//! The program as it is called.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use chancery::proto::v1 as pb;
use tempfile::TempDir;

use crate::support::{Service, engines};

/// Runs a command in a folder, with nothing of this process's settings.
fn run<const N: usize>(folder: &Path, arguments: [&str; N], key: &str) -> Output {
    let key = [("CHANCERY_MASTER_KEY", key)];
    run_with(folder, &arguments, if key[0].1.is_empty() { &[] } else { &key })
}

/// The same, with these variables.
fn run_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let ours = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with("CHANCERY"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_bootstrap_that_is_refused_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let bootstrap = ["bootstrap", "--user-name", "admin", "--token-file", "token"];
    let done = run(folder.path(), bootstrap, "");
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(!done.status.success() && said.contains("migrate"), "{said}");
    assert_eq!(files(folder.path()), Vec::<String>::new());
    // Nor beside a file without a schema.
    fs::write(folder.path().join("chancery.db"), "").unwrap();
    assert!(!run(folder.path(), bootstrap, "").status.success());
    assert_eq!(files(folder.path()), ["chancery.db"]);

    assert!(run(folder.path(), ["migrate"], "").status.success());
    assert!(run(folder.path(), bootstrap, "").status.success());
    let made = files(folder.path());
    assert!(
        ["chancery.key", "token"].iter().all(|file| made.contains(&(*file).to_owned())),
        "{made:?}"
    );
}

#[test]
fn a_master_key_that_is_none_is_refused_before_anything_is_made() {
    for command in ["config", "serve"] {
        let folder = TempDir::new().unwrap();
        let done = run(folder.path(), [command], "hush");
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains("master_key") && !said.contains("hush"), "{said}");
        assert_eq!(files(folder.path()), Vec::<String>::new());
    }
}

/// A start that fails for what is said of mail, issuers and passwords has not used up the first start.
#[test]
fn what_cannot_be_served_is_refused_before_anything_is_made_and_so_by_config() {
    let issuer = "[{ issuer = 'https://id.example', audiences = ['us'], account = 'a', jwks_file = 'gone.json' }]";
    let webhook = [
        ("CHANCERY_MAIL__SENDER", "webhook"),
        ("CHANCERY_MAIL__WEBHOOK_SECRET", "hush"),
        ("CHANCERY_MAIL__WEBHOOK_URL", "http://me:hush@far.example/mail?key=hush"),
    ];
    let smtp = [
        ("CHANCERY_MAIL__SENDER", "smtp"),
        ("CHANCERY_MAIL__FROM", "no-reply@example.com"),
        ("CHANCERY_MAIL__SMTP_URL", "smtp://me:hush@far.example"),
    ];
    for (settings, at) in [
        (&webhook[..], "mail.webhook_url"),
        (&smtp[..], "mail.smtp_url"),
        (&[("CHANCERY_SSO__ISSUERS", issuer)], "sso.issuers.jwks_file"),
        (&[("CHANCERY_PASSWORDS__BLOCKLIST_FILE", "gone")], "passwords.blocklist_file"),
    ] {
        for command in ["config", "serve"] {
            let folder = TempDir::new().unwrap();
            let free =
                [("CHANCERY_LISTEN", "127.0.0.1:0"), ("CHANCERY_ADMIN_LISTEN", "127.0.0.1:0")];
            let done = run_with(folder.path(), &[command], &[&free, settings].concat());
            let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
            assert!(!done.status.success() && said.contains(at), "{command}: {said}");
            assert!(!said.contains("hush"), "{said}");
            assert_eq!(files(folder.path()), Vec::<String>::new(), "{said}");
        }
    }
}

/// Asks a server by the command line; what it prints.
pub(crate) async fn asked(
    service: &Service,
    token: &str,
    arguments: &[&str],
) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command.args(arguments).env("CHANCERY_LISTEN", service.grpc().to_string());
    if !token.is_empty() {
        command.env("CHANCERY_TOKEN", token);
    }
    let folder = service.folder.path().to_owned();
    let done = tokio::task::spawn_blocking(move || command.current_dir(folder).output().unwrap());
    let done = done.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.success(), text(done.stdout), text(done.stderr))
}

#[tokio::test]
async fn a_server_is_asked_why_and_who() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &["USER"]).await;
        let path = format!("account/{acme}");
        let explain = ["explain", ann.user_id.as_str(), "suspend", path.as_str()];
        let (good, tree, said) = asked(&service, &boss.token, &explain).await;
        assert!(good, "{said}");
        assert!(tree.starts_with("DENY NO_GRANT") && tree.contains("└─ "), "{tree}");
        let (_, json, _) =
            asked(&service, &boss.token, &[&explain[..], &["--json"]].concat()).await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["decision"], false);
        assert_eq!(json["reason"], "NO_GRANT");

        let who = ["who-can", "read", path.as_str()];
        let (good, tree, said) = asked(&service, &boss.token, &who).await;
        assert!(good, "{said}");
        assert!(tree.contains(&boss.user_id) && tree.contains(&ann.user_id), "{tree}");
        let (_, json, _) = asked(&service, &boss.token, &[&who[..], &["--json"]].concat()).await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (json["subjects"].as_array().unwrap().len(), &json["complete"]),
            (2, &true.into())
        );

        let (good, _, said) = asked(&service, "nonsense", &who).await;
        assert!(!good && said.contains("Unauthenticated") && !said.contains("nonsense"), "{said}");
        assert!(said.contains("the token that is asked with (--token, CHANCERY_TOKEN)"), "{said}");
        let (good, _, said) = asked(&service, "", &who).await;
        assert!(!good && said.contains("--token"), "{said}");
        let (good, _, said) = asked(&service, &boss.token, &["who-can", "read", "x"]).await;
        assert!(!good && said.contains("is no resource"), "{said}");
    }
}

#[tokio::test]
async fn a_catalogue_file_is_shown_and_applied() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("house.yaml");
        let yaml = "{ catalogue: house, version: 1, uses: [core], \
                      resource_types: { shelf: { in: [account], actions: [fill] } }, \
                      roles: { Clerk: { assignable_to: [admin], permits: [shelf.fill] } } }";
        fs::write(&file, yaml).unwrap();
        let file = file.to_str().unwrap();
        let token = &service.root.token;
        let (good, tree, said) = asked(&service, token, &["catalogue", "diff", file]).await;
        assert!(good, "{said}");
        assert!(tree.starts_with("house version 1 (new)\n"), "{tree}");
        for line in ["+ shelf", "+ house/Clerk", "~ ringcx/SUPER_USER: 1 user", "gains shelf.fill"]
        {
            assert!(tree.contains(line), "{line}: {tree}");
        }
        let (_, json, _) = asked(&service, token, &["catalogue", "diff", file, "--json"]).await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["added_permissions"], serde_json::json!(["shelf.fill"]));

        let (good, done, said) = asked(&service, token, &["catalogue", "apply", file]).await;
        assert!(good, "{said}");
        assert_eq!(done, "house version 1 is in force\n");
        let (_, again, _) = asked(&service, token, &["catalogue", "diff", file]).await;
        assert_eq!(again, "house version 1 (in force already)\n");
        fs::write(file, "{ catalogue: house, version: 1 }").unwrap();
        let (good, _, said) = asked(&service, token, &["catalogue", "apply", file]).await;
        assert!(!good && said.contains("version 1"), "{said}");
        let (good, _, said) = asked(&service, token, &["catalogue", "apply", "/no/such"]).await;
        assert!(!good && said.contains("/no/such"), "{said}");
    }
}

#[tokio::test]
async fn a_credential_is_inspected_alone_and_explained_by_a_server() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let root = &service.root.token;
        let (good, told, _) = asked(&service, "", &["token", "inspect", &ann.token]).await;
        assert!(good && told.starts_with("API token of a person"), "{told}");
        assert!(!told.contains(&ann.token[8..]));
        let (good, told, _) = asked(&service, "", &["token", "inspect", "garbage"]).await;
        assert!(!good && told.starts_with("no credential"), "{told}");
        let session = service.session(&ann).await;
        let inspect = ["token", "inspect", "--json", &session.access_token];
        let (good, told, _) = asked(&service, "", &inspect).await;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert!(good && told["facts"]["sub"] == *ann.user_id, "{told}");

        let (good, told, _) = asked(&service, root, &["token", "explain", &ann.token]).await;
        assert!(good && told.starts_with("PAT: works\n├─ FORM PASSED\n"), "{told}");
        let off = pb::SetUserActiveRequest { user_id: ann.user_id.clone(), ..Default::default() };
        service.users(&service.root).set_user_active(off).await.unwrap();
        let explain = ["token", "explain", "--json", &session.access_token];
        let (good, told, _) = asked(&service, root, &explain).await;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert!(!good && told["valid"] == false, "{told}");
        let (_, told, _) = asked(&service, root, &["token", "explain", &ann.token]).await;
        assert!(
            told.contains("└─ ACCOUNT NOT_REACHED") && told.contains("USER FAILED: "),
            "{told}"
        );
        service.stop().await;
    }
}

const MESH: &str = r#"
[mesh]
answer_ms = 100

[[mesh.routes]]
path = "/v1/accounts/{account}/gate-groups/{group}"
methods = ["GET"]
action = "gate_group.read"
resource = "account/{account}/gate_group/{group}"
account_from = "path"

[[mesh.routes]]
path = "/v1/campaigns"
methods = ["GET"]
action = "campaign.read"
resource = "account/{own}/campaign/{header:x-campaign}"

[[mesh.routes]]
grpc = "acme.v1.Things/GetThing"
action = "thing.read"
resource = "account/{own}"

[[mesh.routes]]
path = "/healthz"
methods = ["GET"]
public = true
"#;

#[test]
fn what_a_request_of_the_mesh_asks_for_is_told_without_a_server() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("mesh.toml"), MESH).unwrap();
    let test = |method: &str, path: &str, header: &str| {
        let line = ["--config", "mesh.toml", "mesh", "test", method, path, "--header", header];
        let done = run(folder.path(), line, "");
        (String::from_utf8(done.stdout).unwrap(), done.status.code().unwrap())
    };
    let none = "x-other: 1";
    let path = "/v1/accounts/acc_01h455vb4pex5vsknk084sn02q/gate-groups/7?x";
    let (said, code) = test("GET", path, none);
    assert_eq!(
        said,
        "route: mesh.routes[0] (/v1/accounts/{account}/gate-groups/{group})\n\
         action: gate_group.read\n\
         resource: account/acc_01h455vb4pex5vsknk084sn02q/gate_group/7\n"
    );
    assert_eq!(code, 0);
    let (said, code) = test("GET", "/v1/campaigns", "X-Campaign: 5");
    assert!(said.ends_with("resource: account/{own}/campaign/5\n") && code == 0, "{said}");
    let (said, code) = test("GET", "/v1/campaigns", none);
    assert!(said.contains("the header `x-campaign` is needed once") && code == 1, "{said}");
    let (said, code) = test("POST", "/acme.v1.Things/GetThing", none);
    assert!(said.contains("note: mesh.routes[2].action") && code == 0, "{said}");
    let (said, code) = test("GET", "/healthz", none);
    assert!(said.contains("public") && code == 0, "{said}");
    for (method, path, header, why) in [
        ("POST", path, none, "403: no route of this path has this method\n"),
        ("GET", "/v1/other", none, "403: no route has this path\n"),
        ("GET", "/v1//campaigns", none, "400: the path holds `//`\n"),
        ("GET", "/healthz", "x-http-method-override: PUT", "400: a header overrides the method\n"),
    ] {
        assert_eq!(test(method, path, header), (why.to_owned(), 1));
    }
}

#[test]
fn all_that_is_wrong_with_routes_of_the_mesh_is_told_at_once() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("mesh.toml"), MESH).unwrap();
    let done = run(folder.path(), ["--config", "mesh.toml", "config"], "");
    let shown = String::from_utf8(done.stdout).unwrap();
    assert_eq!(shown.matches("[[mesh.routes]]").count(), 4, "{shown}");
    fs::write(folder.path().join("again.toml"), shown).unwrap();
    assert!(run(folder.path(), ["--config", "again.toml", "config"], "").status.success());
    let wrong = MESH
        .replace("account_from", "acount_from")
        .replace("public = true", "publik = true\nmethod = [\"GET\"]")
        .replace("{header:x-campaign}", "{campaign}");
    fs::write(folder.path().join("wrong.toml"), wrong).unwrap();
    for command in [&["config"][..], &["mesh", "test", "GET", "/"]] {
        let line = [&["--config", "wrong.toml"], command].concat();
        let mut process = Command::new(env!("CARGO_BIN_EXE_chancery"));
        let done = process.args(line).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{said}");
        for key in [
            "mesh.routes[0].acount_from",
            "mesh.routes[0].account_from",
            "mesh.routes[1].resource",
            "mesh.routes[3].publik",
            "mesh.routes[3].method",
            "mesh.routes[3].action",
        ] {
            assert!(said.contains(key), "{key} is not in {said}");
        }
    }
}
