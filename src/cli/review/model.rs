//! A review as plain data: what is gathered once, and written out in several ways.

use std::error::Error;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::crypto::HeadKey;
use crate::crypto::chain::{canonical, digest, hex};

/// The number of this form of reviews.
pub(super) const FORMAT: u32 = 1;

/// Who may do what under an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Review {
    /// The number of its form.
    pub(super) format: u32,
    /// The account reviewed, with all below it.
    pub(super) account_id: String,
    /// When, by the server's clock if it said so.
    pub(super) made_at: String,
    /// A right that was not used in so many days is told as unused.
    pub(super) unused_days: u16,
    /// How far the ledgers were, as the server signed it: one for each main account concerned.
    pub(super) heads: Vec<Head>,
    /// What is not in it, in words; empty = it is all that there is.
    pub(super) missing: Vec<String>,
    /// The account itself, those below it, and those above whose users reach into it.
    pub(super) accounts: Vec<Account>,
    /// The users of these; of accounts above only those who may do something here.
    pub(super) users: Vec<User>,
    /// The roles that rights come from.
    pub(super) roles: Vec<Role>,
    /// The rights documents that rights come from.
    pub(super) documents: Vec<Document>,
    /// Lists of permissions, sorted, each once, since the same few stand at thousands of users; rights name them by their place.
    pub(super) permission_sets: Vec<Vec<String>>,
}

/// A signed head of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub(super) struct Head {
    pub(super) account_id: String,
    pub(super) revision: u64,
    pub(super) time: String,
    /// The text that was signed.
    pub(super) head: String,
    pub(super) signature: String,
    pub(super) key_id: String,
    pub(super) public_key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub(super) struct Account {
    pub(super) account_id: String,
    pub(super) parent_account_id: String,
    pub(super) name: String,
    /// The effective status.
    pub(super) status: String,
    /// The role that nothing here exceeds; empty = none.
    pub(super) ceiling: String,
    /// It lies above the reviewed account.
    pub(super) above: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub(super) struct User {
    pub(super) user_id: String,
    pub(super) account_id: String,
    pub(super) parent_user_id: String,
    pub(super) user_name: String,
    pub(super) full_name: String,
    pub(super) kind: String,
    pub(super) enabled: bool,
    pub(super) last_sign_in: Option<String>,
    pub(super) rights: Vec<Right>,
}

/// What one grant gives a user in one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Right {
    /// What is in effect: the place of a permission set.
    pub(super) permission_set: usize,
    /// The account it holds in; empty = one that the asker does not see.
    pub(super) account_id: String,
    /// `ACCOUNT` or `SUBTREE`.
    pub(super) reach: String,
    /// On which users: `SELF`, `SUBTREE`, `SIBLINGS`, `ACCOUNT`, or `UNSPECIFIED` = none.
    pub(super) on: String,
    /// The resource path it is limited to; empty = it is not.
    pub(super) scope: String,
    pub(super) resource_type: String,
    pub(super) resource_id: String,
    /// `ITSELF`, `DIRECT` or `CONTAINED` where it is about one resource.
    pub(super) depth: String,
    /// The role it comes from; empty = a document.
    pub(super) role: String,
    /// The rights document it comes from; empty = a role.
    pub(super) rights_doc_id: String,
    /// `EVERYBODY`, `OWN`, `INCLUDED`, `INHERITED` or `MASTER`.
    pub(super) way: String,
    /// The role that includes it.
    pub(super) via_role: String,
    /// The user from whom it is inherited.
    pub(super) via_user_id: String,
    pub(super) master_account_id: String,
    /// When it ends.
    pub(super) expires: Option<String>,
    /// The conditions that must hold besides.
    pub(super) conditions: Vec<String>,
    /// What stops or narrows it: a word of the API each, and what goes with it.
    pub(super) limits: Vec<Limit>,
    /// What of it was not used: the place of a permission set; absent = not known.
    pub(super) unused_set: Option<usize>,
    /// Nothing that its grant gives was used.
    pub(super) unused_whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limit {
    pub(super) kind: String,
    pub(super) account_id: String,
    pub(super) role: String,
    /// How many permissions it takes away, where it takes some.
    pub(super) takes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub(super) struct Role {
    /// As rights name it.
    pub(super) role: String,
    pub(super) name: String,
    pub(super) description: String,
    /// The account that made it; empty = a catalogue declares it.
    pub(super) account_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) rights_doc_id: String,
    pub(super) name: String,
    pub(super) account_id: String,
    pub(super) owner_id: String,
    pub(super) cascade: bool,
    pub(super) is_master: bool,
}

impl Right {
    /// Whether every user holds it without being given it.
    pub(super) fn is_everybodys(&self) -> bool {
        self.way == "EVERYBODY"
    }
}

impl Review {
    /// Returns what a right permits.
    pub(super) fn permissions(&self, right: &Right) -> &[String] {
        self.set(right.permission_set)
    }

    /// Returns what of a right was not used, where that is known.
    pub(super) fn unused(&self, right: &Right) -> Option<&[String]> {
        right.unused_set.map(|place| self.set(place))
    }

    fn set(&self, place: usize) -> &[String] {
        self.permission_sets.get(place).map_or(&[], Vec::as_slice)
    }
}

/// A review with the digest of its content.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) review: Review,
    /// SHA-256 of the canonical JSON (RFC 8785) of the review, as hexadecimal digits.
    pub(super) sha256: String,
}

/// Why a text is no review that counts.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoReview {
    #[error("it is no review in JSON")]
    Form(#[source] serde_json::Error),
    #[error("it is a review of another form ({0}) than this program knows")]
    Format(u64),
    #[error("it is not what was written: its SHA-256 is another than it says")]
    Digest,
    #[error("the ledger's head in it is not what its key has signed")]
    Head,
}

