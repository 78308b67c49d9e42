//! Upkeep of tables in Glue: the place of a table's metadata, and the files of its location on S3.

use async_trait::async_trait;
use aws_config::SdkConfig;
use futures::TryStreamExt as _;
use iceberg::spec::TableMetadata;
use iceberg::table::Table;
use opendal::EntryMode;

use crate::aws::bucket::{Bucket, failed};
use crate::aws::catalog::{METADATA_LOCATION, entry};
use crate::aws::error::{from_sdk, unusable};
use crate::ports::tables::{StoredFile, Tables};
use crate::ports::{Error, Kind, Result};

/// The tables of the account's catalog.
pub struct GlueTables {
    client: aws_sdk_glue::Client,
    config: SdkConfig,
}

impl GlueTables {
    /// Makes no call.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: aws_sdk_glue::Client::new(config),
            config: config.clone(),
        }
    }
}

#[async_trait]
impl Tables for GlueTables {
    /// Glue takes the entry only if nobody has changed it since its version was read here.
    async fn swap(&self, base: &Table, next: &TableMetadata, location: &str) -> Result<()> {
        let ident = base.identifier();
        let (database, name) = (ident.namespace().join("."), ident.name());
        let op = format!("glue:GetTable {ident}");
        let answer = self.client.get_table().database_name(&database).name(name).send().await;
        let answer = answer.map_err(|error| from_sdk(&op, &error))?;
        let found = answer
            .table()
            .ok_or_else(|| unusable(&op, "the answer names no table"))?;
        let version = found
            .version_id()
            .ok_or_else(|| unusable(&op, "the answer names no version"))?;
        let current = found
            .parameters()
            .and_then(|all| all.get(METADATA_LOCATION))
            .map(String::as_str);
        let op = format!("glue:UpdateTable {ident}");
        if current != base.metadata_location() {
            return Err(Error::new(Kind::Conflict, op));
        }
        let input = entry(name, location, next, current).map_err(|error| Error::caused(Kind::Invalid, &op, error))?;
        let answer = self
            .client
            .update_table()
            .database_name(&database)
            .table_input(input)
            .version_id(version)
            // Iceberg keeps the versions; Glue keeps a limited number.
            .skip_archive(true)
            .send()
            .await;
        answer.map_err(|error| from_sdk(op, &error))?;
        Ok(())
    }

    async fn files(&self, location: &str) -> Result<Vec<StoredFile>> {
        let op = format!("s3:ListObjectsV2 {location}");
        let (bucket, prefix) = location
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
            .ok_or_else(|| Error::new(Kind::Invalid, &op))?;
        let operator = Bucket::new(&self.config, bucket)?.operator;
        let path = format!("{}/", prefix.trim_end_matches('/'));
        let listed = operator.lister_with(&path).recursive(true).await;
        let mut listed = listed.map_err(|error| failed(&op, &error))?;
        let mut files = Vec::new();
        while let Some(found) = listed.try_next().await.map_err(|error| failed(&op, &error))? {
            let metadata = found.metadata();
            if metadata.mode() != EntryMode::FILE {
                continue;
            }
            let modified = metadata.last_modified();
            files.push(StoredFile {
                location: format!("s3://{bucket}/{}", found.path()),
                bytes: metadata.content_length(),
                modified: modified
                    .ok_or_else(|| unusable(&op, "the answer names no time"))?
                    .into_inner(),
            });
        }
        Ok(files)
    }
}
