//! What the steps are made of.

use sea_orm_migration::prelude::*;

/// Makes an index.
pub(crate) fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

/// Makes a primary key of several columns.
pub(crate) fn key(name: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut key = Index::create();
    key.name(name);
    for column in columns {
        key.col(*column);
    }
    key
}

/// Makes a reference to a row of `to` that must be there.
pub(crate) fn refers(
    table: &'static str,
    column: &'static str,
    to: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_{column}_exists"))
        .from(table, column)
        .to(to, "id")
        .take()
}
