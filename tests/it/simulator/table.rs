//! The catalog of Iceberg tables and the files behind it, as one process reaches them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig,
    StorageFactory,
};
use iceberg::spec::{TableMetadata, TableMetadataBuilder};
use iceberg::table::Table;
use iceberg::{
    Catalog, Error, ErrorKind, MetadataLocation, Namespace, NamespaceIdent, Result, Runtime, TableCommit,
    TableCreation, TableIdent,
};
use jiff::Timestamp;
use oort_streams::ports::tables::{StoredFile, Tables};
use oort_streams::ports::{self, Kind};
use serde::{Deserialize, Serialize};

use super::process::{Nature, Process};

/// What is left of all tables when every process has died.
#[derive(Default)]
pub struct Warehouse {
    /// Where each table's metadata is.
    places: Mutex<BTreeMap<String, String>>,
    files: Mutex<BTreeMap<String, (Bytes, Timestamp)>>,
}

impl Warehouse {
    fn read(&self, path: &str) -> ports::Result<Bytes> {
        let files = self.files.lock().unwrap();
        let found = files.get(path).map(|(bytes, _)| bytes.clone());
        found.ok_or_else(|| ports::Error::new(Kind::NotFound, format!("read {path}")))
    }
}

fn failed(error: ports::Error) -> Error {
    let kind = match error.kind {
        Kind::NotFound => ErrorKind::TableNotFound,
        Kind::Conflict => ErrorKind::CatalogCommitConflicts,
        Kind::Invalid => ErrorKind::DataInvalid,
        _ => ErrorKind::Unexpected,
    };
    Error::new(kind, "the warehouse does not answer as asked").with_source(error)
}

/// The files as a process reaches them; those of its own tenant only.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Files {
    #[serde(skip)]
    reach: Option<Reach>,
}

#[derive(Clone)]
struct Reach {
    warehouse: Arc<Warehouse>,
    process: Arc<Process>,
}

impl fmt::Debug for Files {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Files")
    }
}

impl Files {
    fn reach(&self) -> &Reach {
        self.reach.as_ref().unwrap()
    }
}

impl Reach {
    fn own(&self, path: &str) {
        if !path.starts_with(&location(self.process.tenant)) {
            self.process
                .weather
                .broken(format!("{} reached {path}", self.process.name));
        }
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        self.own(path);
        let (warehouse, name) = (Arc::clone(&self.warehouse), path.to_owned());
        let read = self
            .process
            .call("read a file", Nature::Read, move || warehouse.read(&name))
            .await;
        read.map_err(failed)
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.own(path);
        let (warehouse, process, name) = (Arc::clone(&self.warehouse), Arc::clone(&self.process), path.to_owned());
        let effect = move || {
            let written = (bytes.clone(), process.weather.now());
            warehouse.files.lock().unwrap().insert(name.clone(), written);
            Ok(())
        };
        self.process
            .call("write a file", Nature::Write, effect)
            .await
            .map_err(failed)
    }
}

/// The place of a tenant's tables.
fn location(tenant: &str) -> String {
    format!("warehouse/{tenant}/")
}

#[typetag::serde(name = "SimulatedFiles")]
impl StorageFactory for Files {
    fn build(&self, _: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
#[typetag::serde(name = "SimulatedFiles")]
impl Storage for Files {
    async fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.reach().warehouse.files.lock().unwrap().contains_key(path))
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        let bytes = self.reach().read(path).await?;
        Ok(FileMetadata {
            size: bytes.len() as u64,
        })
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        self.reach().read(path).await
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        Ok(Box::new(Opened(self.clone(), path.to_owned())))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.reach().write(path, bytes).await
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        Ok(Box::new(Begun(self.clone(), path.to_owned(), Vec::new())))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let reach = self.reach();
        reach.own(path);
        let (warehouse, name) = (Arc::clone(&reach.warehouse), path.to_owned());
        let effect = move || {
            warehouse.files.lock().unwrap().remove(&name);
            Ok(())
        };
        reach
            .process
            .call("delete a file", Nature::Write, effect)
            .await
            .map_err(failed)
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        Err(Error::new(
            ErrorKind::FeatureUnsupported,
            format!("nobody deletes all of {path}"),
        ))
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }
}

struct Opened(Files, String);

#[async_trait]
impl FileRead for Opened {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.0.reach().read(&self.1).await?;
        let place = |at: u64| usize::try_from(at).unwrap();
        Ok(bytes.slice(place(range.start)..place(range.end)))
    }
}

/// A file is there when it is closed, and not before.
struct Begun(Files, String, Vec<u8>);

#[async_trait]
impl FileWrite for Begun {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.2.extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.2);
        self.0.reach().write(&self.1, bytes.into()).await
    }
}

/// The catalog as a process reaches it.
pub struct SimulatedCatalog {
    reach: Reach,
    files: FileIO,
    runtime: Runtime,
}

impl SimulatedCatalog {
    pub fn new(warehouse: &Arc<Warehouse>, process: &Arc<Process>) -> Self {
        let reach = Reach {
            warehouse: Arc::clone(warehouse),
            process: Arc::clone(process),
        };
        Self {
            files: FileIOBuilder::new(Arc::new(Files {
                reach: Some(reach.clone()),
            }))
            .build(),
            reach,
            runtime: Runtime::try_current().unwrap(),
        }
    }

    fn table(&self, ident: &TableIdent, place: &str, metadata: TableMetadata) -> Result<Table> {
        Table::builder()
            .identifier(ident.clone())
            .file_io(self.files.clone())
            .metadata_location(place)
            .metadata(metadata)
            .runtime(self.runtime.clone())
            .build()
    }

