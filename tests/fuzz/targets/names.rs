//! Names: ids, paths, names of users, and filters of them.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use chancery::layers::Proxies;
use chancery::model::{
    AccountId, DocId, KeyId, MessageId, Named, RegionalSettings, ResourcePath, RoleId, SessionId,
    SessionMarks, SigningKeyId, SpiffeId, TokenId, User, UserFilter, UserId, UserKind, decode_id,
    fold,
};
use chrono::DateTime;

use super::{halves, text};

/// Whom a proxy's header names has a SPIFFE id, and stays who it is whatever stands before what the proxy has written.
///
/// An input is what stands before, and what the proxy has written.
pub(super) fn forwarded_certificates(input: &[u8]) {
    let (before, own) = halves(input);
    let (before, own) = (text(before), text(own));
    let proxies = Proxies::default();
    if let Some(id) = proxies.named(own) {
        again(&id);
        assert_eq!(proxies.named(&format!("{before},{own}")), Some(id));
    }
}

/// Returns whether `T` takes a text; it then writes the very same.
fn reads_back<T: FromStr + Display>(text: &str) -> bool {
    let read = text.parse::<T>();
    read.is_ok_and(|read| {
        assert_eq!(read.to_string(), text);
        true
    })
}

/// An id has one way to be written, and is of one kind.
pub(super) fn ids(input: &[u8]) {
    let text = text(input);
    let kinds = [
        reads_back::<AccountId>(text),
        reads_back::<UserId>(text),
        reads_back::<RoleId>(text),
        reads_back::<TokenId>(text),
        reads_back::<DocId>(text),
        reads_back::<SessionId>(text),
        reads_back::<MessageId>(text),
        reads_back::<KeyId>(text),
        reads_back::<SigningKeyId>(text),
        reads_back::<SpiffeId>(text),
    ];
    assert!(kinds.into_iter().filter(|kind| *kind).count() <= 1, "of two kinds");
}

fn again<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(read: &T) {
    assert_eq!(read.to_string().parse::<T>().expect("what we write, we read"), *read);
}

/// What a path is read as is what it is written as, and lies in itself and in its account.
pub(super) fn paths(input: &[u8]) {
    let text = text(input);
    if let Ok(named) = decode_id(text) {
        assert_eq!(decode_id(&named.to_string()), Ok(named.clone()));
        assert_eq!(named == Named::Any, text == "-");
    }
    let Ok(path) = text.parse::<ResourcePath>() else { return };
    again(&path);
    assert!(path.covers(&path));
    assert!(ResourcePath::account(path.account).covers(&path));
    assert_eq!(path.kind(), path.kind().to_ascii_lowercase());
}

/// A name's key is the key of the key: else who is written in two ways could be two users.
pub(super) fn names(input: &[u8]) {
    let Ok(key) = fold(text(input)) else { return };
    assert_eq!(fold(key.as_str()).as_ref(), Ok(&key));
    assert_eq!(fold(&format!(" {key}\t")).as_ref(), Ok(&key));
}

/// What a filter leaves out, its opposite finds.
pub(super) fn filters(input: &[u8]) {
    let text = text(input);
    let Ok(filter) = UserFilter::parse(text) else { return };
    // It may nest one level too deep now.
    let Ok(opposite) = UserFilter::parse(&format!("NOT ({text})")) else { return };
    let ann = ann();
    assert_ne!(filter.holds(&ann), opposite.holds(&ann));
}

fn ann() -> User {
    let then = DateTime::UNIX_EPOCH;
    User {
        id: UserId(uuid::Uuid::from_u128(1)),
        account: AccountId(uuid::Uuid::from_u128(2)),
        parent: None,
        kind: UserKind::Admin,
        user_name: "Ann@example.com".to_owned(),
        first_name: "Ann".to_owned(),
        last_name: "O'Hara".to_owned(),
        full_name: String::new(),
        email: None,
        phone_number: String::new(),
        regional_settings: RegionalSettings::default(),
        enabled: true,
        sso: false,
        identity: None,
        application: None,
        create_time: then,
        update_time: then,
        delete_time: None,
        session_marks: SessionMarks::default(),
    }
}
