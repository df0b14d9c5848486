//! What a record says, and what it must not, and where it goes.

use super::*;

#[tokio::test]
async fn a_record_says_who_asked_what_and_why_it_was_so_and_holds_no_secret() {
    for engine in engines() {
        let (service, folder) = recording(&engine, "file", &[]).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person(&acme, "ann", &[]).await;
        let mut question = ask(&boss.user_id, "read", "account", &acme);
        question.context = Some(context("ticket", "hush hush"));
        let mut request = Request::new(question);
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let parent = format!("00-{trace}-b7ad6b7169203331-01");
        request.metadata_mut().insert("traceparent", parent.parse().unwrap());
        request.metadata_mut().insert("x-request-id", "asked-once".parse().unwrap());
        let permit = service.authorization(&service.root).authorize(request).await.unwrap();
        let permit = permit.into_inner();
        let deny = service.decides(&ann.user_id, "delete", "account", &acme).await;
        // By credentials: one that is somebody's, and one that was typed where an id belongs.
        let by_token = |kind: &str, id: &str, token: &str| pb::AuthorizeRequest {
            subject: Some(pb::Subject {
                r#type: kind.to_owned(),
                id: id.to_owned(),
                token: token.to_owned(),
                properties: None,
            }),
            ..ask("", "read", "account", &acme)
        };
        let mut asking = service.authorization(&service.root);
        let named = asking.authorize(by_token("token", "", &ann.token)).await.unwrap().into_inner();
        let astray = stranger();
        let lost = asking.authorize(by_token("user", &astray, "")).await.unwrap().into_inner();
        let dead = asking.authorize(by_token("token", &astray, "")).await.unwrap().into_inner();

        let (root, revision) = (service.root.clone(), permit.evaluated_revision);
        let records = stopped(service, folder.path()).await;
        let found = record(&records, &permit.decision_id);
        is_told(found, &root, &boss, &acme, trace, revision);
        let found = record(&records, &deny.decision_id);
        assert_eq!((&found["decision"], &found["reason"]), (&false.into(), &"NO_GRANT".into()));
        assert_eq!(found["missing"], "NOT_GRANTED");
        assert!(found["grants"].as_array().unwrap().is_empty());
        let found = record(&records, &named.decision_id);
        assert_eq!(
            (&found["subject"]["id"], &found["subject"]["by_credential"]),
            (&ann.user_id.as_str().into(), &true.into())
        );
        for nobody in [lost, dead] {
            assert!(record(&records, &nobody.decision_id)["subject"]["id"].is_null());
        }
        let text = std::fs::read_to_string(folder.path().join("decisions.jsonl")).unwrap();
        for secret in [&root.token, &boss.token, &ann.token, &astray, "hush hush"] {
            assert!(!text.contains(secret), "{secret} is in the log");
        }
    }
}

#[tokio::test]
async fn values_are_written_where_that_is_wanted_and_items_of_a_batch_as_questions_of_their_own() {
    for engine in engines() {
        let more = [("decision_log.values", "true")];
        let (service, folder) = recording(&engine, "file", &more).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        let item = |action: &str| {
            let one = ask(&ann.user_id, action, "account", &acme);
            pb::EvaluationRequest {
                subject: one.subject,
                action: one.action,
                resource: one.resource,
                context: Some(context("ticket", "7")),
            }
        };
        let request = pb::BatchAuthorizeRequest {
            evaluations: vec![item("read"), item("dance")],
            ..Default::default()
        };
        let answer = service.authorization(&service.root).batch_authorize(request).await.unwrap();
        let answers = answer.into_inner().evaluations;
        let records = stopped(service, folder.path()).await;
        let good = record(&records, &answers[0].decision_id);
        assert_eq!(good["door"], "BatchAuthorize");
        assert_eq!(good["properties"], serde_json::json!({ "context": { "ticket": "7" } }));
        let bad = record(&records, &answers[1].decision_id);
        assert_eq!(bad["error"]["reason"], "UNKNOWN_PERMISSION");
        assert!(bad["reason"].is_null() && bad["decision"] == false);
        let ids: Vec<&str> = answers.iter().map(|one| one.decision_id.as_str()).collect();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.starts_with("dec_")), "{ids:?}");
    }
}

#[tokio::test]
async fn what_a_proxy_asks_is_recorded_with_its_door_and_trace_and_explained_like_the_rest() {
    for engine in engines() {
        let more = [("mesh.answer_ms", "10000"), ("mesh.routes", ROUTES)];
        let (service, folder) = recording(&engine, "file", &more).await;
        let acme = service.tenant("Acme").await;
        let proxy = service.machine(&acme, "proxy", &["core/DECISION_CLIENT"]).await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let path = format!("/v1/users/{}", boss.user_id);
        let bearer = format!("Bearer {}", boss.token);
        let mut request = Request::new(held("GET", &path, &[("authorization", &bearer)]));
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let parent = format!("00-{trace}-b7ad6b7169203331-01");
        request.metadata_mut().insert("traceparent", parent.parse().unwrap());
        let mut door = AuthorizationClient::new(service.by(&proxy.token));
        let told = Told::of(door.check(request).await.unwrap().into_inner());
        assert_eq!(told.status, 200);
        let id = &told.metadata["decision_id"];
        let explained = explain(&service, &boss, id).await.unwrap();
        assert!(explained.decision && explained.recorded.unwrap().same_now);

        let records = stopped(service, folder.path()).await;
        let found = record(&records, id);
        assert_eq!((&found["door"], &found["trace_id"]), (&"Check".into(), &trace.into()));
        assert_eq!(found["caller"]["user_id"], proxy.user_id);
        assert_eq!(found["subject"]["id"], boss.user_id);
        assert_eq!(found["subject"]["by_credential"], true);
        assert_eq!(found["action"], "user.read");
        assert_eq!(found["resource"], format!("account/{acme}/user/{}", boss.user_id));
        assert_eq!(found["decision"], true);
        assert!(!found.to_string().contains(&boss.token));
    }
}

