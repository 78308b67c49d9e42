//! The embedded Iceberg catalog: tables registered in SQLite, files on the local disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use iceberg::io::LocalFsStorageFactory;
use iceberg::{Catalog, CatalogBuilder};
use iceberg_catalog_sql::{SqlBindStyle, SqlCatalogBuilder};

use crate::local::sqlite;
use crate::ports::{Error, Kind, Result};

/// The catalog's name in its own file, and that file's name in the data folder.
pub(super) const CATALOG: &str = "oort";
pub(super) const FILE: &str = "catalog.sqlite";

/// Opens or makes the catalog in `data`: `catalog.sqlite` and the folder `warehouse`.
pub async fn open(data: &Path) -> Result<Arc<dyn Catalog>> {
    let op = || format!("open the catalog {}", data.join(FILE).display());
    let unavailable = |error: std::io::Error| Error::caused(Kind::Unavailable, op(), error);
    std::fs::create_dir_all(data).map_err(unavailable)?;
    // Table metadata holds absolute paths, so that a table is found from any working folder.
    let data = data.canonicalize().map_err(unavailable)?;
    let catalog = SqlCatalogBuilder::default()
        .uri(format!("sqlite:{}?mode=rwc", data.join(FILE).display()))
        .warehouse_location(format!("{}", data.join("warehouse").display()))
        .sql_bind_style(SqlBindStyle::QMark)
        .with_storage_factory(Arc::new(LocalFsStorageFactory))
        .load(CATALOG, HashMap::new())
        .await
        .map_err(|error| Error::caused(sqlite::kind_of(&error), op(), error))?;
    Ok(Arc::new(catalog))
}
