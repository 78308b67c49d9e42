//! Compare-and-swap for Iceberg: a commit that succeeds only on the very snapshot it was computed from.
//!
//! Iceberg's append rebases itself on whatever the table has become, which would double rows that were compared with an
//! older snapshot. A catalog that always answers with the pinned table keeps the base, so the requirement that Iceberg
//! sends with the commit names it, and the real catalog refuses when the table has moved.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use iceberg::spec::DataFile;
use iceberg::table::Table;
use iceberg::transaction::{ApplyTransactionAction, Transaction};
use iceberg::{Catalog, Namespace, NamespaceIdent, TableCommit, TableCreation, TableIdent};

use crate::lake::failed;
use crate::model::activity::Watermark;
use crate::ports::{Error, Kind, Result};

/// Snapshot property that carries the [`Watermark`] from commit to commit.
pub(super) const WATERMARK_PROPERTY: &str = "oort.compacted-through";

/// The watermark of the newest snapshot that carries one; zero for a table that was never compacted.
///
/// Snapshots of other writers, such as a merge of small files, carry none: their parents are asked.
pub fn watermark(table: &Table) -> Result<Watermark> {
    let metadata = table.metadata();
    let mut snapshot = metadata.current_snapshot();
    while let Some(current) = snapshot {
        if let Some(text) = current.summary().additional_properties.get(WATERMARK_PROPERTY) {
            return text.parse().map(Watermark).map_err(|error| {
                Error::caused(
                    Kind::Invalid,
                    format!("read {WATERMARK_PROPERTY} {text:?} of the Activity table"),
                    error,
                )
            });
        }
        snapshot = current
            .parent_snapshot_id()
            .and_then(|parent| metadata.snapshot_by_id(parent));
    }
    Ok(Watermark::default())
}

/// Appends `files` to `base` and sets the watermark, in one commit. `Conflict` when the table is no longer `base`.
pub async fn append(
    catalog: &Arc<dyn Catalog>,
    base: &Table,
    files: Vec<DataFile>,
    watermark: Watermark,
) -> Result<Table> {
    let pinned = Pinned {
        base: base.clone(),
        catalog: Arc::clone(catalog),
    };
    let transaction = Transaction::new(base);
    let append = transaction
        .fast_append()
        // File names carry a fresh UUID; checking them against every manifest would read the whole history.
        .with_check_duplicate(false)
        .set_snapshot_properties(HashMap::from([(
            WATERMARK_PROPERTY.to_owned(),
            watermark.0.to_string(),
        )]))
        .add_data_files(files);
    let transaction = append.apply(transaction).map_err(failed("prepare the commit"))?;
    transaction
        .commit(&pinned)
        .await
        .map_err(failed("commit to the Activity table"))
}

/// The catalog as it was when `base` was loaded, except that it takes commits.
#[derive(Debug)]
pub(super) struct Pinned {
    pub base: Table,
    pub catalog: Arc<dyn Catalog>,
}

type Iceberg<T> = iceberg::Result<T>;

#[async_trait]
impl Catalog for Pinned {
    async fn load_table(&self, _: &TableIdent) -> Iceberg<Table> {
        Ok(self.base.clone())
    }
    async fn update_table(&self, commit: TableCommit) -> Iceberg<Table> {
        self.catalog.update_table(commit).await
    }
    async fn list_namespaces(&self, parent: Option<&NamespaceIdent>) -> Iceberg<Vec<NamespaceIdent>> {
        self.catalog.list_namespaces(parent).await
    }
    async fn create_namespace(&self, name: &NamespaceIdent, properties: HashMap<String, String>) -> Iceberg<Namespace> {
        self.catalog.create_namespace(name, properties).await
    }
    async fn get_namespace(&self, name: &NamespaceIdent) -> Iceberg<Namespace> {
        self.catalog.get_namespace(name).await
    }
    async fn namespace_exists(&self, name: &NamespaceIdent) -> Iceberg<bool> {
        self.catalog.namespace_exists(name).await
    }
    async fn update_namespace(&self, name: &NamespaceIdent, properties: HashMap<String, String>) -> Iceberg<()> {
        self.catalog.update_namespace(name, properties).await
    }
    async fn drop_namespace(&self, name: &NamespaceIdent) -> Iceberg<()> {
        self.catalog.drop_namespace(name).await
    }
    async fn list_tables(&self, name: &NamespaceIdent) -> Iceberg<Vec<TableIdent>> {
        self.catalog.list_tables(name).await
    }
    async fn create_table(&self, name: &NamespaceIdent, creation: TableCreation) -> Iceberg<Table> {
        self.catalog.create_table(name, creation).await
    }
    async fn drop_table(&self, table: &TableIdent) -> Iceberg<()> {
        self.catalog.drop_table(table).await
    }
    async fn purge_table(&self, table: &TableIdent) -> Iceberg<()> {
        self.catalog.purge_table(table).await
    }
    async fn table_exists(&self, table: &TableIdent) -> Iceberg<bool> {
        self.catalog.table_exists(table).await
    }
    async fn rename_table(&self, from: &TableIdent, to: &TableIdent) -> Iceberg<()> {
        self.catalog.rename_table(from, to).await
    }
    async fn register_table(&self, table: &TableIdent, location: String) -> Iceberg<Table> {
        self.catalog.register_table(table, location).await
    }
}
