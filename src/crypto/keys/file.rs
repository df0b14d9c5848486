//! The master key in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose;
use zeroize::Zeroizing;

use super::{BadKey, KeyRing, LENGTH};
use crate::crypto::chain::hex;
use crate::crypto::secret::{self, NoRandomness};

/// A key file is longer than this only by mistake.
const MAX_FILE: u64 = 1024;

impl KeyRing {
    /// Reads the master key from a file that only its owner may open, or, where it is root's, one group besides.
    pub fn load(path: &Path) -> Result<Self, BadKey> {
        let failed = |source| BadKey::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        // Of the file that was opened, not of what its name may mean a moment later.
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(BadKey::NotAFile { path: path.to_owned() });
        }
        let mode = metadata.mode() & 0o777;
        if is_open(mode, metadata.uid()) {
            return Err(BadKey::Exposed { path: path.to_owned(), mode });
        }
        // Room for all from the start: growing would leave a copy behind that nobody wipes.
        let mut text = Zeroizing::new(Vec::with_capacity(2048));
        file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
        Self::read(&text)
    }

    /// Reads the master key from `path`, or makes one there if there is none: for the embedded default.
    ///
    /// When it returns, the key is on disk. Two processes that start together end with one key.
    pub fn load_or_create(
        path: &Path,
        random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Self, BadKey> {
        match Self::load(path) {
            Err(BadKey::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create(path, random)?;
                Self::load(path)
            }
            read => read,
        }
    }
}

/// Tells whether others may open a file than those that it is meant for. What systemd and Kubernetes hand to a program
/// that is not root belongs to root, and the program's group may read it.
const fn is_open(mode: u32, owner: u32) -> bool {
    let allowed = if owner == 0 { 0o740 } else { 0o700 };
    mode & 0o777 & !allowed != 0
}

/// Makes a key file, whole or not at all: it is written under another name, and gets its own by a link,
/// which fails if the name is taken. A crash never leaves half a key that the next start would trip over.
fn create(
    path: &Path,
    mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
) -> Result<(), BadKey> {
    let failed = |source| BadKey::Io { path: path.to_owned(), source };
    let master = Zeroizing::new(secret::bytes::<LENGTH>(&mut random)?);
    let mut text = Zeroizing::new(String::with_capacity(64));
    general_purpose::STANDARD.encode_string(master.as_slice(), &mut text);
    text.push('\n');

    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", hex(&secret::bytes::<8>(&mut random)?)));
    let draft = PathBuf::from(draft);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
    let made = write(file.map_err(failed)?, text.as_bytes());
    let linked = made.and_then(|()| match fs::hard_link(&draft, path) {
        // Somebody else was faster: theirs is the key.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    // The draft goes in any case; what went wrong first is what is told.
    let gone = fs::remove_file(&draft);
    linked.and(gone).and_then(|()| sync_folder(path)).map_err(failed)
}

fn write(mut file: File, text: &[u8]) -> io::Result<()> {
    file.write_all(text)?;
    file.sync_all()
}

/// Makes the name as lasting as the content.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn seeded(seed: u8) -> impl FnMut(&mut [u8]) -> Result<(), NoRandomness> {
        let mut next = seed;
        move |bytes| {
            bytes.fill_with(|| {
                next = next.wrapping_add(1);
                next
            });
            Ok(())
        }
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chancery.key");
        assert!(KeyRing::load(&path).is_err());
        let made = KeyRing::load_or_create(&path, secret::system).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let again = KeyRing::load_or_create(&path, |_| Err(NoRandomness)).unwrap();
        assert_eq!(made.token, again.token);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(made.token, KeyRing::from_base64(&text).unwrap().token);
    }

    #[test]
    fn processes_that_start_together_end_with_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chancery.key");
        let path = path.as_path();
        let tokens: Vec<_> = std::thread::scope(|scope| {
            let start = || KeyRing::load_or_create(path, secret::system).unwrap().token.to_vec();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(tokens.windows(2).all(|two| two[0] == two[1]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_open_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chancery.key");
        fs::write(&path, TEXT).unwrap();
        for mode in [0o660, 0o604, 0o620, 0o601, 0o644] {
            set_mode(&path, mode);
            let error = KeyRing::load_or_create(&path, secret::system).unwrap_err();
            assert!(matches!(error, BadKey::Exposed { mode: found, .. } if found == mode));
        }
        set_mode(&path, 0o400);
        assert!(KeyRing::load(&path).is_ok());
    }

    #[test]
    fn a_group_may_read_what_is_roots_and_nothing_else() {
        for mode in 0..=0o777 {
            assert_eq!(is_open(mode, 0), mode & 0o037 != 0, "{mode:03o} of root");
            assert_eq!(is_open(mode, 65_532), mode & 0o077 != 0, "{mode:03o} of another");
        }
    }

    #[test]
    fn a_bad_file_is_refused_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chancery.key");
        fs::write(&path, "").unwrap();
        set_mode(&path, 0o600);
        assert!(KeyRing::load_or_create(&path, secret::system).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert!(matches!(KeyRing::load(folder.path()), Err(BadKey::NotAFile { .. })));
        let nowhere = folder.path().join("none").join("chancery.key");
        assert!(matches!(KeyRing::load_or_create(&nowhere, seeded(0)), Err(BadKey::Io { .. })));
    }

    #[test]
    fn without_chance_no_file_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chancery.key");
        assert!(KeyRing::load_or_create(&path, |_| Err(NoRandomness)).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