    async fn place(&self, ident: &TableIdent) -> Result<Option<String>> {
        if ident.namespace().join(".") != self.reach.process.tenant {
            self.reach
                .process
                .weather
                .broken(format!("{} asked for {ident}", self.reach.process.name));
        }
        let (warehouse, name) = (Arc::clone(&self.reach.warehouse), ident.to_string());
        let effect = move || Ok(warehouse.places.lock().unwrap().get(&name).cloned());
        self.reach
            .process
            .call("find a table", Nature::Read, effect)
            .await
            .map_err(failed)
    }

    /// The table's metadata is at `next` from now on, if it was at `base` until now.
    async fn swap_place(&self, ident: &TableIdent, base: Option<&str>, next: &str) -> ports::Result<()> {
        let (warehouse, name) = (Arc::clone(&self.reach.warehouse), ident.to_string());
        let (base, next) = (base.map(str::to_owned), next.to_owned());
        let effect = move || {
            let mut places = warehouse.places.lock().unwrap();
            if places.get(&name) != base.as_ref() {
                return Err(ports::Error::new(Kind::Conflict, format!("commit to {name}")));
            }
            places.insert(name.clone(), next.clone());
            Ok(())
        };
        self.reach.process.call("commit", Nature::Write, effect).await
    }
}

impl fmt::Debug for SimulatedCatalog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SimulatedCatalog")
    }
}

fn unused<T>() -> Result<T> {
    Err(Error::new(ErrorKind::FeatureUnsupported, "no run asks for this"))
}

#[async_trait]
impl Catalog for SimulatedCatalog {
    async fn create_table(&self, namespace: &NamespaceIdent, creation: TableCreation) -> Result<Table> {
        let ident = TableIdent::new(namespace.clone(), creation.name.clone());
        let creation = TableCreation {
            location: Some(format!("{}{}", location(self.reach.process.tenant), ident.name())),
            ..creation
        };
        let metadata = TableMetadataBuilder::from_table_creation(creation)?.build()?.metadata;
        let place = MetadataLocation::new_with_metadata(metadata.location(), &metadata);
        metadata.write_to(&self.files, &place).await?;
        let place = place.to_string();
        self.swap_place(&ident, None, &place).await.map_err(failed)?;
        self.table(&ident, &place, metadata)
    }

    async fn load_table(&self, ident: &TableIdent) -> Result<Table> {
        let Some(place) = self.place(ident).await? else {
            return Err(Error::new(
                ErrorKind::TableNotFound,
                format!("there is no table {ident}"),
            ));
        };
        let metadata = TableMetadata::read_from(&self.files, &place).await?;
        self.table(ident, &place, metadata)
    }

    async fn table_exists(&self, ident: &TableIdent) -> Result<bool> {
        Ok(self.place(ident).await?.is_some())
    }

    async fn update_table(&self, commit: TableCommit) -> Result<Table> {
        let ident = commit.identifier().clone();
        let current = self.load_table(&ident).await?;
        let base = current.metadata_location_result()?.to_owned();
        let staged = commit.apply(current)?;
        let next = staged.metadata_location_result()?;
        staged
            .metadata()
            .write_to(&self.files, &MetadataLocation::from_str(next)?)
            .await?;
        self.swap_place(&ident, Some(&base), next).await.map_err(failed)?;
        Ok(staged)
    }

    async fn create_namespace(&self, name: &NamespaceIdent, _: HashMap<String, String>) -> Result<Namespace> {
        Ok(Namespace::new(name.clone()))
    }

    async fn list_namespaces(&self, _: Option<&NamespaceIdent>) -> Result<Vec<NamespaceIdent>> {
        unused()
    }
    async fn get_namespace(&self, _: &NamespaceIdent) -> Result<Namespace> {
        unused()
    }
    async fn namespace_exists(&self, _: &NamespaceIdent) -> Result<bool> {
        unused()
    }
    async fn update_namespace(&self, _: &NamespaceIdent, _: HashMap<String, String>) -> Result<()> {
        unused()
    }
    async fn drop_namespace(&self, _: &NamespaceIdent) -> Result<()> {
        unused()
    }
    async fn list_tables(&self, _: &NamespaceIdent) -> Result<Vec<TableIdent>> {
        unused()
    }
    async fn drop_table(&self, _: &TableIdent) -> Result<()> {
        unused()
    }
    async fn purge_table(&self, _: &TableIdent) -> Result<()> {
        unused()
    }
    async fn rename_table(&self, _: &TableIdent, _: &TableIdent) -> Result<()> {
        unused()
    }
    async fn register_table(&self, _: &TableIdent, _: String) -> Result<Table> {
        unused()
    }
}

#[async_trait]
impl Tables for SimulatedCatalog {
    async fn swap(&self, base: &Table, _: &TableMetadata, place: &str) -> ports::Result<()> {
        self.swap_place(base.identifier(), base.metadata_location(), place)
            .await
    }

    async fn files(&self, location: &str) -> ports::Result<Vec<StoredFile>> {
        self.reach.own(location);
        let (warehouse, below) = (
            Arc::clone(&self.reach.warehouse),
            format!("{}/", location.trim_end_matches('/')),
        );
        let effect = move || {
            let files = warehouse.files.lock().unwrap();
            let stored = files.iter().filter(|(path, _)| path.starts_with(&below));
            let stored = stored.map(|(path, (bytes, modified))| StoredFile {
                location: path.clone(),
                bytes: bytes.len() as u64,
                modified: *modified,
            });
            Ok(stored.collect())
        };
        self.reach.process.call("list files", Nature::Read, effect).await
    }
}
