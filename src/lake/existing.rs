//! The keys that the table already holds, walked in the order of the rows that ask for them.
//!
//! Every file is sorted by the table's sort order, so one pass over a day's files answers for all of a day's new rows,
//! with one batch of keys a file in memory.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures::{StreamExt, TryStreamExt};
use iceberg::arrow::ArrowReaderBuilder;
use iceberg::expr::Reference;
use iceberg::scan::{ArrowRecordBatchStream, FileScanTask};
use iceberg::spec::Datum;
use iceberg::table::Table;

use crate::lake::inventory::partition_day;
use crate::lake::row::encode_key;
use crate::lake::table::KEY_COLUMNS;
use crate::lake::{corrupt, failed};
use crate::model::activity::{RowKey, day_of};
use crate::ports::Result;

const BATCH_ROWS: usize = 1_024;
const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// Answers whether the table holds a key, for keys that are asked in ascending order.
pub struct Existing {
    table: Table,
    files: BTreeMap<i32, Vec<FileScanTask>>,
    /// The encoded day of the open files.
    day: [u8; 4],
    heap: BinaryHeap<File>,
}

impl Existing {
    /// Lists the files of the days from `first` to `last`, both included.
    pub async fn open(table: &Table, (first, last): (i32, i32)) -> Result<Self> {
        let files = files_of_days(table, (first, last), Some(&KEY_COLUMNS)).await?;
        Ok(Self {
            table: table.clone(),
            files,
            day: [0; 4],
            heap: BinaryHeap::new(),
        })
    }

    /// Whether the table holds `key`, an encoded key not less than the one asked before.
    pub async fn contains(&mut self, key: &[u8]) -> Result<bool> {
        if !key.starts_with(&self.day) {
            self.open_day(key).await?;
        }
        while let Some(mut file) = self.heap.pop() {
            match file.key.as_slice().cmp(key) {
                Ordering::Less => {
                    if file.advance().await? {
                        self.heap.push(file);
                    }
                }
                ordering => {
                    self.heap.push(file);
                    return Ok(ordering == Ordering::Equal);
                }
            }
        }
        Ok(false)
    }

    async fn open_day(&mut self, key: &[u8]) -> Result<()> {
        let (Some(&encoded), Some(RowKey { day, .. })) = (key.first_chunk(), crate::lake::row::decode_key(key)) else {
            return Err(corrupt("read a sorted row's key"));
        };
        self.day = encoded;
        self.heap.clear();
        for task in self.files.remove(&day).unwrap_or_default() {
            let mut file = File::open(&self.table, task)?;
            if file.advance().await? {
                self.heap.push(file);
            }
        }
        Ok(())
    }
}

/// The files of the days from `first` to `last`, both included, to be read with these columns, or with all.
pub(super) async fn files_of_days(
    table: &Table,
    (first, last): (i32, i32),
    columns: Option<&[&str]>,
) -> Result<BTreeMap<i32, Vec<FileScanTask>>> {
    let mut files: BTreeMap<i32, Vec<FileScanTask>> = BTreeMap::new();
    if table.metadata().current_snapshot().is_none() {
        return Ok(files);
    }
    let time = |day: i32| Datum::timestamptz_micros(i64::from(day) * MICROSECONDS_A_DAY);
    let published = || Reference::new("published");
    let within = published()
        .greater_than_or_equal_to(time(first))
        .and(published().less_than(time(last.saturating_add(1))));
    let scan = table.scan().with_filter(within);
    let scan = match columns {
        Some(columns) => scan.select(columns),
        None => scan.select_all(),
    };
    let failed = || failed("list the table's files");
    let scan = scan.build().map_err(failed())?;
    let mut tasks = scan.plan_files().await.map_err(failed())?;
    while let Some(mut task) = tasks.try_next().await.map_err(failed())? {
        let day = task.partition.as_ref().and_then(partition_day);
        let day = day.ok_or_else(|| corrupt("read the day of a file of the table"))?;
        // The filter only chose the files; evaluated on rows it would cost and change nothing.
        task.predicate = None;
        files.entry(day).or_default().push(task);
    }
    Ok(files)
}

/// One file of the table, at one of its keys.
struct File {
    path: String,
    batches: ArrowRecordBatchStream,
    columns: Option<(StringArray, TimestampMicrosecondArray, StringArray)>,
    next_row: usize,
    key: Vec<u8>,
    previous: Vec<u8>,
}

impl File {
    fn open(table: &Table, task: FileScanTask) -> Result<Self> {
        let path = task.data_file_path.clone();
        let reader: ArrowReaderBuilder = table
            .reader_builder()
            .with_data_file_concurrency_limit(1)
            .with_batch_size(BATCH_ROWS);
        let batches = reader
            .build()
            .read(futures::stream::iter([Ok(task)]).boxed())
            .map_err(failed(format!("read {path}")))?
            .stream();
        Ok(Self {
            path,
            batches,
            columns: None,
            next_row: 0,
            key: Vec::new(),
            previous: Vec::new(),
        })
    }

    /// Steps to the next key; `false` at the end of the file.
    async fn advance(&mut self) -> Result<bool> {
        while self
            .columns
            .as_ref()
            .is_none_or(|(user, ..)| self.next_row >= user.len())
        {
            let next = self.batches.try_next().await;
            let Some(batch) = next.map_err(failed(format!("read {}", self.path)))? else {
                return Ok(false);
            };
            self.columns = Some(columns(&batch).ok_or_else(|| corrupt("read the key columns of the table"))?);
            self.next_row = 0;
        }
        let Some((user, published, uuid)) = &self.columns else {
            return Ok(false);
        };
        let time = published.value(self.next_row);
        let key = RowKey {
            day: day_of(time),
            user_id: Cow::Borrowed(user.value(self.next_row)),
            published: time,
            event_uuid: Cow::Borrowed(uuid.value(self.next_row)),
        };
        std::mem::swap(&mut self.key, &mut self.previous);
        encode_key(&key, &mut self.key);
        self.next_row += 1;
        if self.key < self.previous {
            let why = std::io::Error::other(format!("{} is not in the table's sort order", self.path));
            return Err(crate::ports::Error::caused(
                crate::ports::Kind::Invalid,
                "compare new rows with the table",
                why,
            ));
        }
        Ok(true)
    }
}

fn columns(batch: &RecordBatch) -> Option<(StringArray, TimestampMicrosecondArray, StringArray)> {
    let column = |name| batch.column_by_name(name);
    Some((
        column("user_id")?.as_string_opt::<i32>()?.clone(),
        column("published")?
            .as_primitive_opt::<TimestampMicrosecondType>()?
            .clone(),
        column("event_uuid")?.as_string_opt::<i32>()?.clone(),
    ))
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for File {}
impl PartialOrd for File {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for File {
    /// Reversed, because the standard heap gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}
