//! The address of the database, as far as settings look into it.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serializer;

const MASK: &str = "***";

/// Writes the address with its passwords masked.
pub(super) fn masked<S: Serializer>(url: &SecretString, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&mask(url.expose_secret()))
}

/// Masks what stands between a user name and the last `@`, and every parameter that is called a password.
///
/// Rather more than a password is masked than less: an address that is not well formed may hold one as well.
fn mask(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|(s, _)| s.starts_with("postgres"))
    else {
        return url.to_owned();
    };
    let (user, host) = match rest.rsplit_once('@') {
        None => (String::new(), rest),
        Some((user, host)) => match user.split_once(':') {
            None => (format!("{user}@"), host),
            Some((name, _)) => (format!("{name}:{MASK}@"), host),
        },
    };
    let (place, parameters) = host.split_once('?').map_or((host, None), |(p, q)| (p, Some(q)));
    let mut masked = format!("{scheme}://{user}{place}");
    for (n, pair) in parameters.into_iter().flat_map(|all| all.split('&')).enumerate() {
        masked.push(if n == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("pass") => {
                masked.extend([name, "=", MASK]);
            }
            _ => masked.push_str(pair),
        }
    }
    masked
}

/// Returns the file that a SQLite address names.
pub(super) fn sqlite_file(url: &str) -> PathBuf {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split_once('?').map_or(rest, |(path, _)| path);
    PathBuf::from(decoded(path))
}

/// Takes `%20` and its like back to what they stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after.split_at_checked(2);
        let byte = digits.and_then(|(two, tail)| Some((u8::from_str_radix(two, 16).ok()?, tail)));
        let (byte, tail) = byte.unwrap_or((b'%', after));
        bytes.push(byte);
        rest = tail;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown_wherever_it_stands() {
        for (url, shown) in [
            ("sqlite://chancery.db", "sqlite://chancery.db"),
            ("postgres://host/db", "postgres://host/db"),
            ("postgres://me@host/db", "postgres://me@host/db"),
            ("postgres://me:hush@host:1/db?a=b", "postgres://me:***@host:1/db?a=b"),
            ("postgresql://me:hu/s@h@host/db", "postgresql://me:***@host/db"),
            (
                "postgres://host/db?user=me&password=hush&x=y",
                "postgres://host/db?user=me&password=***&x=y",
            ),
        ] {
            assert_eq!(mask(url), shown);
        }
    }

    #[test]
    fn a_sqlite_address_names_a_file() {
        for (url, file) in [
            ("sqlite://chancery.db", "chancery.db"),
            ("sqlite:data/c.db?mode=rwc", "data/c.db"),
            ("sqlite:///var/lib/c.db", "/var/lib/c.db"),
            ("sqlite://a%20b/100%.db", "a b/100%.db"),
        ] {
            assert_eq!(sqlite_file(url), PathBuf::from(file));
        }
    }
}
