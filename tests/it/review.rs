//! `chancery review`: against a whole service, as its page, its table and its JSON, and what changed between two.

use std::collections::BTreeMap;

use chancery::proto::v1 as pb;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::asked;
use crate::support::{Person, Service, engines};

const STRANGE: &str = "<script>alert(1)</script>";

/// An account with a boss, a clerk below whose name is no markup, and an account below with one of its own.
struct House {
    service: Service,
    acme: String,
    boss: Person,
    clerk: Person,
    branch: Person,
}

impl House {
    async fn start(engine: &crate::support::Engine) -> Self {
        let service = Service::start(engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let clerk = service.person_under(&acme, Some(&boss), STRANGE, &["USER"]).await;
        let below = service.account(&acme, "Branch").await;
        let branch = service.person(&below, "=1+1", &["MANAGE_USERS"]).await;
        Self { service, acme, boss, clerk, branch }
    }

    async fn json(&self, by: &Person) -> Value {
        let review = ["review", self.acme.as_str(), "--format", "json"];
        let (good, json, said) = asked(&self.service, &by.token, &review).await;
        assert!(good, "{said}");
        serde_json::from_str(&json).unwrap()
    }
}

/// Returns what each user may do, by what it comes from.
fn rights(review: &Value) -> BTreeMap<String, Vec<(String, Vec<String>)>> {
    let review = &review["review"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let users = review["users"].as_array().unwrap().iter().map(|user| {
        let rights = user["rights"].as_array().unwrap().iter().map(|right| {
            let set = right["permission_set"].as_u64().unwrap().to_string();
            let set = review["permission_sets"].pointer(&format!("/{set}")).unwrap();
            let permissions = set.as_array().unwrap().iter().map(text).collect();
            (text(&right["role"]), permissions)
        });
        (text(&user["user_id"]), rights.collect())
    });
    users.collect()
}

#[tokio::test]
async fn a_review_says_who_may_do_what_and_stands_at_a_signed_head() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let seen = house.json(&house.boss).await;
        let rights = rights(&seen);
        let of = |person: &Person, role: &str| {
            rights[&person.user_id].iter().find(|(from, _)| from == role).unwrap().1.clone()
        };
        assert!(of(&house.boss, "SUPER_USER").contains(&"recording.delete".to_owned()));
        assert!(of(&house.branch, "MANAGE_USERS").contains(&"role.assign".to_owned()));
        let user = of(&house.clerk, "USER");
        assert!(!user.contains(&"recording.delete".to_owned()), "{user:?}");
        // What the engine says is what stands there.
        let path = format!("account/{}/recording/-", house.acme);
        for (person, may) in [(&house.boss, true), (&house.clerk, false)] {
            let said = house.service.decides(&person.user_id, "delete", "recording", &path).await;
            assert_eq!(said.decision, may);
        }

        let request = pb::GetLedgerHeadRequest { account_id: house.acme.clone() };
        let head = house.service.audit(&house.boss).get_ledger_head(request).await.unwrap();
        let heads = seen["review"]["heads"].as_array().unwrap();
        assert_eq!(heads.len(), 1);
        assert_eq!(heads[0]["revision"], head.into_inner().revision);
        // Who runs the platform is out of sight, and that is said; to the platform itself nothing is missing.
        let missing = &seen["review"]["missing"];
        assert!(missing.to_string().contains("accounts above"), "{missing}");
        let all = house.json(&house.service.root).await;
        assert_eq!(all["review"]["missing"], serde_json::json!([]));
        let root = &house.service.root.user_id;
        assert!(all["review"]["users"].to_string().contains(root.as_str()));
        house.service.stop().await;
    }
}

