//! Tables of versions: users and devices as they were over time. What is so now is one partition, which each change writes anew;
//! what was so is another, which only grows. Both in one commit, with the time up to which the org was looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures::TryStreamExt;
use iceberg::TableCreation;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::expr::Reference;
use iceberg::spec::{
    DataFile, DataFileFormat, Datum, Literal, NestedField, Operation, PartitionKey, PrimitiveLiteral, PrimitiveType,
    Schema, Struct, Transform, Type, UnboundPartitionSpec,
};
use iceberg::table::Table;
use iceberg::writer::base_writer::data_file_writer::DataFileWriterBuilder;
use iceberg::writer::file_writer::ParquetWriterBuilder;
use iceberg::writer::file_writer::location_generator::{DefaultFileNameGenerator, DefaultLocationGenerator};
use iceberg::writer::file_writer::rolling_writer::RollingFileWriterBuilder;
use iceberg::writer::partitioning::PartitioningWriter;
use iceberg::writer::partitioning::clustered_writer::ClusteredWriter;
use jiff::Timestamp;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::lake::inventory::Inventory;
use crate::lake::replace::{self, Change};
use crate::lake::table::Lake;
use crate::lake::{Upkeep, corrupt, failed};
use crate::model::directory::{Step, Subject, Version};
use crate::ports::{Error, Kind, Result};

/// Up to when the org was looked at for what changed, and for everything: properties of the table.
const LOOKED: &str = "oort.looked-at";
const LOOKED_AT_ALL: &str = "oort.looked-at-all";
const IS_CURRENT: &str = "is_current";
const JSON: &str = "json";
/// Rows of a batch on their way into a file.
const ROWS: usize = 1_024;

/// One table of versions.
pub struct Directory<'a> {
    pub lake: Lake,
    pub subject: &'a Subject,
}

/// The table as it is.
pub struct Known {
    pub current: BTreeMap<String, Version>,
    /// When the org was looked at last; `None` before the first time.
    pub looked: Option<Timestamp>,
    pub looked_at_all: Option<Timestamp>,
    base: Table,
}

impl<'a> Directory<'a> {
    /// Beside a tenant's Activity table.
    pub fn beside(activity: &Lake, subject: &'a Subject) -> Self {
        Self {
            lake: activity.beside(subject.table),
            subject,
        }
    }

    /// What is so now, and when that was seen. Makes the table when there is none.
    pub async fn open(&self) -> Result<Known> {
        let base = match self.lake.load().await? {
            Some(table) => table,
            None => {
                self.lake
                    .create_as(|name, location| creation(self.subject, name, location))
                    .await?
            }
        };
        let time = |name: &str| -> Result<Option<Timestamp>> {
            let text = base.metadata().properties().get(name);
            let time = text.map(|text| text.parse()).transpose();
            time.map_err(|error| Error::caused(Kind::Invalid, format!("read {name} of a table"), error))
        };
        let (looked, looked_at_all) = (time(LOOKED)?, time(LOOKED_AT_ALL)?);
        let versions = read(&base, self.subject, Some(true)).await?;
        Ok(Known {
            current: versions
                .into_iter()
                .map(|version| (version.id.clone(), version))
                .collect(),
            looked,
            looked_at_all,
            base,
        })
    }

    /// Every version of everybody, of those that are so no more too.
    pub async fn history(&self) -> Result<Vec<Version>> {
        match self.lake.load().await? {
            Some(table) => read(&table, self.subject, None).await,
            None => Ok(Vec::new()),
        }
    }

    /// Commits what a look has changed. [`Kind::Conflict`] when the table is no longer what the look was compared with.
    pub async fn commit(
        &self,
        upkeep: &Upkeep<'_>,
        known: &Table,
        step: &Step,
        looked: Timestamp,
        was_everything: bool,
    ) -> Result<()> {
        let mut properties = vec![(LOOKED.to_owned(), looked.to_string())];
        if was_everything {
            properties.push((LOOKED_AT_ALL.to_owned(), looked.to_string()));
        }
        let has_changed = step.begun > 0 || !step.ended.is_empty();
        let (removed, added) = if has_changed {
            let names = format!("{}-{}", self.subject.table, upkeep.run);
            let mut files = Files::new(known, self.subject, names)?;
            for version in &step.ended {
                files.push(version).await?;
            }
            for version in step.current.values() {
                files.push(version).await?;
            }
            (current_files(known).await?, files.finish().await?)
        } else {
            (BTreeSet::new(), Vec::new())
        };
        let change = Change {
            operation: if has_changed {
                Operation::Overwrite
            } else {
                Operation::Append
            },
            removed,
            added,
            properties,
        };
        replace::commit(upkeep, known, self.subject.table, change)
            .await
            .map(drop)
    }

