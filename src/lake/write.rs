//! Rows on their way into the table: collected, sorted in bounded memory, compared with what the table holds, written as
//! one sorted Parquet file a day, and committed at once.

use std::path::Path;
use std::sync::Arc;

use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::{DataFile, DataFileFormat, Literal, PartitionKey, Struct};
use iceberg::table::Table;
use iceberg::writer::base_writer::data_file_writer::DataFileWriterBuilder;
use iceberg::writer::file_writer::ParquetWriterBuilder;
use iceberg::writer::file_writer::location_generator::{DefaultFileNameGenerator, DefaultLocationGenerator};
use iceberg::writer::file_writer::rolling_writer::RollingFileWriterBuilder;
use iceberg::writer::partitioning::PartitioningWriter;
use iceberg::writer::partitioning::clustered_writer::ClusteredWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::lake::admission::Admission;
use crate::lake::batch::Batch;
use crate::lake::existing::Existing;
use crate::lake::row::{decode_key, decode_value, encode_key, encode_value};
use crate::lake::sort::{Sorted, Sorter};
use crate::lake::table::{EVENT_COLUMN as EVENT, Lake};
use crate::lake::{commit, corrupt, failed, scratch};
use crate::model::activity::{Activity, COLUMNS, Subject, Watermark};
use crate::model::planted::{Mistake, is_planted};
use crate::ports::{Kind, Result};

/// Bytes of rows that are sorted in memory before they are spilled.
pub(super) const SORT_BUDGET_BYTES: usize = 48 << 20;
/// Row groups and Parquet files of about this size keep the writer's memory flat.
const ROW_GROUP_ROWS: usize = 16_384;
const ROW_GROUP_BYTES: usize = 32 << 20;
pub(super) const FILE_BYTES: usize = 256 << 20;

/// Rows collected for one commit.
pub struct Rows {
    /// Names this run's files, which nobody else may write.
    run: String,
    sorter: Sorter,
    key: Vec<u8>,
    offered: u64,
    days: Option<(i32, i32)>,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that came in.
    pub offered: u64,
    /// Rows that the table did not have yet.
    pub added: u64,
}

impl Rows {
    /// Spills to `scratch`, an empty folder that outlives this value. `run` is unique among all runs.
    pub fn new(scratch: &Path, run: &str) -> Self {
        Self {
            run: run.to_owned(),
            sorter: Sorter::new(scratch, SORT_BUDGET_BYTES),
            key: Vec::new(),
            offered: 0,
            days: None,
        }
    }

    /// Adds the row of one subject of an event; `event` is the event's own text.
    pub fn push(&mut self, activity: &Activity<'_>, subject: &Subject<'_>, event: &str) -> Result<()> {
        let key = activity.key(subject);
        encode_key(&key, &mut self.key);
        let (first, last) = self.days.unwrap_or((key.day, key.day));
        self.days = Some((first.min(key.day), last.max(key.day)));
        self.offered += 1;
        let columns = activity.columns(subject).into_iter().chain([Some(event)]);
        self.sorter
            .push(&self.key, |out| encode_value(columns, out))
            .map_err(scratch)
    }

