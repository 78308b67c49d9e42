//! Tables that this build did not write: one from an older build as it was, and one that knows fewer columns and one more.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures::TryStreamExt as _;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::{
    DataFileFormat, Literal, NestedField, PartitionKey, PrimitiveType, Schema, Struct, Transform, Type,
    UnboundPartitionSpec,
};
use iceberg::writer::base_writer::data_file_writer::DataFileWriterBuilder;
use iceberg::writer::file_writer::ParquetWriterBuilder;
use iceberg::writer::file_writer::location_generator::{DefaultFileNameGenerator, DefaultLocationGenerator};
use iceberg::writer::file_writer::rolling_writer::RollingFileWriterBuilder;
use iceberg::writer::partitioning::PartitioningWriter as _;
use iceberg::writer::partitioning::clustered_writer::ClusteredWriter;
use iceberg::{NamespaceIdent, TableCreation};
use jiff::Timestamp;
use oort_streams::aws;
use oort_streams::lake::commit;
use oort_streams::lake::merge::merge;
use oort_streams::model::activity::Watermark;
use oort_streams::ports::Precondition;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use super::{Hand, all_rows};
use crate::emulator::{Emulator, STAGING};
use crate::lake::{Table, event};

/// The files of the table that the build of commit `dbda6b1` left when it had compacted twice, with 50 and with 20 rows.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/activity-dbda6b1");
/// Where they were. An Iceberg table knows its files by their whole names.
const BUCKET: &str = "oort-staging-data-909617834444-us-east-2";
const DATABASE: &str = "oort_staging_logs";
const ROWS: usize = 70;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Puts the files where they were, and the table's entry into Glue.
async fn restore(emulator: &Emulator) -> Table {
    emulator.make_bucket(STAGING, BUCKET);
    let session = aws::Session::of(emulator.config(STAGING).await);
    let objects = session.objects(BUCKET, "tenants/acme/activity").unwrap();
    let mut found = Vec::new();
    files(Path::new(FILES), &mut found);
    found.sort();
    let mut newest = String::new();
    for path in found {
        let key = path.strip_prefix(FILES).unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        objects.put(&key, bytes, Precondition::Absent).await.unwrap();
        if key.ends_with(".metadata.json") {
            newest = format!("s3://{BUCKET}/tenants/acme/activity/{key}");
        }
    }
    emulator.glue(STAGING, "CreateDatabase", &json!({"DatabaseInput": {"Name": DATABASE}}));
    let parameters = json!({"table_type": "ICEBERG", "metadata_location": newest});
    let input = json!({"Name": "acme_activity", "TableType": "EXTERNAL_TABLE", "Parameters": parameters});
    emulator.glue(
        STAGING,
        "CreateTable",
        &json!({"DatabaseName": DATABASE, "TableInput": input}),
    );
    Table::of_acme(&session, DATABASE, BUCKET)
}

