//! `chancery bootstrap`

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{Outcome, open, say};
use crate::config::Config;
use crate::crypto::token::{self, Secret, TokenKind};
use crate::crypto::{KeyRing, secret};
use crate::model::UserKind;
use crate::store::{Bootstrap, BootstrapError, Bootstrapped, Error, Store};
use crate::telemetry;

/// What the root account is called until somebody calls it otherwise.
const PLATFORM: &str = "Platform";

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// What the administrator is called
    #[arg(long, value_name = "NAME")]
    user_name: String,
    /// A person, or a machine such as the pipeline that sets up the rest
    #[arg(long, value_enum, default_value_t = Kind::Human)]
    kind: Kind,
    /// What the root account is called
    #[arg(long, value_name = "NAME", default_value = PLATFORM)]
    account_name: String,
    /// The file that gets the administrator's token, readable for its owner alone; else it is printed
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Human,
    Machine,
}

/// A token file that is in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenFile {
    /// It holds something of somebody's.
    #[error("--token-file: `{}` is there already and holds no token: name another file", .0.display())]
    Taken(PathBuf),
    /// It cannot be written.
    #[error("--token-file: `{}` cannot be written", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// Bootstraps a migrated store. A store that has been is left as it is, and that is no error.
pub(super) async fn run(config: &Config, wanted: Wanted) -> Outcome {
    telemetry::init(&config.log)?;
    open::user_name(&wanted.user_name)?;
    // Before the store is opened: to open a file is to make it and what lies beside it, and what is refused makes nothing.
    let pending = Store::lacks(&config.store()).await?;
    if pending > 0 {
        return Err(Error::NotMigrated { pending }.into());
    }
    let store = open::store(config).await?;
    let done = bootstrap(config, &store, wanted).await;
    store.close().await?;
    done
}

async fn bootstrap(config: &Config, store: &Store, wanted: Wanted) -> Outcome {
    let keys = open::keys(config, store).await?;
    if let Some(root) = store.root().await? {
        return already(&root.to_string());
    }
    let kind = match wanted.kind {
        Kind::Human => UserKind::Admin,
        Kind::Machine => UserKind::Service,
    };
    let secret = mint(kind)?;
    // Before the commit: a token that is lost on its way to the file could not be had again.
    let file = match &wanted.token_file {
        Some(path) => Some(TokenFileDraft::write(path, secret.expose())?),
        None => None,
    };
    let first = First { account_name: wanted.account_name, user_name: wanted.user_name, kind };
    let Some(made) = first.make(store, &keys, &secret).await? else {
        drop(file);
        let root = store.root().await?.map(|root| root.to_string());
        return already(&root.unwrap_or_default());
    };
    let kept = match file {
        Some(file) => format!("in {}", file.keep()?.display()),
        None => secret.expose().to_owned(),
    };
    let Bootstrapped { account, user, token } = made;
    say(&format!("root account: {account}\nuser: {user}\ntoken id: {token}\ntoken: {kept}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn already(root: &str) -> Outcome {
    say(&format!("bootstrapped before: the root account is {root}; nothing was changed\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Mints the token of a first user.
pub(super) fn mint(kind: UserKind) -> Result<Secret, secret::NoRandomness> {
    let kind = if kind == UserKind::Service { TokenKind::Svc } else { TokenKind::Pat };
    Secret::mint(kind, secret::system)
}

/// Who the first user is.
pub(super) struct First {
    pub(super) account_name: String,
    pub(super) user_name: String,
    pub(super) kind: UserKind,
}

impl First {
    /// The administrator that `serve` makes in a store of its own.
    pub(super) fn embedded() -> Self {
        Self {
            account_name: PLATFORM.to_owned(),
            user_name: "admin".to_owned(),
            kind: UserKind::Admin,
        }
    }

    /// Makes it, with a token whose secret is `secret`; `None` if the store has been bootstrapped.
    pub(super) async fn make(
        self,
        store: &Store,
        keys: &KeyRing,
        secret: &Secret,
    ) -> Result<Option<Bootstrapped>, BootstrapError> {
        let digest = secret.digest(keys);
        let Self { account_name, user_name, kind } = self;
        store.bootstrap(Bootstrap { account_name, user_name, kind, digest }, keys).await
    }
}

/// A token written beside where it is to be; gone again unless it is kept.
struct TokenFileDraft {
    path: PathBuf,
    draft: PathBuf,
    kept: bool,
}

impl TokenFileDraft {
    fn write(path: &Path, token: &str) -> Result<Self, TokenFile> {
        let failed = |error| TokenFile::Io(path.to_owned(), error);
        match fs::read_to_string(path) {
            // What an earlier attempt left that did not get further.
            Ok(text) if token::parse(text.trim()).is_ok() => {}
            Ok(_) => return Err(TokenFile::Taken(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(TokenFile::Taken(path.to_owned()));
            }
            Err(error) => return Err(failed(error)),
        }
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{}.new", std::process::id()));
        let draft = PathBuf::from(draft);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .map_err(failed)?;
        let made = Self { path: path.to_owned(), draft, kept: false };
        file.write_all(token.as_bytes()).map_err(failed)?;
        file.write_all(b"\n").map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok(made)
    }

    /// Gives the file its name.
    fn keep(mut self) -> Result<PathBuf, TokenFile> {
        // From here on the token is worth something: better a file of the wrong name than none.
        self.kept = true;
        fs::rename(&self.draft, &self.path)
            .map_err(|error| TokenFile::Io(self.draft.clone(), error))?;
        Ok(self.path.clone())
    }
}

impl Drop for TokenFileDraft {
    fn drop(&mut self) {
        if !self.kept {
            // What is left is a token of nobody.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_token_file_is_for_its_owner_alone_and_takes_nobody_elses_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let count = || fs::read_dir(folder.path()).unwrap().count();
        let secret = mint(UserKind::Service).unwrap();
        drop(TokenFileDraft::write(&path, secret.expose()).unwrap());
        assert_eq!(count(), 0, "what is not kept is gone");

        TokenFileDraft::write(&path, secret.expose()).unwrap().keep().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), secret.expose());
        let other = mint(UserKind::Admin).unwrap();
        TokenFileDraft::write(&path, other.expose()).unwrap().keep().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), other.expose());

        fs::write(&path, "my diary").unwrap();
        let refused = TokenFileDraft::write(&path, secret.expose());
        assert!(matches!(refused, Err(TokenFile::Taken(_))));
        assert_eq!(count(), 1);
    }
}