#[tokio::test]
async fn a_credential_that_stands_where_a_name_belongs_is_not_written_down() {
    for engine in engines() {
        let (service, folder) = recording(&engine, "file", &[]).await;
        let acme = service.tenant("Acme").await;
        let astray = stranger();
        let mut question = ask(&service.root.user_id, "read", "gate_group", &astray);
        question.context = Some(context(&astray, "x"));
        let mut asking = service.authorization(&service.root);
        let bare = asking.authorize(question.clone()).await.unwrap().into_inner();
        let path = format!("account/{acme}/gate_group/{astray}");
        question.resource.as_mut().unwrap().id = path;
        let whole = asking.authorize(question).await.unwrap().into_inner();
        let records = stopped(service, folder.path()).await;
        for answer in [bare, whole] {
            let text = record(&records, &answer.decision_id).to_string();
            assert!(text.contains("gate_group/redacted") && !text.contains(&astray), "{text}");
        }
    }
}

#[tokio::test]
async fn of_permits_a_share_is_recorded_and_denials_all_are() {
    for engine in engines() {
        let more = [("decision_log.permits", "0.25")];
        let (service, folder) = recording(&engine, "file", &more).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        for _ in 0..100 {
            assert!(service.decides(&ann.user_id, "read", "account", &acme).await.decision);
        }
        for _ in 0..10 {
            let other = service.root.account_id.clone();
            assert!(!service.decides(&ann.user_id, "read", "account", &other).await.decision);
        }
        let records = stopped(service, folder.path()).await;
        let permits = records.iter().filter(|one| one["decision"] == true).count();
        assert!((20..=30).contains(&permits), "{permits}");
        assert_eq!(records.len() - permits, 10);
    }
}

#[tokio::test]
async fn a_full_log_is_put_aside_and_nothing_of_it_is_lost() {
    for engine in engines() {
        let more = [("decision_log.file_bytes", "4096"), ("decision_log.file_keep", "50")];
        let (service, folder) = recording(&engine, "file", &more).await;
        let acme = service.tenant("Acme").await;
        let mut ids = Vec::new();
        for _ in 0..60 {
            let root = service.root.user_id.clone();
            ids.push(service.decides(&root, "read", "account", &acme).await.decision_id);
        }
        service.stop().await;
        let mut found = Vec::new();
        for entry in folder.path().read_dir().unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(text.len() <= 4096);
            let lines = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
            found.extend(lines.map(|one| one["decision_id"].as_str().unwrap().to_owned()));
        }
        found.sort();
        assert_eq!(found, ids);
    }
}

fn lost() -> u64 {
    let figures = telemetry::figures().render();
    let name = "chancery_decision_log_lost_total{why=\"queue\"}";
    let line = figures.lines().find(|line| line.starts_with(name));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_stands_still_holds_up_no_decision_and_what_is_lost_is_counted() {
    let engine = crate::support::Engine::Sqlite;
    let folder = tempfile::tempdir().unwrap();
    // Opening it waits for a reader, and there is none.
    let pipe = folder.path().join("decisions.pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let settings = [
        ("limits.changes_per_minute", "0"),
        ("decision_log.sink", "file"),
        ("decision_log.file", pipe.to_str().unwrap()),
    ];
    let service = Service::start_with(&engine, &settings).await;
    let acme = service.tenant("Acme").await;
    let before = lost();
    let one = ask(&service.root.user_id, "read", "account", &acme);
    let item = pb::EvaluationRequest {
        subject: one.subject,
        action: one.action,
        resource: one.resource,
        context: Some(context("letter", &"x".repeat(2_000))),
    };
    let request = pb::BatchAuthorizeRequest { evaluations: vec![item; 1000], ..Default::default() };
    let mut asking = service.authorization(&service.root);
    let began = Instant::now();
    // The queue has places for more, but not that many bytes.
    for _ in 0..4 {
        let answer = asking.batch_authorize(request.clone()).await.unwrap().into_inner();
        assert!(answer.evaluations.iter().all(|one| one.decision));
    }
    assert!(began.elapsed() < PATIENCE, "nobody waited for the log");
    assert!(lost() >= before + 1000, "{} were lost", lost() - before);
    // And it does not keep the server from stopping.
    let began = Instant::now();
    service.stop().await;
    assert!(began.elapsed() < PATIENCE);
}