/// The events of a table's rows, as they were received.
async fn events(table: &Table) -> Vec<String> {
    let now = table.lake.load().await.unwrap().unwrap();
    let scan = now.scan().select(["event"]).build().unwrap();
    let batches: Vec<_> = scan.to_arrow().await.unwrap().try_collect().await.unwrap();
    let texts = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter());
    texts.map(|text| text.unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_table_of_an_older_build_is_read_written_and_kept_up() {
    let emulator = tokio::task::spawn_blocking(Emulator::start).await.unwrap();
    let table = restore(&emulator).await;
    let before = all_rows(&table.lake).await;
    assert_eq!((before.len(), table.lake.rows().await.unwrap()), (ROWS, ROWS as u64));
    let metadata = table.lake.load().await.unwrap().unwrap();
    assert_eq!(commit::watermark(&metadata).unwrap(), Watermark(2));

    // What it has already is not added again, whoever computed it.
    let events = events(&table).await;
    let user: Value = serde_json::from_str(&events[0]).unwrap();
    let user = user["actor"]["id"].as_str().unwrap();
    let of_user = table.read(user).await;
    assert!(!of_user.is_empty());
    assert_eq!(table.write(&events, 3).await.added, 0);
    assert_eq!(table.write(&[event(1, 1, "ann", "bob")], 4).await.added, 2);

    merge(&Hand::new("older").on(&table)).await.unwrap();
    // The column that it lacked comes last, and is empty.
    let cells = before.keys().next().unwrap().len();
    let without = |(mut row, count): (Vec<String>, usize)| {
        assert_eq!(row.split_off(cells), ["-"]);
        (row, count)
    };
    let mut after: BTreeMap<_, _> = all_rows(&table.lake).await.into_iter().map(without).collect();
    after.retain(|row, _| before.contains_key(row));
    assert_eq!(after, before, "no cell of an older row changes");
    assert_eq!(table.read(user).await, of_user);
    assert_eq!(table.lake.rows().await.unwrap(), ROWS as u64 + 2);
}

/// A table as a build makes it that knows but a few of today's columns, and one that today's has never heard of.
async fn with_other_columns() -> Table {
    let table = Table::embedded().await;
    let string = || Type::Primitive(PrimitiveType::String);
    let fields = [
        NestedField::required(1, "user_id", string()),
        NestedField::required(2, "published", Type::Primitive(PrimitiveType::Timestamptz)),
        NestedField::required(3, "event_uuid", string()),
        NestedField::required(4, "event", string()),
        NestedField::optional(5, "weather", string()),
        NestedField::optional(6, "user_login", string()),
    ];
    let schema = Schema::builder().with_fields(fields.map(Arc::new)).build().unwrap();
    let partition = UnboundPartitionSpec::builder()
        .add_partition_field(2, "published_day", Transform::Day)
        .unwrap()
        .build();
    let creation = TableCreation::builder()
        .name("activity".to_owned())
        .schema(schema)
        .partition_spec(partition)
        .build();
    let namespace = NamespaceIdent::new("acme".to_owned());
    let catalog = &table.catalog;
    catalog.create_namespace(&namespace, HashMap::new()).await.unwrap();
    catalog.create_table(&namespace, creation).await.unwrap();
    table
}

/// Writes the row of one event as that build would.
async fn write_as_it_would(table: &Table, uuid: u32) {
    let base = table.lake.load().await.unwrap().unwrap();
    let text = event(uuid, 1, "ann", "ann");
    let parsed: Value = serde_json::from_str(&text).unwrap();
    let published: Timestamp = parsed["published"].as_str().unwrap().parse().unwrap();
    let string = |text: &str| Arc::new(StringArray::from(vec![text.to_owned()])) as ArrayRef;
    let times = TimestampMicrosecondArray::from(vec![published.as_microsecond()]).with_timezone("+00:00");
    let columns = vec![
        string("ann"),
        Arc::new(times),
        string(&format!("event-{uuid}")),
        string(&text),
        string("rain"),
        string("ann@example.com"),
    ];
    let metadata = base.metadata();
    let schema = Arc::new(schema_to_arrow_schema(metadata.current_schema()).unwrap());
    let parquet = ParquetWriterBuilder::new(WriterProperties::default(), metadata.current_schema().clone());
    let names = DefaultFileNameGenerator::new(format!("older-{uuid}"), None, DataFileFormat::Parquet);
    let locations = DefaultLocationGenerator::new(metadata).unwrap();
    let rolling = RollingFileWriterBuilder::new(parquet, 1 << 20, base.file_io().clone(), locations, names);
    let mut files = ClusteredWriter::new(DataFileWriterBuilder::new(rolling));
    let day = i32::try_from(published.as_second() / 86_400).unwrap();
    let partition = PartitionKey::new(
        metadata.default_partition_spec().as_ref().clone(),
        metadata.current_schema().clone(),
        Struct::from_iter([Some(Literal::date(day))]),
    );
    let batch = RecordBatch::try_new(schema, columns).unwrap();
    files.write(partition, batch).await.unwrap();
    let files = files.close().await.unwrap();
    commit::append(&table.catalog, &base, files, Watermark(1))
        .await
        .unwrap();
}

#[tokio::test]
async fn columns_that_a_table_lacks_are_added_and_those_of_others_are_kept() {
    let table = with_other_columns().await;
    write_as_it_would(&table, 1).await;
    assert_eq!(table.read("ann").await[0].column("event_type"), "", "it knew no types");

    // Its row is known again, and a new one has all of today's columns.
    let both = [event(1, 1, "ann", "ann"), event(2, 1, "ann", "ann")];
    assert_eq!(table.write(&both, 2).await.added, 1);
    let now = table.lake.load().await.unwrap().unwrap();
    let schema = now.metadata().current_schema();
    assert_eq!(
        schema.as_struct().fields().len(),
        22,
        "today's twenty-one and the weather"
    );
    for (name, id) in [("event", 4), ("weather", 5), ("user_login", 6)] {
        assert_eq!(schema.field_by_name(name).unwrap().id, id, "{name}");
    }
    let before = all_rows(&table.lake).await;
    let merged = merge(&Hand::new("columns").on(&table)).await.unwrap();
    assert_eq!((merged.files_before, merged.files_after), (2, 1));
    assert_eq!(all_rows(&table.lake).await, before);
    let weather: Vec<_> = before.keys().map(|row| row[4].as_str()).collect();
    assert_eq!(weather, ["rain", "-"]);
    let types: Vec<_> = table
        .read("ann")
        .await
        .iter()
        .map(|row| row.column("event_type").to_owned())
        .collect();
    assert_eq!(types, ["user.session.start", ""], "newest first");
}