    /// Takes every version of one out of the newest snapshot; how many there were.
    pub async fn forget(&self, upkeep: &Upkeep<'_>, id: &str) -> Result<u64> {
        let Some(base) = self.lake.load().await? else {
            return Ok(0);
        };
        let all = read(&base, self.subject, None).await?;
        let (gone, mut kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|version| version.id == id);
        if gone.is_empty() {
            return Ok(0);
        }
        kept.sort_by_key(|version| version.valid_to.is_none());
        let mut files = Files::new(
            &base,
            self.subject,
            format!("{}-without-{}", self.subject.table, upkeep.run),
        )?;
        for version in &kept {
            files.push(version).await?;
        }
        let inventory = Inventory::of(&base).await?;
        let entries = inventory.manifests.iter().flat_map(|(_, entries)| entries);
        let change = Change {
            operation: Operation::Overwrite,
            removed: entries.map(|entry| entry.file_path().to_owned()).collect(),
            added: files.finish().await?,
            properties: Vec::new(),
        };
        replace::commit(upkeep, &base, self.subject.table, change).await?;
        Ok(gone.len() as u64)
    }
}

impl Known {
    /// The table that all this was read from.
    pub fn base(&self) -> &Table {
        &self.base
    }
}

/// The files of what is so now.
async fn current_files(table: &Table) -> Result<BTreeSet<String>> {
    let inventory = Inventory::of(table).await?;
    let entries = inventory.manifests.iter().flat_map(|(_, entries)| entries);
    let is_current = |partition: &Struct| {
        matches!(
            partition.iter().next(),
            Some(Some(Literal::Primitive(PrimitiveLiteral::Boolean(true))))
        )
    };
    Ok(entries
        .filter(|entry| is_current(entry.data_file().partition()))
        .map(|entry| entry.file_path().to_owned())
        .collect())
}

fn creation(subject: &Subject, name: &str, location: Option<String>) -> Result<TableCreation> {
    const CURRENT: i32 = 4;
    let define = || failed("define a table of the directory");
    let string = || Type::Primitive(PrimitiveType::String);
    let time = || Type::Primitive(PrimitiveType::Timestamptz);
    let mut fields = vec![
        NestedField::required(1, "id", string()).with_doc("Okta's ID"),
        NestedField::required(2, "valid_from", time()),
        NestedField::optional(3, "valid_to", time()).with_doc("null while it is so"),
        NestedField::required(CURRENT, IS_CURRENT, Type::Primitive(PrimitiveType::Boolean)),
    ];
    let columns = (CURRENT + 1..).zip(subject.columns);
    fields.extend(columns.map(|(id, (name, _))| NestedField::optional(id, *name, string())));
    fields.push(
        NestedField::required(100, JSON, string()).with_doc("as Okta wrote it, without what changes by the hour"),
    );
    let schema = Schema::builder()
        .with_fields(fields.into_iter().map(Arc::new))
        .build()
        .map_err(define())?;
    let partition = UnboundPartitionSpec::builder()
        .add_partition_field(CURRENT, IS_CURRENT, Transform::Identity)
        .map_err(define())?
        .build();
    Ok(TableCreation::builder()
        .name(name.to_owned())
        .location_opt(location)
        .schema(schema)
        .partition_spec(partition)
        .properties(HashMap::from([(
            "write.parquet.compression-codec".to_owned(),
            "zstd".to_owned(),
        )]))
        .build())
}

async fn read(table: &Table, subject: &Subject, is_current: Option<bool>) -> Result<Vec<Version>> {
    let op = || failed("read a table of the directory");
    let mut versions = Vec::new();
    if table.metadata().current_snapshot().is_none() {
        return Ok(versions);
    }
    let mut scan = table.scan().with_batch_size(Some(ROWS));
    if let Some(is_current) = is_current {
        scan = scan.with_filter(Reference::new(IS_CURRENT).equal_to(Datum::bool(is_current)));
    }
    let scan = scan.build().map_err(op())?;
    let mut batches = scan.to_arrow().await.map_err(op())?;
    while let Some(batch) = batches.try_next().await.map_err(op())? {
        versions.extend(rows(&batch, subject).ok_or_else(|| corrupt("read the columns of a table of the directory"))?);
    }
    Ok(versions)
}