    /// Commits what the table lacks, and the watermark, in one commit; a commit that lost a race is computed again.
    ///
    /// `watermark` gives the new watermark from the one that the table has at that moment.
    pub async fn commit(self, lake: &Lake, watermark: impl Fn(Watermark) -> Watermark) -> Result<Written> {
        const ATTEMPTS: usize = 8;
        let sorted = self.sorter.finish().map_err(scratch)?;
        let mut attempt = 1;
        loop {
            let base = lake.load_or_create().await?;
            let old_watermark = commit::watermark(&base)?;
            let new_watermark = watermark(old_watermark);
            let names = format!("{}-{attempt}", self.run);
            let (files, added) = write_missing(&base, &sorted, self.days, names).await?;
            if files.is_empty() && new_watermark == old_watermark {
                return Ok(Written {
                    offered: self.offered,
                    added,
                });
            }
            match commit::append(&lake.catalog, &base, files, new_watermark).await {
                Ok(_) => {
                    return Ok(Written {
                        offered: self.offered,
                        added,
                    });
                }
                Err(error) if error.kind == Kind::Conflict && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Writes the sorted rows that `base` lacks, each once. Nothing is visible before the files are committed.
async fn write_missing(
    base: &Table,
    sorted: &Sorted,
    days: Option<(i32, i32)>,
    names: String,
) -> Result<(Vec<DataFile>, u64)> {
    let Some(days) = days else {
        return Ok((Vec::new(), 0));
    };
    let admission = Admission::of(base.metadata())?;
    let mut existing = Existing::open(base, days).await?;
    let mut writer = Writer::new(base, names, &usual_columns())?;
    let mut last = Vec::new();
    let mut merge = sorted.merge().map_err(scratch)?;
    while merge.advance().map_err(scratch)? {
        if merge.key() == last {
            continue;
        }
        last.clear();
        last.extend_from_slice(merge.key());
        let key = decode_key(merge.key()).ok_or_else(|| corrupt("read a sorted row's key"))?;
        let is_there = existing.contains(merge.key()).await? && !is_planted(Mistake::CompactionIgnoringRefresh);
        if admission.admits(&key) && !is_there {
            writer.push(merge.key(), merge.value()).await?;
        }
    }
    writer.finish().await
}

type Clustered =
    ClusteredWriter<DataFileWriterBuilder<ParquetWriterBuilder, DefaultLocationGenerator, DefaultFileNameGenerator>>;

/// The columns of [`Rows`] as they are encoded.
fn usual_columns() -> Vec<&'static str> {
    COLUMNS.into_iter().chain([EVENT]).collect()
}

/// Turns encoded rows into record batches and those into sorted files, one or more a day. Rows come in the order of their
/// keys.
pub(super) struct Writer {
    table: Table,
    files: Clustered,
    batch: Batch,
    day: i32,
    added: u64,
}

impl Writer {
    /// `columns` names what each row's value holds, in order. A column of the table that is not among them is null in every
    /// row: an older build writes into a newer table.
    pub(super) fn new(table: &Table, names: String, columns: &[&str]) -> Result<Self> {
        let define = || failed("prepare a Parquet file");
        let schema = schema_to_arrow_schema(table.metadata().current_schema()).map_err(define())?;
        let parquet = ParquetWriterBuilder::new(parquet_properties()?, table.metadata().current_schema().clone());
        let locations = DefaultLocationGenerator::new(table.metadata()).map_err(define())?;
        let names = DefaultFileNameGenerator::new(names, None, DataFileFormat::Parquet);
        let rolling = RollingFileWriterBuilder::new(parquet, FILE_BYTES, table.file_io().clone(), locations, names);
        Ok(Self {
            table: table.clone(),
            files: ClusteredWriter::new(DataFileWriterBuilder::new(rolling)),
            batch: Batch::new(Arc::new(schema), columns)?,
            day: 0,
            added: 0,
        })
    }

    pub(super) async fn push(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let key = decode_key(key).ok_or_else(|| corrupt("read a sorted row's key"))?;
        let columns = decode_value(value).ok_or_else(|| corrupt("read a sorted row"))?;
        if key.day != self.day || self.batch.is_full() {
            self.flush().await?;
        }
        self.day = key.day;
        self.added += 1;
        self.batch.push(&key, &columns, value.len());
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = self
            .batch
            .take()
            .map_err(|error| crate::ports::Error::caused(Kind::Invalid, "build a batch of rows", error))?;
        let metadata = self.table.metadata();
        let partition = PartitionKey::new(
            metadata.default_partition_spec().as_ref().clone(),
            metadata.current_schema().clone(),
            Struct::from_iter([Some(Literal::date(self.day))]),
        );
        self.files
            .write(partition, batch)
            .await
            .map_err(failed("write a Parquet file"))
    }

    /// The files, which nobody sees before they are committed, and how many rows they hold.
    pub(super) async fn finish(mut self) -> Result<(Vec<DataFile>, u64)> {
        self.flush().await?;
        let files = self.files.close().await.map_err(failed("finish a Parquet file"))?;
        Ok((files, self.added))
    }
}

fn parquet_properties() -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(1)
        .map_err(|error| crate::ports::Error::caused(Kind::Invalid, "prepare a Parquet file", error))?;
    let event = ColumnPath::from("event");
    let uuid = ColumnPath::from("event_uuid");
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        // Every event and every UUID is another: a dictionary would only be built and thrown away, and the least and
        // greatest event tell a reader nothing.
        .set_column_dictionary_enabled(event.clone(), false)
        .set_column_dictionary_enabled(uuid, false)
        .set_column_statistics_enabled(event, parquet::file::properties::EnabledStatistics::None)
        .build())
}
