//! What decisions are made by: catalogues, conditions, rights documents.

use std::sync::LazyLock;

use chancery::model::catalogue::{Catalogue, CatalogueFile, Difference, built_in};
use chancery::model::{Body, Condition, Fault, Holder, View};
use chrono::DateTime;
use serde_json::{Value, json};

use super::{halves, text};

/// Bytes that may be sent of each part of a question; as JSON that is more than as it is sent.
const MOST_SENT: usize = 8192;

static CORE: LazyLock<CatalogueFile> = LazyLock::new(|| built_in().expect("good").remove(0));
static ALONE: LazyLock<Catalogue> = LazyLock::new(|| build(std::slice::from_ref(&CORE)));
static ALL: LazyLock<Catalogue> = LazyLock::new(|| build(&built_in().expect("good")));

fn build(files: &[CatalogueFile]) -> Catalogue {
    Catalogue::build(files).expect("the built-in catalogues hold together")
}

/// A file that is taken is one whose every name leads back to what it names.
pub(super) fn catalogues(input: &[u8]) {
    let Ok(file) = CatalogueFile::read(text(input).to_owned()) else { return };
    assert_eq!(CatalogueFile::read(file.yaml.clone()).as_ref().ok(), Some(&file));
    let Ok(catalogue) = Catalogue::build(&[CORE.clone(), file]) else { return };
    for (ix, role) in catalogue.roles() {
        for holder in role.assignable_to.iter().filter(|_| !role.is_baseline()) {
            assert_eq!(catalogue.resolve(&role.full_name, *holder).ok(), Some(ix));
            assert_eq!(catalogue.resolve(catalogue.bare(ix), *holder).ok(), Some(ix));
        }
    }
    for name in catalogue.sorted_names(catalogue.all()) {
        let permission = catalogue.parse(&name).expect("every permission has a name");
        assert_eq!(catalogue.name(permission), name);
    }
    for document in catalogue.system_documents() {
        assert_eq!(catalogue.check_body(document.body.clone()).as_ref(), Ok(&document.body));
    }
    let more = Difference::new(&ALONE, &catalogue);
    assert!(more.removed_types().is_empty() && more.removed_permissions().is_empty());
    let less = Difference::new(&catalogue, &ALONE);
    assert_eq!(less.removed_permissions(), more.added_permissions());
    assert_eq!(less.roles().len(), more.roles().len());
}

/// A condition that is taken comes to the same on the same.
///
/// An input is a condition and, after a NUL, what is said of the question, in JSON.
pub(super) fn conditions(input: &[u8]) {
    let (condition, said) = halves(input);
    let condition = text(condition);
    let Ok(condition) = Condition::compile(condition) else { return };
    assert_eq!(Condition::stored(condition.text()), condition);
    let said = said.get(..MOST_SENT).unwrap_or(said);
    let said: Value = serde_json::from_slice(said).unwrap_or_else(|_| json!({}));
    let view = view(&said);
    let first = condition.holds(&view);
    assert_eq!(condition.holds(&self::view(&said)), first);
    // The same view has less left.
    let second = condition.holds(&view);
    assert!(second == first || second == Err(Fault::TooCostly));
}

fn view(said: &Value) -> View {
    let subject = json!({
        "id": "usr_00000000000000000000000001", "type": "user", "kind": "ADMIN", "user_name": "ann",
        "account_id": "acc_00000000000000000000000001", "properties": said,
    });
    let action = json!({ "name": "read", "properties": said });
    let resource = json!({
        "type": "gate", "id": "5", "path": "account/acc_00000000000000000000000001/gate/5",
        "account_id": "acc_00000000000000000000000001", "properties": said,
    });
    View::new(&subject, &action, &resource, said, DateTime::UNIX_EPOCH)
}

/// What is taken of a rights document is taken again as it was written out. An input is its body, in JSON.
pub(super) fn documents(input: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Body>(input) else { return };
    match ALL.check_body(body) {
        Ok(checked) => assert_eq!(ALL.check_body(checked.clone()).as_ref(), Ok(&checked)),
        // To tell what comes nearest takes long, and a body has room for a quarter of a million actions.
        Err(faults) => assert!((1..=32).contains(&faults.len())),
    }
    let text = text(input);
    let _ = (ALL.expand(text), ALL.resolve(text, Holder::Admin));
}
