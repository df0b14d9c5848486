//! `chancery who-changed`: the change by which an answer became another.

use super::*;

/// Runs the command; returns what it printed and whether it found anything.
async fn who_changed(told: &Told, by: &Person, more: &[&str]) -> (String, bool) {
    let url = format!("http://{}", told.service.grpc());
    let path = format!("account/{}/user/-", told.acme);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chancery"));
    command.args(["who-changed", &told.ann.user_id, "user.list", &path, "--server", &url]);
    command.args(more).env("CHANCERY_TOKEN", &by.token);
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    if done.status.code() != Some(0) {
        println!("{}", String::from_utf8_lossy(&done.stderr));
    }
    (said, done.status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_change_is_named_with_who_made_it_and_the_answers_before_and_after() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let auditor = told.service.machine(&told.acme, "auditor", &["AUDITOR"]).await;
        let (said, found) = who_changed(&told, &auditor, &[]).await;
        assert!(found && said.lines().count() == 1, "{said}");
        let entity = format!("role.revoke user/{}/role/ringcx/MANAGE_USERS", told.ann.user_id);
        for part in [
            "2027-01-15T08:00:02.000000Z",
            &format!("by {}", told.service.root.user_id),
            &entity,
            "PERMIT PERMITTED → DENY NO_GRANT",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let (said, found) = who_changed(&told, &auditor, &["--all", "--json"]).await;
        let lines: Vec<serde_json::Value> =
            said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(found && lines.len() == 2, "{said}");
        assert_eq!(lines[1]["time"], "2027-01-15T08:00:01.000000Z");
        assert_eq!(lines[1]["changes"][0]["action"], "role.assign");
        assert_eq!(lines[1]["before"]["decision"], false);
        assert_eq!(lines[1]["after"]["decision"], true);
        // Not among the newest.
        let (said, found) = who_changed(&told, &auditor, &["--writes", "1"]).await;
        let none = "no change found among the newest writes (1; `--writes` looks further back): \
            DENY NO_GRANT now\n";
        assert!(!found && said == none, "{said}");
        let (said, found) = who_changed(&told, &auditor, &["--writes", "1", "--json"]).await;
        assert!(!found && said.is_empty(), "{said}");
        // Nor in what there is of another account.
        let below = told.service.account(&told.acme, "Below").await;
        let (said, found) = who_changed(&told, &auditor, &["--account", &below]).await;
        let none = "no change found in all the writes that you may read (";
        let now = "): DENY NO_GRANT now\n";
        assert!(!found && said.starts_with(none) && said.ends_with(now), "{said}");
    }
}
