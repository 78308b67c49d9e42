//! The Iceberg catalog in Glue, its files on S3. Tables only: databases belong to the foundation, and a runtime makes none.
//!
//! Must not live here: what a table looks like, or when one is committed.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_glue::types::{StorageDescriptor, TableInput};
use iceberg::io::{FileIO, FileIOBuilder, S3_ENDPOINT, S3_PATH_STYLE_ACCESS, S3_REGION};
use iceberg::spec::{TableMetadata, TableMetadataBuilder};
use iceberg::table::Table;
use iceberg::{
    Catalog, Error, ErrorKind, MetadataLocation, Namespace, NamespaceIdent, Result, Runtime, TableCommit,
    TableCreation, TableIdent,
};
use iceberg_storage_opendal::{CustomAwsCredentialLoader, OpenDalStorageFactory};

use crate::aws::bucket::Credentials;
use crate::aws::error::{from_sdk, unusable};
use crate::aws::glue::columns;
use crate::ports::{self, Kind};

/// The parameters by which every engine knows an Iceberg table in Glue. Source: Iceberg's `GlueTableOperations`.
pub(super) const METADATA_LOCATION: &str = "metadata_location";
const PREVIOUS_METADATA_LOCATION: &str = "previous_metadata_location";
const TABLE_TYPE: (&str, &str) = ("table_type", "ICEBERG");

/// Opens the account's catalog. Must be called inside the async runtime.
pub fn open(config: &SdkConfig) -> ports::Result<Arc<dyn Catalog>> {
    const OP: &str = "glue: open the catalog";
    let failed = |error| ports::Error::caused(Kind::Unavailable, OP, error);
    Ok(Arc::new(GlueCatalog {
        client: aws_sdk_glue::Client::new(config),
        files: files(config),
        runtime: Runtime::try_current().map_err(failed)?,
    }))
}

/// Files on S3, with the SDK's credentials.
fn files(config: &SdkConfig) -> FileIO {
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    let mut builder = FileIOBuilder::new(Arc::new(OpenDalStorageFactory::S3 {
        customized_credential_load: config
            .credentials_provider()
            .map(|provider| CustomAwsCredentialLoader::new(Credentials(provider))),
    }))
    .with_prop(S3_REGION, region);
    if let Some(endpoint) = config.endpoint_url() {
        builder = builder
            .with_prop(S3_ENDPOINT, endpoint)
            .with_prop(S3_PATH_STYLE_ACCESS, "true");
    }
    builder.build()
}

struct GlueCatalog {
    client: aws_sdk_glue::Client,
    files: FileIO,
    runtime: Runtime,
}

impl std::fmt::Debug for GlueCatalog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("GlueCatalog").finish_non_exhaustive()
    }
}

impl GlueCatalog {
    fn table(&self, ident: &TableIdent, location: &str, metadata: TableMetadata) -> Result<Table> {
        Table::builder()
            .identifier(ident.clone())
            .file_io(self.files.clone())
            .metadata_location(location)
            .metadata(metadata)
            .runtime(self.runtime.clone())
            .build()
    }

    /// The table, and the version of Glue's entry by which an update is conditional.
    async fn versioned(&self, ident: &TableIdent) -> Result<(Table, String)> {
        let op = format!("glue:GetTable {ident}");
        let (database, name) = names(ident)?;
        let answer = self.client.get_table().database_name(database).name(name).send().await;
        let answer = answer.map_err(|error| failed(from_sdk(&op, &error)))?;
        let entry = answer
            .table()
            .ok_or_else(|| failed(unusable(&op, "the answer names no table")))?;
        let location = entry.parameters().and_then(|all| all.get(METADATA_LOCATION));
        let location = location.ok_or_else(|| {
            let why = format!("{ident} in Glue is no Iceberg table: it has no {METADATA_LOCATION}");
            Error::new(ErrorKind::DataInvalid, why)
        })?;
        let version = entry
            .version_id()
            .ok_or_else(|| failed(unusable(&op, "the answer names no version")))?;
        let metadata = TableMetadata::read_from(&self.files, location).await?;
        Ok((self.table(ident, location, metadata)?, version.to_owned()))
    }
}

/// The database's and the table's name.
fn names(ident: &TableIdent) -> Result<(&str, &str)> {
    Ok((database(ident.namespace())?, ident.name()))
}

fn database(namespace: &NamespaceIdent) -> Result<&str> {
    match namespace.as_ref().as_slice() {
        [one] => Ok(one),
        _ => Err(Error::new(
            ErrorKind::DataInvalid,
            format!("{namespace:?} is no database: Glue's have one name"),
        )),
    }
}

/// Glue's entry for a table.
pub(super) fn entry(
    name: &str,
    location: &str,
    metadata: &TableMetadata,
    previous: Option<&str>,
) -> Result<TableInput> {
    let mut parameters = HashMap::from([
        (TABLE_TYPE.0.to_owned(), TABLE_TYPE.1.to_owned()),
        (METADATA_LOCATION.to_owned(), location.to_owned()),
    ]);
    if let Some(previous) = previous {
        parameters.insert(PREVIOUS_METADATA_LOCATION.to_owned(), previous.to_owned());
    }
    let storage = StorageDescriptor::builder()
        .location(metadata.location())
        .set_columns(Some(columns(metadata)?))
        .build();
    TableInput::builder()
        .name(name)
        .table_type("EXTERNAL_TABLE")
        .set_parameters(Some(parameters))
        .storage_descriptor(storage)
        .build()
        .map_err(|error| Error::new(ErrorKind::DataInvalid, "describe the table to Glue").with_source(error))
}

