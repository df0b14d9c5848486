//! What loaded catalogues give together, and what is refused.

mod bodies;
mod figures;
mod naming;
mod operator;
mod refusals;

use std::sync::LazyLock;

use super::{Catalogue, CatalogueError, CatalogueFile, Role, built_in};

// Read and compiled once: without optimization that takes longer than all that is asked of it.
static FILES: LazyLock<Vec<CatalogueFile>> = LazyLock::new(|| built_in().unwrap());
static BUILT: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::build(&FILES).unwrap());

/// All built-in files, compiled.
fn catalogue() -> &'static Catalogue {
    &BUILT
}

/// All built-in files and one more.
fn with(yaml: &str) -> Result<Catalogue, CatalogueError> {
    let mut files = FILES.clone();
    files.push(CatalogueFile::read(yaml.to_owned())?);
    Catalogue::build(&files)
}

fn role<'a>(catalogue: &'a Catalogue, full: &str) -> &'a Role {
    catalogue.get(catalogue.role(full).unwrap_or_else(|| panic!("{full} is no role")))
}

/// The names of what a role gives, its own and included.
fn given<'a>(catalogue: &'a Catalogue, full: &str) -> Vec<&'a str> {
    role(catalogue, full).expanded.iter().map(|permission| catalogue.name(permission)).collect()
}