#[tokio::test]
async fn what_the_asker_may_not_see_is_named_and_too_many_users_are_too() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let narrow = house.service.person(&house.acme, "narrow", &["MANAGE_USERS"]).await;
        let seen = house.json(&narrow).await;
        let missing = seen["review"]["missing"].to_string();
        for what in ["signed head", "unused", "rights of", "accounts above"] {
            assert!(missing.contains(what), "{what}: {missing}");
        }
        assert_eq!(seen["review"]["heads"], serde_json::json!([]));
        let few = ["review", house.acme.as_str(), "--format", "json", "--most-users", "1"];
        let (good, json, said) = asked(&house.service, &house.boss.token, &few).await;
        assert!(good, "{said}");
        let few: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(few["review"]["users"].as_array().unwrap().len(), 1);
        assert!(few["review"]["missing"].to_string().contains("beyond the first 1,"), "{few}");
        let elsewhere = ["review", "acc_01h455vb4pex5vsknk084sn02q"];
        let (good, _, said) = asked(&house.service, &house.boss.token, &elsewhere).await;
        assert!(!good && said.contains("NotFound"), "{said}");
        house.service.stop().await;
    }
}

#[tokio::test]
async fn the_page_and_the_table_take_names_for_texts() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("review.html");
        let file = file.to_str().unwrap();
        let page = ["review", house.acme.as_str(), "--out", file];
        let (good, printed, said) = asked(&house.service, &house.boss.token, &page).await;
        assert!(good && printed.is_empty(), "{said}");
        let page_text = std::fs::read_to_string(file).unwrap();
        assert!(page_text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert_eq!(page_text.matches("<script").count(), 1);
        assert!(page_text.contains("Who may delete things?"));
        // It does not write over what is there.
        let (good, _, said) = asked(&house.service, &house.boss.token, &page).await;
        assert!(!good && said.contains("review.html"), "{said}");
        let table = ["review", house.acme.as_str(), "--format", "csv"];
        let (good, table, said) = asked(&house.service, &house.boss.token, &table).await;
        assert!(good, "{said}");
        assert!(table.contains(",\"'=1+1\",") && table.contains("recording.delete"), "{table}");
        house.service.stop().await;
    }
}

#[tokio::test]
async fn two_reviews_tell_who_gained_and_who_lost() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (before, after) = (path("before.json"), path("after.json"));
        let write = |to: String| async {
            let to = to;
            let review = ["review", &house.acme, "--format", "json", "--out", &to];
            let (good, _, said) = asked(&house.service, &house.boss.token, &review).await;
            assert!(good, "{said}");
        };
        write(before.clone()).await;
        let giving = pb::AddUserRoleRequest {
            user_id: house.clerk.user_id.clone(),
            role_type: "MANAGE_USERS".to_owned(),
            force: true,
            ..Default::default()
        };
        house.service.roles(&house.boss).add_user_role(giving).await.unwrap();
        let off = pb::SetUserActiveRequest {
            user_id: house.branch.user_id.clone(),
            ..Default::default()
        };
        house.service.users(&house.boss).set_user_active(off).await.unwrap();
        write(after.clone()).await;
        // Nobody is asked, and no token is needed.
        let diff = ["review", "diff", &before, &after];
        let (good, told, said) = asked(&house.service, "", &diff).await;
        assert!(good, "{said}");
        assert!(
            told.contains("2 users changed") && told.contains("gained by role MANAGE_USERS"),
            "{told}"
        );
        assert!(told.contains("=1+1 (") && told.contains(": disabled"), "{told}");
        let (_, json, _) = asked(&house.service, "", &[&diff[..], &["--json"]].concat()).await;
        let json: Value = serde_json::from_str(&json).unwrap();
        let users = json["users"].as_array().unwrap();
        let of = |id: &str| users.iter().find(|user| user["user_id"] == *id).unwrap();
        assert!(of(&house.clerk.user_id)["gained"].to_string().contains("user.delete"));
        assert_eq!(of(&house.branch.user_id)["gained"], serde_json::json!([]));
        assert!(of(&house.branch.user_id)["lost"].to_string().contains("user.delete"));
        // What was changed by hand is no review any more.
        let text = std::fs::read_to_string(&after).unwrap().replace("role.assign", "role.read");
        std::fs::write(&after, text).unwrap();
        let (good, _, said) = asked(&house.service, "", &diff).await;
        assert!(!good && said.contains("not what was written"), "{said}");
        house.service.stop().await;
    }
}