impl Sealed {
    pub(super) fn new(review: Review) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let sha256 = hex(&digest(&canonical(&serde_json::to_value(&review)?)?));
        Ok(Self { review, sha256 })
    }

    /// Writes it as JSON.
    pub(super) fn text(&self) -> Result<String, serde_json::Error> {
        let value = json!({ "review": self.review, "sha256": self.sha256 });
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }

    /// Reads what `text` has written, and nothing that was changed since.
    pub(super) fn read(text: &str) -> Result<Self, NoReview> {
        let value: Value = serde_json::from_str(text).map_err(NoReview::Form)?;
        let review = value.get("review").unwrap_or(&Value::Null);
        let format = review.get("format").and_then(Value::as_u64).unwrap_or(0);
        if format != u64::from(FORMAT) {
            return Err(NoReview::Format(format));
        }
        let bytes = canonical(review).map_err(|_| NoReview::Digest)?;
        let sha256 = hex(&digest(&bytes));
        if value.get("sha256").and_then(Value::as_str) != Some(&sha256) {
            return Err(NoReview::Digest);
        }
        let review: Review = serde_json::from_value(review.clone()).map_err(NoReview::Form)?;
        let signed = |head: &Head| {
            let key = HeadKey::read(&head.public_key).ok();
            key.is_some_and(|key| key.open(&head.head, &head.signature).is_ok())
        };
        if !review.heads.iter().all(signed) {
            return Err(NoReview::Head);
        }
        Ok(Self { review, sha256 })
    }
}

#[cfg(test)]
pub(super) mod examples {
    use super::*;

    fn user(user_id: &str, parent: &str, name: &str, rights: Vec<Right>) -> User {
        User {
            user_id: user_id.to_owned(),
            account_id: "acc_1".to_owned(),
            parent_user_id: parent.to_owned(),
            user_name: name.to_owned(),
            full_name: String::new(),
            kind: "ADMIN".to_owned(),
            enabled: true,
            last_sign_in: None,
            rights,
        }
    }

    pub(in crate::cli::review) fn right(permission_set: usize, role: &str, way: &str) -> Right {
        Right {
            permission_set,
            account_id: "acc_1".to_owned(),
            reach: "SUBTREE".to_owned(),
            on: "ACCOUNT".to_owned(),
            role: role.to_owned(),
            way: way.to_owned(),
            ..Default::default()
        }
    }

    /// A review of one account: a boss, two below who are called what no page should believe, and one without rights.
    pub(in crate::cli::review) fn review() -> Review {
        let strange = "<script>alert(1)</script>";
        let account = Account {
            account_id: "acc_1".to_owned(),
            parent_account_id: String::new(),
            name: "Acme & \"Sons\"".to_owned(),
            status: "ACTIVE".to_owned(),
            ceiling: String::new(),
            above: false,
        };
        let boss = vec![right(0, "(none)", "EVERYBODY"), right(1, "BOSS", "OWN")];
        let document = Right {
            rights_doc_id: "doc_1".to_owned(),
            via_user_id: "usr_boss".to_owned(),
            expires: Some("2027-03-01T00:00:00Z".to_owned()),
            unused_set: Some(2),
            unused_whole: true,
            ..right(2, "", "INHERITED")
        };
        let sets: [&[&str]; 3] = [
            &["user.read"],
            &["recording.delete", "recording.listen", "role.assign"],
            &["recording.delete"],
        ];
        Review {
            format: FORMAT,
            account_id: "acc_1".to_owned(),
            made_at: "2027-01-15T08:00:00Z".to_owned(),
            unused_days: 90,
            heads: Vec::new(),
            missing: vec!["users of <accounts> above".to_owned()],
            accounts: vec![account],
            users: vec![
                user("usr_boss", "", "boss", boss),
                user("usr_bad", "usr_boss", strange, vec![document]),
                user("usr_none", "usr_bad", "=cmd|' /C calc'!A0", Vec::new()),
            ],
            roles: vec![Role {
                role: "BOSS".to_owned(),
                name: "BOSS".to_owned(),
                description: "Everything <b>".to_owned(),
                account_id: String::new(),
            }],
            documents: vec![Document {
                rights_doc_id: "doc_1".to_owned(),
                name: "'\"><img src=x onerror=alert(1)>".to_owned(),
                account_id: "acc_1".to_owned(),
                owner_id: "usr_boss".to_owned(),
                cascade: true,
                is_master: false,
            }],
            permission_sets: sets
                .iter()
                .map(|set| set.iter().map(|one| (*one).to_owned()).collect())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let sealed = Sealed::new(examples::review()).unwrap();
        let text = sealed.text().unwrap();
        let read = Sealed::read(&text).unwrap();
        assert_eq!((&read.review, &read.sha256), (&sealed.review, &sealed.sha256));
        let other = text.replace("recording.delete", "recording.listen");
        assert!(matches!(Sealed::read(&other), Err(NoReview::Digest)));
        let other = text.replace("\"format\": 1", "\"format\": 2");
        assert!(matches!(Sealed::read(&other), Err(NoReview::Format(2))));
        assert!(matches!(Sealed::read("{}"), Err(NoReview::Format(0))));
        assert!(matches!(Sealed::read("page"), Err(NoReview::Form(_))));
        let mut review = examples::review();
        review.heads.push(Head {
            account_id: "acc_1".to_owned(),
            revision: 1,
            time: String::new(),
            head: "{}".to_owned(),
            signature: String::new(),
            key_id: String::new(),
            public_key: String::new(),
        });
        let text = Sealed::new(review).unwrap().text().unwrap();
        assert!(matches!(Sealed::read(&text), Err(NoReview::Head)));
    }
}