fn rows(batch: &RecordBatch, subject: &Subject) -> Option<Vec<Version>> {
    let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
    let time = |name: &str| {
        batch
            .column_by_name(name)?
            .as_primitive_opt::<TimestampMicrosecondType>()
    };
    let (id, json, from, to) = (text("id")?, text(JSON)?, time("valid_from")?, time("valid_to")?);
    // A table that an older build made may lack some.
    let columns: Vec<Option<&StringArray>> = subject.columns.iter().map(|(name, _)| text(name)).collect();
    let version = |row: usize| Version {
        id: id.value(row).to_owned(),
        valid_from: from.value(row),
        valid_to: to.is_valid(row).then(|| to.value(row)),
        columns: columns
            .iter()
            .map(|column| {
                column
                    .filter(|column| column.is_valid(row))
                    .map(|column| column.value(row).to_owned())
            })
            .collect(),
        json: json.value(row).to_owned(),
    };
    Some((0..batch.num_rows()).map(version).collect())
}

type Clustered =
    ClusteredWriter<DataFileWriterBuilder<ParquetWriterBuilder, DefaultLocationGenerator, DefaultFileNameGenerator>>;

/// Versions on their way into files; those of one partition come together.
struct Files<'a> {
    table: Table,
    subject: &'a Subject,
    writer: Clustered,
    waiting: Vec<Version>,
}

impl<'a> Files<'a> {
    fn new(table: &Table, subject: &'a Subject, names: String) -> Result<Self> {
        let define = || failed("prepare a Parquet file");
        let level =
            ZstdLevel::try_new(3).map_err(|error| Error::caused(Kind::Invalid, "prepare a Parquet file", error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .build();
        let parquet = ParquetWriterBuilder::new(properties, table.metadata().current_schema().clone());
        let locations = DefaultLocationGenerator::new(table.metadata()).map_err(define())?;
        let names = DefaultFileNameGenerator::new(names, None, DataFileFormat::Parquet);
        let rolling = RollingFileWriterBuilder::new(
            parquet,
            super::write::FILE_BYTES,
            table.file_io().clone(),
            locations,
            names,
        );
        Ok(Self {
            table: table.clone(),
            subject,
            writer: ClusteredWriter::new(DataFileWriterBuilder::new(rolling)),
            waiting: Vec::new(),
        })
    }

    async fn push(&mut self, version: &Version) -> Result<()> {
        let is_other = |first: &Version| first.valid_to.is_none() != version.valid_to.is_none();
        if self.waiting.len() >= ROWS || self.waiting.first().is_some_and(is_other) {
            self.flush().await?;
        }
        self.waiting.push(version.clone());
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        let Some(first) = self.waiting.first() else {
            return Ok(());
        };
        let metadata = self.table.metadata();
        let partition = PartitionKey::new(
            metadata.default_partition_spec().as_ref().clone(),
            metadata.current_schema().clone(),
            Struct::from_iter([Some(Literal::bool(first.valid_to.is_none()))]),
        );
        let batch = self.batch()?;
        self.waiting.clear();
        self.writer
            .write(partition, batch)
            .await
            .map_err(failed("write a Parquet file"))
    }

    fn batch(&self) -> Result<RecordBatch> {
        let schema =
            schema_to_arrow_schema(self.table.metadata().current_schema()).map_err(failed("prepare a Parquet file"))?;
        let rows = &self.waiting;
        let column = |name: &str| -> ArrayRef {
            match name {
                "id" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.id))),
                "valid_from" => Arc::new(
                    TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.valid_from))
                        .with_timezone("+00:00"),
                ),
                "valid_to" => Arc::new(
                    rows.iter()
                        .map(|row| row.valid_to)
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("+00:00"),
                ),
                IS_CURRENT => Arc::new(
                    rows.iter()
                        .map(|row| Some(row.valid_to.is_none()))
                        .collect::<BooleanArray>(),
                ),
                JSON => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.json))),
                name => Arc::new(
                    rows.iter()
                        .map(|row| row.column(self.subject, name))
                        .collect::<StringArray>(),
                ),
            }
        };
        let columns = schema.fields().iter().map(|field| column(field.name())).collect();
        RecordBatch::try_new(Arc::new(schema), columns)
            .map_err(|error| Error::caused(Kind::Invalid, "build a batch of rows", error))
    }

    async fn finish(mut self) -> Result<Vec<DataFile>> {
        self.flush().await?;
        self.writer.close().await.map_err(failed("finish a Parquet file"))
    }
}
