//! The columns of an Iceberg table as Glue lists them, for whoever looks at the catalog. Engines read Iceberg's own schema.
//! Pure.

use std::collections::HashMap;

use aws_sdk_glue::types::Column;
use iceberg::spec::{NestedField, PrimitiveType, TableMetadata, Type};
use iceberg::{Error, ErrorKind, Result};

/// Source: the names that Iceberg's `IcebergToGlueConverter` gives.
const FIELD_ID: &str = "iceberg.field.id";
const FIELD_OPTIONAL: &str = "iceberg.field.optional";
const FIELD_CURRENT: &str = "iceberg.field.current";

/// The current schema's columns.
pub fn columns(metadata: &TableMetadata) -> Result<Vec<Column>> {
    let fields = metadata.current_schema().as_struct().fields();
    fields.iter().map(|field| column(field)).collect()
}

fn column(field: &NestedField) -> Result<Column> {
    let parameters = [
        (FIELD_ID, field.id.to_string()),
        (FIELD_OPTIONAL, (!field.required).to_string()),
        (FIELD_CURRENT, true.to_string()),
    ];
    let parameters: HashMap<String, String> = parameters.map(|(key, value)| (key.to_owned(), value)).into();
    Column::builder()
        .name(&field.name)
        .r#type(type_name(field)?)
        .set_comment(field.doc.clone())
        .set_parameters(Some(parameters))
        .build()
        .map_err(|error| Error::new(ErrorKind::DataInvalid, "describe a column to Glue").with_source(error))
}

/// Hive's name of a type. Glue knows no time zone: what Iceberg keeps in UTC is a `timestamp` too.
fn type_name(field: &NestedField) -> Result<String> {
    let name = match field.field_type.as_ref() {
        Type::Primitive(PrimitiveType::Boolean) => "boolean",
        Type::Primitive(PrimitiveType::Int) => "int",
        Type::Primitive(PrimitiveType::Long) => "bigint",
        Type::Primitive(PrimitiveType::Float) => "float",
        Type::Primitive(PrimitiveType::Double) => "double",
        Type::Primitive(PrimitiveType::Date) => "date",
        Type::Primitive(PrimitiveType::Timestamp | PrimitiveType::Timestamptz) => "timestamp",
        Type::Primitive(PrimitiveType::String | PrimitiveType::Uuid) => "string",
        Type::Primitive(PrimitiveType::Binary | PrimitiveType::Fixed(_)) => "binary",
        Type::Primitive(PrimitiveType::Decimal { precision, scale }) => {
            return Ok(format!("decimal({precision},{scale})"));
        }
        other => {
            let why = format!("column {}: Glue has no name for {other}", field.name);
            return Err(Error::new(ErrorKind::FeatureUnsupported, why));
        }
    };
    Ok(name.to_owned())
}