/// A failed call as Iceberg tells it; whoever asks for its kind finds the port's error as its source.
fn failed(error: ports::Error) -> Error {
    let kind = match error.kind {
        Kind::NotFound => ErrorKind::TableNotFound,
        Kind::Conflict => ErrorKind::CatalogCommitConflicts,
        Kind::Invalid => ErrorKind::DataInvalid,
        Kind::Throttled | Kind::Denied | Kind::Unavailable => ErrorKind::Unexpected,
    };
    Error::new(kind, "the catalog does not answer as asked").with_source(error)
}

fn not_ours<T>(what: &str) -> Result<T> {
    Err(Error::new(
        ErrorKind::FeatureUnsupported,
        format!("{what}: the foundation's stack does that"),
    ))
}

#[async_trait]
impl Catalog for GlueCatalog {
    async fn create_table(&self, namespace: &NamespaceIdent, creation: TableCreation) -> Result<Table> {
        let ident = TableIdent::new(namespace.clone(), creation.name.clone());
        let op = format!("glue:CreateTable {ident}");
        let (database, name) = names(&ident)?;
        if creation.location.is_none() {
            return Err(Error::new(ErrorKind::DataInvalid, format!("{op}: it has no location")));
        }
        let metadata = TableMetadataBuilder::from_table_creation(creation)?.build()?.metadata;
        let location = MetadataLocation::new_with_metadata(metadata.location(), &metadata);
        metadata.write_to(&self.files, &location).await?;
        let location = location.to_string();
        let answer = self
            .client
            .create_table()
            .database_name(database)
            .table_input(entry(name, &location, &metadata, None)?)
            .send()
            .await;
        answer.map_err(|error| failed(from_sdk(op, &error)))?;
        self.table(&ident, &location, metadata)
    }

    async fn load_table(&self, ident: &TableIdent) -> Result<Table> {
        Ok(self.versioned(ident).await?.0)
    }

    async fn table_exists(&self, ident: &TableIdent) -> Result<bool> {
        let (database, name) = names(ident)?;
        let answer = self.client.get_table().database_name(database).name(name).send().await;
        match answer.map_err(|error| from_sdk(format!("glue:GetTable {ident}"), &error)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind == Kind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    async fn drop_table(&self, ident: &TableIdent) -> Result<()> {
        let (database, name) = names(ident)?;
        let answer = self
            .client
            .delete_table()
            .database_name(database)
            .name(name)
            .send()
            .await;
        answer.map_err(|error| failed(from_sdk(format!("glue:DeleteTable {ident}"), &error)))?;
        Ok(())
    }

    /// Compare-and-swap: Glue takes the entry only if nobody has changed it since it was read here, and the commit's own
    /// requirements are held against what was read.
    async fn update_table(&self, commit: TableCommit) -> Result<Table> {
        let ident = commit.identifier().clone();
        let op = format!("glue:UpdateTable {ident}");
        let (database, name) = names(&ident)?;
        let (current, version) = self.versioned(&ident).await?;
        let previous = current.metadata_location_result()?.to_owned();
        let staged = commit.apply(current)?;
        let location = staged.metadata_location_result()?;
        staged
            .metadata()
            .write_to(&self.files, &MetadataLocation::from_str(location)?)
            .await?;
        let answer = self
            .client
            .update_table()
            .database_name(database)
            .table_input(entry(name, location, staged.metadata(), Some(&previous))?)
            .version_id(version)
            // Iceberg keeps the versions; Glue keeps a limited number.
            .skip_archive(true)
            .send()
            .await;
        answer.map_err(|error| failed(from_sdk(op, &error)))?;
        Ok(staged)
    }

    async fn list_namespaces(&self, _: Option<&NamespaceIdent>) -> Result<Vec<NamespaceIdent>> {
        not_ours("list databases")
    }
    async fn create_namespace(&self, _: &NamespaceIdent, _: HashMap<String, String>) -> Result<Namespace> {
        not_ours("make a database")
    }
    async fn get_namespace(&self, _: &NamespaceIdent) -> Result<Namespace> {
        not_ours("read a database")
    }
    async fn namespace_exists(&self, _: &NamespaceIdent) -> Result<bool> {
        not_ours("look for a database")
    }
    async fn update_namespace(&self, _: &NamespaceIdent, _: HashMap<String, String>) -> Result<()> {
        not_ours("change a database")
    }
    async fn drop_namespace(&self, _: &NamespaceIdent) -> Result<()> {
        not_ours("drop a database")
    }
    async fn list_tables(&self, _: &NamespaceIdent) -> Result<Vec<TableIdent>> {
        not_ours("list tables")
    }
    async fn purge_table(&self, _: &TableIdent) -> Result<()> {
        not_ours("purge a table")
    }
    async fn rename_table(&self, _: &TableIdent, _: &TableIdent) -> Result<()> {
        not_ours("rename a table")
    }
    async fn register_table(&self, _: &TableIdent, _: String) -> Result<Table> {
        not_ours("register a table")
    }
}
