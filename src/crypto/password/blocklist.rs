//! An operator's own list of passwords that nobody may have, such as those that have become known elsewhere.
//!
//! It is held as a filter of some two bytes a password: of those that are not in the list one in 65 536 is refused with them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use xorf::{BinaryFuse16, Filter as _};

/// The list cannot be used; without it nothing is started.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file.
    #[error("the list of passwords `{}` cannot be read", path.display())]
    Io {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A list of nothing protects from nothing.
    #[error("the list of passwords `{}` is empty", .0.display())]
    Empty(PathBuf),
    /// The filter.
    #[error("the list of passwords `{}` cannot be held: {why}", path.display())]
    Filter {
        /// The file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
}

/// Passwords that nobody may have.
pub struct Blocklist(BinaryFuse16);

impl Blocklist {
    /// Looks whether there is a list that can be read.
    pub fn find(path: &Path) -> Result<(), Unreadable> {
        let failed = |source| Unreadable::Io { path: path.to_owned(), source };
        let mut first = Vec::new();
        let mut list = BufReader::new(File::open(path).map_err(failed)?);
        match list.read_until(b'\n', &mut first).map_err(failed)? {
            0 => Err(Unreadable::Empty(path.to_owned())),
            _ => Ok(()),
        }
    }

    /// Reads a list: UTF-8, one password a line, in any order and any case.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let failed = |source| Unreadable::Io { path: path.to_owned(), source };
        let mut keys = Vec::new();
        for line in BufReader::new(File::open(path).map_err(failed)?).lines() {
            let line = line.map_err(failed)?;
            if !line.is_empty() {
                keys.push(key(&line));
            }
        }
        if keys.is_empty() {
            return Err(Unreadable::Empty(path.to_owned()));
        }
        keys.sort_unstable();
        keys.dedup();
        let filter = BinaryFuse16::try_from(&keys);
        filter.map(Self).map_err(|why| Unreadable::Filter { path: path.to_owned(), why })
    }

    /// Tells whether the list has a password, in any case.
    pub fn has(&self, password: &str) -> bool {
        self.0.contains(&key(password))
    }
}

impl std::fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocklist").finish_non_exhaustive()
    }
}

fn key(password: &str) -> u64 {
    let hash: [u8; 32] = Sha256::digest(password.to_lowercase()).into();
    hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Blocklist, Unreadable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known.txt");
        std::fs::write(&path, text).unwrap();
        Blocklist::read(&path)
    }

    #[test]
    fn what_is_listed_is_found_in_any_case_and_hardly_anything_else() {
        let words: Vec<String> = (0..10_000).map(|n| format!("Word-{n}")).collect();
        let list = list(&(words.join("\r\n") + "\n\nword-1\n")).unwrap();
        assert!(words.iter().all(|word| list.has(word) && list.has(&word.to_uppercase())));
        let wrong = (10_000..30_000).filter(|n| list.has(&format!("Word-{n}"))).count();
        assert!(wrong <= 5, "{wrong} of 20 000");
    }

    #[test]
    fn a_list_that_is_missing_or_empty_or_no_text_is_none() {
        let gone = Blocklist::read(Path::new("/nowhere/known.txt"));
        assert!(matches!(gone, Err(Unreadable::Io { .. })));
        assert!(matches!(list("\n\n"), Err(Unreadable::Empty(_))));
        assert!(list("one").unwrap().has("ONE"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known.txt");
        std::fs::write(&path, [0xff, 0xfe, b'\n']).unwrap();
        assert!(matches!(Blocklist::read(&path), Err(Unreadable::Io { .. })));
    }
}
