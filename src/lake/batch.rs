//! A batch of rows in the making, with the columns of the table's own schema, which may be older or newer than this build.

use std::sync::Arc;

use arrow_array::builder::{StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, DataType, SchemaRef};

use crate::lake::table::KEY_COLUMNS;
use crate::model::activity::RowKey;
use crate::ports::{Error, Kind, Result};

/// A batch of about this size keeps the writer's memory flat.
const ROWS: usize = 1_024;
const BYTES: usize = 4 << 20;

/// Rows as columns.
pub struct Batch {
    schema: SchemaRef,
    user_id: StringBuilder,
    published: TimestampMicrosecondBuilder,
    event_uuid: StringBuilder,
    /// One for each column of the schema that is not of the key.
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

enum Column {
    /// Text, and where it stands in a row's value.
    Text(usize, StringBuilder),
    /// A column that the rows do not have.
    Absent(DataType),
}

impl Batch {
    /// `names` are the columns of a row's value, in order.
    pub fn new(schema: SchemaRef, names: &[&str]) -> Result<Self> {
        let mut columns = Vec::new();
        for field in schema.fields().iter().filter(|field| !is_key(field.name())) {
            let place = names.iter().position(|name| name == field.name());
            columns.push(match place {
                Some(place) if *field.data_type() == DataType::Utf8 => Column::Text(place, StringBuilder::new()),
                None if field.is_nullable() => Column::Absent(field.data_type().clone()),
                _ => return Err(unknown(field.name(), field.data_type())),
            });
        }
        Ok(Self {
            schema,
            user_id: StringBuilder::new(),
            published: TimestampMicrosecondBuilder::new(),
            event_uuid: StringBuilder::new(),
            columns,
            rows: 0,
            bytes: 0,
        })
    }

    pub fn is_full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// `bytes` is about what the row takes.
    pub fn push(&mut self, key: &RowKey<'_>, values: &[Option<&str>], bytes: usize) {
        self.user_id.append_value(&key.user_id);
        self.published.append_value(key.published);
        self.event_uuid.append_value(&key.event_uuid);
        for column in &mut self.columns {
            if let Column::Text(place, builder) = column {
                builder.append_option(values.get(*place).copied().flatten());
            }
        }
        self.bytes += bytes;
        self.rows += 1;
    }

    /// The rows; the batch is empty afterwards.
    pub fn take(&mut self) -> std::result::Result<RecordBatch, ArrowError> {
        let mut columns = self.columns.iter_mut();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            arrays.push(match field.name().as_str() {
                "user_id" => Arc::new(self.user_id.finish()),
                "published" => Arc::new(self.published.finish().with_timezone("+00:00")),
                "event_uuid" => Arc::new(self.event_uuid.finish()),
                _ => match columns.next() {
                    Some(Column::Text(_, builder)) => Arc::new(builder.finish()),
                    Some(Column::Absent(of)) => new_null_array(of, self.rows),
                    None => new_null_array(field.data_type(), self.rows),
                },
            });
        }
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
    }
}

/// Whether a column is part of the row's key.
pub fn is_key(name: &str) -> bool {
    KEY_COLUMNS.contains(&name)
}

/// A column that this build cannot write.
pub fn unknown(name: &str, of: &DataType) -> Error {
    let why = format!("its column {name} is of type {of}, which this build does not know; use a newer one");
    Error::caused(Kind::Invalid, "write to the Activity table", std::io::Error::other(why))
}
