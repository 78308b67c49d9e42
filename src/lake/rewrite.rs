//! Writing files of one day anew: their rows sorted as the table's sort order says, in bounded memory.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use futures::{StreamExt, TryStreamExt};
use iceberg::arrow::{ArrowReaderBuilder, schema_to_arrow_schema};
use iceberg::scan::FileScanTask;
use iceberg::spec::DataFile;
use iceberg::table::Table;

use crate::lake::batch::{is_key, unknown};
use crate::lake::existing::files_of_days;
use crate::lake::row::{encode_key, encode_value};
use crate::lake::sort::Sorter;
use crate::lake::table::EVENT_COLUMN;
use crate::lake::write::{SORT_BUDGET_BYTES, Writer};
use crate::lake::{corrupt, failed, scratch as spill_failed};
use crate::model::activity::{RowKey, day_of};
use crate::ports::Result;

const BATCH_ROWS: usize = 1_024;

/// Where rows are sorted and how the new files are named.
pub struct Workshop<'a> {
    /// A folder in which this can make others.
    pub scratch: &'a Path,
    /// Names the new files, which nobody else may write.
    pub names: &'a str,
}

/// Files that take the place of others.
#[derive(Default)]
pub struct Rewritten {
    pub added: Vec<DataFile>,
    pub rows_before: u64,
    pub rows_after: u64,
}

/// Reads `files`, which are of `day`, and writes the rows that `keeps` wants, which is asked with a row's key and event.
/// Nothing is visible before it is committed.
pub async fn rewrite(
    table: &Table,
    day: i32,
    files: &BTreeSet<String>,
    workshop: &Workshop<'_>,
    keeps: &mut (dyn FnMut(&RowKey<'_>, &str) -> bool + Send),
) -> Result<Rewritten> {
    let columns = columns(table)?;
    let folder = workshop.scratch.join(format!("day-{day}"));
    std::fs::create_dir_all(&folder).map_err(spill_failed)?;
    let mut sorter = Sorter::new(&folder, SORT_BUDGET_BYTES);
    let mut rewritten = Rewritten::default();
    let mut key = Vec::new();
    for task in files_of_days(table, (day, day), None)
        .await?
        .remove(&day)
        .unwrap_or_default()
    {
        if !files.contains(&task.data_file_path) {
            continue;
        }
        let mut batches = read(table, task)?;
        while let Some(batch) = batches.try_next().await.map_err(failed("read a file of the table"))? {
            let rows = Rows::of(&batch, &columns).ok_or_else(|| corrupt("read the columns of the Activity table"))?;
            rewritten.rows_before += batch.num_rows() as u64;
            for row in 0..batch.num_rows() {
                if keeps(&rows.key(row), rows.event(row)) {
                    rewritten.rows_after += 1;
                    encode_key(&rows.key(row), &mut key);
                    let pushed = sorter.push(&key, |out| encode_value(rows.values(row), out));
                    pushed.map_err(spill_failed)?;
                }
            }
        }
    }
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut writer = Writer::new(table, format!("{}-{day}", workshop.names), &names)?;
    let runs = sorter.finish().map_err(spill_failed)?;
    let mut merge = runs.merge().map_err(spill_failed)?;
    while merge.advance().map_err(spill_failed)? {
        writer.push(merge.key(), merge.value()).await?;
    }
    (rewritten.added, _) = writer.finish().await?;
    std::fs::remove_dir_all(&folder).map_err(spill_failed)?;
    Ok(rewritten)
}

/// The table's columns that are not of the key. They are copied whether or not this build knows them.
fn columns(table: &Table) -> Result<Vec<String>> {
    let schema =
        schema_to_arrow_schema(table.metadata().current_schema()).map_err(failed("read the table's schema"))?;
    let others = schema.fields().iter().filter(|field| !is_key(field.name()));
    others
        .map(|field| match field.data_type() {
            DataType::Utf8 => Ok(field.name().clone()),
            other => Err(unknown(field.name(), other)),
        })
        .collect()
}

fn read(table: &Table, task: FileScanTask) -> Result<iceberg::scan::ArrowRecordBatchStream> {
    let reader: ArrowReaderBuilder = table
        .reader_builder()
        .with_data_file_concurrency_limit(1)
        .with_batch_size(BATCH_ROWS);
    let read = reader.build().read(futures::stream::iter([Ok(task)]).boxed());
    Ok(read.map_err(failed("read a file of the table"))?.stream())
}

/// The rows of a batch.
struct Rows<'a> {
    user_id: &'a StringArray,
    published: &'a [i64],
    event_uuid: &'a StringArray,
    event: &'a StringArray,
    columns: Vec<&'a StringArray>,
}

impl<'a> Rows<'a> {
    fn of(batch: &'a RecordBatch, columns: &[String]) -> Option<Self> {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let published = batch.column_by_name("published")?;
        Some(Self {
            user_id: text("user_id")?,
            published: published.as_primitive_opt::<TimestampMicrosecondType>()?.values(),
            event_uuid: text("event_uuid")?,
            event: text(EVENT_COLUMN)?,
            columns: columns.iter().map(|name| text(name)).collect::<Option<_>>()?,
        })
    }

    fn key(&self, row: usize) -> RowKey<'a> {
        RowKey {
            day: day_of(self.published[row]),
            user_id: Cow::Borrowed(self.user_id.value(row)),
            published: self.published[row],
            event_uuid: Cow::Borrowed(self.event_uuid.value(row)),
        }
    }

    fn event(&self, row: usize) -> &'a str {
        self.event.value(row)
    }

    fn values(&self, row: usize) -> impl Iterator<Item = Option<&'a str>> {
        self.columns
            .iter()
            .map(move |column| column.is_valid(row).then(|| column.value(row)))
    }
}
