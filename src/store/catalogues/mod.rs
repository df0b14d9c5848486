//! Catalogue files of operators: applied, and what that changes for everybody (`model.md` §4, `edges.md` §2).

mod effect;
mod removal;
mod uses;

use std::sync::Arc;

use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde::{Deserialize, Serialize};

use super::etags::{catalogue_etag, unchanged};
use super::rows::catalogue_file;
use super::{Error, Refusal, Tx};
use crate::decision::{Caller, Through, given_by_catalogue};
use crate::model::catalogue::{Catalogue, CatalogueError, CatalogueFile, is_built_in};
use crate::model::{Change, ChangeKind, Image, fold};

pub use effect::{CatalogueEffect, DocumentEffect, RoleEffect};
pub(super) use removal::obstacle;

use effect::Surroundings;
use uses::CustomRoles;

/// The field that every fault of the file is told of.
const FIELD: &str = "catalogue_yaml";
/// The most files that there may be, the built-in ones among them.
const MOST_FILES: usize = 64;

/// A catalogue file was applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CatalogueApplied {
    /// Its name.
    pub name: String,
    /// All catalogues, compiled with it; not kept for a repeat.
    #[serde(skip)]
    pub compiled: Option<Arc<Catalogue>>,
    /// What it changes for whom; of a dry run only.
    #[serde(skip)]
    pub effect: Option<CatalogueEffect>,
}

/// A file that fits the others.
struct Fitting {
    old: Option<CatalogueFile>,
    new: CatalogueFile,
    compiled: Arc<Catalogue>,
}

impl Tx {
    /// Applies an operator's catalogue file. Only in a write on the platform's tenant.
    ///
    /// The very file that is in force changes nothing. `INVALID_CATALOGUE`, `ESCALATION`, `CATALOGUE_VERSION`,
    /// `ROLE_IN_USE`, `TOO_LARGE`, `ROLE_NAME_TAKEN`.
    pub async fn apply_catalogue(
        &mut self,
        caller: &Caller,
        yaml: String,
        etag: &str,
    ) -> Result<CatalogueApplied, Refusal> {
        let platform = self.world().tenant();
        if !self.world().account(platform).is_some_and(|account| account.is_root()) {
            return Err(Refusal::unseen("account", platform));
        }
        let kept = self.catalogue_files().await?;
        let count = kept.len();
        // Off the threads that answer: a file may be a megabyte long.
        let fitting = tokio::task::spawn_blocking(move || fit(kept, yaml)).await;
        let Fitting { old, new, compiled } =
            fitting.map_err(|_| Error::Unavailable(super::Cause::of("the program ends")))??;
        let name = new.name.clone();
        let in_force = old.as_ref().map(|old| catalogue_etag(&old.name, old.version));
        if old.as_ref() == Some(&new) {
            unchanged(etag, &in_force.unwrap_or_default())?;
            let effect = self.effect_of(caller, &compiled, old.as_ref(), &new).await?;
            return Ok(CatalogueApplied { name, compiled: Some(compiled), effect });
        }
        self.gives_what_is_held(caller, &compiled).await?;
        unchanged(etag, &in_force.unwrap_or_default())?;
        grows(old.as_ref(), &new)?;
        if old.is_none() && count >= MOST_FILES {
            let why = format!("there are {MOST_FILES} catalogues already");
            return Err(Refusal::precondition("TOO_LARGE", why));
        }
        self.drops_nothing_in_use(&compiled).await?;
        self.takes_no_name(&compiled).await?;
        let effect = self.effect_of(caller, &compiled, old.as_ref(), &new).await?;
        self.put(Change {
            account: platform,
            kind: ChangeKind::CatalogueApply,
            before: old.map(Image::Catalogue),
            after: Some(Image::Catalogue(new)),
        })?;
        Ok(CatalogueApplied { name, compiled: Some(compiled), effect })
    }

    async fn catalogue_files(&self) -> Result<Vec<CatalogueFile>, Error> {
        let files = catalogue_file::Entity::find().order_by_asc(catalogue_file::Column::Name);
        files.all(&self.db).await?.into_iter().map(CatalogueFile::try_from).collect()
    }

