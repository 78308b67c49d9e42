//! Rows on their way into the table: collected, sorted in bounded memory, compared with what the table holds, written as
//! one sorted Parquet file a day, and committed at once.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
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

use crate::lake::existing::Existing;
use crate::lake::row::{decode_key, decode_value, encode_key, encode_value};
use crate::lake::sort::{Sorted, Sorter};
use crate::lake::table::Lake;
use crate::lake::{commit, corrupt, failed, scratch};
use crate::model::activity::{Activity, COLUMNS, Subject, Watermark};
use crate::ports::{Kind, Result};

/// Bytes of rows that are sorted in memory before they are spilled.
const SORT_BUDGET_BYTES: usize = 48 << 20;
/// Rows a batch, row group and Parquet file of about this size keep the writer's memory flat.
const BATCH_ROWS: usize = 1_024;
const BATCH_BYTES: usize = 4 << 20;
const ROW_GROUP_ROWS: usize = 16_384;
const ROW_GROUP_BYTES: usize = 32 << 20;
const FILE_BYTES: usize = 256 << 20;

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
        let columns = activity.columns(subject);
        self.sorter
            .push(&self.key, |out| encode_value(&columns, event, out))
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
    let mut existing = Existing::open(base, days).await?;
    let mut writer = Writer::new(base, names)?;
    let mut last = Vec::new();
    let mut merge = sorted.merge().map_err(scratch)?;
    while merge.advance().map_err(scratch)? {
        if merge.key() == last {
            continue;
        }
        last.clear();
        last.extend_from_slice(merge.key());
        if !existing.contains(merge.key()).await? {
            writer.push(merge.key(), merge.value()).await?;
        }
    }
    writer.finish().await
}

type Clustered =
    ClusteredWriter<DataFileWriterBuilder<ParquetWriterBuilder, DefaultLocationGenerator, DefaultFileNameGenerator>>;

/// Turns encoded rows into record batches and those into one file a day.
struct Writer {
    table: Table,
    schema: SchemaRef,
    files: Clustered,
    batch: Batch,
    day: i32,
    added: u64,
}

impl Writer {
    fn new(table: &Table, names: String) -> Result<Self> {
        let define = || failed("prepare a Parquet file");
        let schema = schema_to_arrow_schema(table.metadata().current_schema()).map_err(define())?;
        let parquet = ParquetWriterBuilder::new(parquet_properties()?, table.metadata().current_schema().clone());
        let locations = DefaultLocationGenerator::new(table.metadata()).map_err(define())?;
        let names = DefaultFileNameGenerator::new(names, None, DataFileFormat::Parquet);
        let rolling = RollingFileWriterBuilder::new(parquet, FILE_BYTES, table.file_io().clone(), locations, names);
        Ok(Self {
            table: table.clone(),
            schema: Arc::new(schema),
            files: ClusteredWriter::new(DataFileWriterBuilder::new(rolling)),
            batch: Batch::default(),
            day: 0,
            added: 0,
        })
    }

    async fn push(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let key = decode_key(key).ok_or_else(|| corrupt("read a sorted row's key"))?;
        let (columns, event) = decode_value(value).ok_or_else(|| corrupt("read a sorted row"))?;
        if key.day != self.day || self.batch.is_full() {
            self.flush().await?;
        }
        self.day = key.day;
        self.added += 1;
        self.batch.user_id.append_value(key.user_id);
        self.batch.published.append_value(key.published);
        self.batch.event_uuid.append_value(key.event_uuid);
        for (builder, column) in self.batch.columns.iter_mut().zip(columns) {
            builder.append_option(column);
        }
        self.batch.event.append_value(event);
        self.batch.bytes += value.len();
        self.batch.rows += 1;
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        if self.batch.rows == 0 {
            return Ok(());
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), self.batch.take())
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

    async fn finish(mut self) -> Result<(Vec<DataFile>, u64)> {
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

#[derive(Default)]
struct Batch {
    user_id: StringBuilder,
    published: TimestampMicrosecondBuilder,
    event_uuid: StringBuilder,
    columns: [StringBuilder; COLUMNS.len()],
    event: StringBuilder,
    rows: usize,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    /// The arrays in the schema's order; the batch is empty afterwards.
    fn take(&mut self) -> Vec<ArrayRef> {
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(self.user_id.finish()),
            Arc::new(self.published.finish().with_timezone("+00:00")),
            Arc::new(self.event_uuid.finish()),
        ];
        arrays.extend(
            self.columns
                .iter_mut()
                .map(|column| Arc::new(column.finish()) as ArrayRef),
        );
        arrays.push(Arc::new(self.event.finish()));
        self.rows = 0;
        self.bytes = 0;
        arrays
    }
}