    /// Refuses what anybody would gain by it that the caller does not hold at the root. What nobody has gives nobody anything.
    async fn gives_what_is_held(
        &self,
        caller: &Caller,
        new: &Arc<Catalogue>,
    ) -> Result<(), Refusal> {
        let beyond = given_by_catalogue(self.home(), caller, new, self.now());
        let mut customs = None;
        for (through, missing) in beyond {
            let gains = match &through {
                Through::Anything => true,
                Through::Ceiling(role) => uses::accounts(&self.db, role).await? > 0,
                Through::Document(id) => uses::assignees(&self.db, *id, 1).await? > 0,
                Through::Role(role) => {
                    uses::holders(&self.db, role, self.now(), 1).await? > 0 || {
                        let found = match customs.take() {
                            Some(found) => found,
                            None => self.custom_roles(new).await?,
                        };
                        customs.insert(found).may_include(role)
                    }
                }
            };
            if gains {
                return Err(missing.into());
            }
        }
        Ok(())
    }

    async fn custom_roles(&self, new: &Catalogue) -> Result<CustomRoles, Error> {
        CustomRoles::find(&self.db, self.world().catalogue(), new).await
    }

    async fn drops_nothing_in_use(&self, new: &Catalogue) -> Result<(), Refusal> {
        match obstacle(&self.db, self.world().catalogue(), new).await? {
            None => Ok(()),
            Some(why) => Err(Refusal::precondition("ROLE_IN_USE", why)),
        }
    }

    /// Refuses a name that some account has for a role of its own (`edges.md` §1).
    async fn takes_no_name(&self, new: &Catalogue) -> Result<(), Refusal> {
        let known = self.world().catalogue();
        let names: Vec<String> = new
            .roles()
            .filter_map(|(_, role)| fold(&role.name).ok())
            .filter(|name| !known.has_role_named(name.as_str()))
            .map(crate::model::Folded::into_string)
            .collect();
        match uses::namesake(&self.db, &names).await? {
            None => Ok(()),
            Some(name) => {
                let why = format!("an account has a role of its own that is called `{name}`");
                Err(Refusal::exists("ROLE_NAME_TAKEN", why))
            }
        }
    }

    /// Works out what a dry run answers. In earnest nobody waits for it.
    async fn effect_of(
        &self,
        caller: &Caller,
        new: &Arc<Catalogue>,
        old: Option<&CatalogueFile>,
        file: &CatalogueFile,
    ) -> Result<Option<CatalogueEffect>, Refusal> {
        if !self.is_dry_run() {
            return Ok(None);
        }
        let customs = self.custom_roles(new).await?;
        let (home, now) = (self.home(), self.now());
        let around = Surroundings { db: &self.db, home, caller, now };
        let mut effect = around.effect(new, customs).await?;
        effect.name.clone_from(&file.name);
        effect.version = file.version;
        effect.replaces = old.map(|old| old.version);
        Ok(Some(effect))
    }
}

impl CustomRoles {
    /// Returns whether a custom role includes a catalogue's, or may do so among those that were not looked at.
    fn may_include(&self, role: &str) -> bool {
        self.others || self.included.contains(role)
    }
}

/// Reads the file and compiles it with the others.
fn fit(mut files: Vec<CatalogueFile>, yaml: String) -> Result<Fitting, Refusal> {
    let invalid =
        |error: CatalogueError| Refusal::invalid("INVALID_CATALOGUE", FIELD, error.to_string());
    let new = CatalogueFile::read(yaml).map_err(invalid)?;
    if is_built_in(&new.name) {
        let why = format!("catalogue `{}` is built in and cannot be replaced", new.name);
        return Err(Refusal::invalid("INVALID_CATALOGUE", FIELD, why));
    }
    if i32::try_from(new.version).is_err() {
        let why = format!("catalogue `{}`: a version is at most {}", new.name, i32::MAX);
        return Err(Refusal::invalid("INVALID_CATALOGUE", FIELD, why));
    }
    let place = files.iter().position(|file| file.name == new.name);
    let old = place.map(|place| files.swap_remove(place));
    files.push(new.clone());
    let compiled = Arc::new(Catalogue::build(&files).map_err(invalid)?);
    Ok(Fitting { old, new, compiled })
}

/// Refuses a file that is not newer than the one in force.
fn grows(old: Option<&CatalogueFile>, new: &CatalogueFile) -> Result<(), Refusal> {
    let Some(old) = old.filter(|old| new.version <= old.version) else { return Ok(()) };
    let CatalogueFile { name, version, .. } = old;
    let why = format!(
        "catalogue `{name}` is in force in version {version}: a file that says anything else needs a greater one"
    );
    Err(Refusal::precondition("CATALOGUE_VERSION", why))
}
