//! The Activity table: its schema, partition and sort order, and how it is found or made.

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::spec::{
    NestedField, NullOrder, PrimitiveType, Schema, SortDirection, SortField, SortOrder, Transform, Type,
    UnboundPartitionSpec,
};
use iceberg::table::Table;
use iceberg::transaction::{AddColumn, ApplyTransactionAction as _, Transaction};
use iceberg::{Catalog, NamespaceIdent, TableCreation, TableIdent};

use crate::lake::failed;
use crate::model::activity::COLUMNS;
use crate::ports::{Error, Kind, Result};

/// The table's name in its tenant's namespace.
const TABLE: &str = "activity";

pub(crate) const USER_ID: i32 = 1;
pub(crate) const PUBLISHED: i32 = 2;
const EVENT_UUID: i32 = 3;
/// Field IDs of [`COLUMNS`] follow each other from here.
const FIRST_COLUMN: i32 = 4;
/// After [`COLUMNS`]. Catalogs number the columns of a new table again, one after the other; a column that is added later
/// gets the next number that the table has never used, wherever it stands here.
const EVENT: i32 = 100;
/// The columns that make a row's identity, in the schema's order.
pub(crate) const KEY_COLUMNS: [&str; 3] = ["user_id", "published", "event_uuid"];
pub(crate) const EVENT_COLUMN: &str = "event";

/// One tenant's Activity table in a catalog.
#[derive(Clone)]
pub struct Lake {
    pub(crate) catalog: Arc<dyn Catalog>,
    ident: TableIdent,
    /// Where the table's files are, as in `s3://bucket/tenants/acme/activity`; where the catalog puts them if it is `None`.
    location: Option<String>,
}

impl Lake {
    /// `namespace` is the tenant's own, so that no query crosses tenants.
    pub fn new(catalog: Arc<dyn Catalog>, namespace: &str) -> Self {
        Self {
            catalog,
            ident: TableIdent::new(NamespaceIdent::new(namespace.to_owned()), TABLE.to_owned()),
            location: None,
        }
    }

    /// A table of a database that tenants share. IAM tells its tables apart by name and their files by `location`.
    pub fn shared(catalog: Arc<dyn Catalog>, database: &str, table: &str, location: String) -> Self {
        Self {
            catalog,
            ident: TableIdent::new(NamespaceIdent::new(database.to_owned()), table.to_owned()),
            location: Some(location),
        }
    }

    /// The table as it is now; `None` before the first write.
    pub async fn load(&self) -> Result<Option<Table>> {
        match self
            .catalog
            .load_table(&self.ident)
            .await
            .map_err(failed("load the Activity table"))
        {
            Ok(table) => Ok(Some(table)),
            Err(Error {
                kind: Kind::NotFound, ..
            }) => Ok(None),
            Err(error) => self.absent_or(error).await,
        }
    }

    /// Catalogs disagree about the error for a missing table, so its absence is asked for by itself.
    async fn absent_or(&self, error: Error) -> Result<Option<Table>> {
        let exists = self.catalog.table_exists(&self.ident).await;
        if matches!(exists, Ok(false)) {
            Ok(None)
        } else {
            Err(error)
        }
    }

    /// How many rows the table has, by its newest snapshot; 0 before the first write.
    pub async fn rows(&self) -> Result<u64> {
        let table = self.load().await?;
        let snapshot = table.as_ref().and_then(|table| table.metadata().current_snapshot());
        let Some(snapshot) = snapshot else { return Ok(0) };
        snapshot
            .summary()
            .additional_properties
            .get("total-records")
            .and_then(|rows| rows.parse().ok())
            .ok_or_else(|| Error::new(Kind::Invalid, "count the rows of the Activity table"))
    }

    /// Takes the table out of the catalog, and leaves its files as they are. What is not there is no failure.
    pub async fn forget(&self) -> Result<()> {
        let failed = failed("take the Activity table out of the catalog");
        if self.catalog.table_exists(&self.ident).await.map_err(&failed)? {
            self.catalog.drop_table(&self.ident).await.map_err(failed)?;
        }
        Ok(())
    }

    /// The table as it is now, made when there is none, with every column that this build knows. Two callers at once get the
    /// same table.
    pub async fn load_or_create(&self) -> Result<Table> {
        match self.load().await? {
            Some(table) => self.with_every_column(table).await,
            None => self.create().await,
        }
    }

    /// Adds the columns that a table of an older build lacks. Its rows have no value in them.
    async fn with_every_column(&self, table: Table) -> Result<Table> {
        let failed = || failed("add columns to the Activity table");
        let schema = table.metadata().current_schema();
        let missing: Vec<_> = COLUMNS
            .into_iter()
            .filter(|name| schema.field_by_name(name).is_none())
            .collect();
        if missing.is_empty() {
            return Ok(table);
        }
        let transaction = Transaction::new(&table);
        let update = missing.iter().fold(transaction.update_schema(), |update, name| {
            update.add_column(AddColumn::optional(name, Type::Primitive(PrimitiveType::String)))
        });
        let transaction = update.apply(transaction).map_err(failed())?;
        match transaction.commit(&*self.catalog).await.map_err(failed()) {
            Ok(table) => Ok(table),
            // Another run was faster, and may have added the same.
            Err(Error {
                kind: Kind::Conflict, ..
            }) => self
                .load()
                .await?
                .ok_or_else(|| Error::new(Kind::Conflict, "load the Activity table")),
            Err(error) => Err(error),
        }
    }

    async fn create(&self) -> Result<Table> {
        self.create_as(creation).await
    }

    /// Another table of the same tenant, by its short name, such as `users`.
    pub(crate) fn beside(&self, table: &str) -> Self {
        let replaced = |text: &str| match text.strip_suffix(TABLE) {
            Some(before) => format!("{before}{table}"),
            None => format!("{text}_{table}"),
        };
        Self {
            catalog: Arc::clone(&self.catalog),
            ident: TableIdent::new(self.ident.namespace().clone(), replaced(self.ident.name())),
            location: self.location.as_deref().map(replaced),
        }
    }

    pub(crate) async fn create_as(
        &self,
        creation: impl FnOnce(&str, Option<String>) -> Result<TableCreation>,
    ) -> Result<Table> {
        let namespace = self.ident.namespace();
        // Whoever comes second is refused and then finds what the first made; a real failure shows at the load.
        if self.location.is_none() {
            let _ = self.catalog.create_namespace(namespace, HashMap::new()).await;
        }
        let creation = creation(self.ident.name(), self.location.clone())?;
        match self.catalog.create_table(namespace, creation).await {
            Ok(table) => Ok(table),
            Err(error) => match self.load().await? {
                Some(table) => Ok(table),
                None => Err(failed("create a table")(error)),
            },
        }
    }
}

fn creation(name: &str, location: Option<String>) -> Result<TableCreation> {
    let schema = schema().map_err(failed("define the Activity table"))?;
    let partition = UnboundPartitionSpec::builder()
        .add_partition_field(PUBLISHED, "published_day", Transform::Day)
        .map_err(failed("define the Activity table"))?
        .build();
    let ascending = |source_id| SortField {
        source_id,
        transform: Transform::Identity,
        direction: SortDirection::Ascending,
        null_order: NullOrder::First,
    };
    let order = SortOrder::builder()
        .with_sort_field(ascending(USER_ID))
        .with_sort_field(ascending(PUBLISHED))
        .with_sort_field(ascending(EVENT_UUID))
        .build(&schema)
        .map_err(failed("define the Activity table"))?;
    Ok(TableCreation::builder()
        .name(name.to_owned())
        .location_opt(location)
        .schema(schema)
        .partition_spec(partition)
        .sort_order(order)
        .properties(properties())
        .build())
}

fn properties() -> [(String, String); 2] {
    [
        // A conflict means that rows must be compared anew: repeating the same commit cannot help.
        ("commit.retry.num-retries".to_owned(), "0".to_owned()),
        ("write.parquet.compression-codec".to_owned(), "zstd".to_owned()),
    ]
}

fn schema() -> iceberg::Result<Schema> {
    let string = || Type::Primitive(PrimitiveType::String);
    let mut fields = vec![
        NestedField::required(USER_ID, KEY_COLUMNS[0], string())
            .with_doc("Okta user ID; empty when the event names no actor"),
        NestedField::required(PUBLISHED, KEY_COLUMNS[1], Type::Primitive(PrimitiveType::Timestamptz)),
        NestedField::required(EVENT_UUID, KEY_COLUMNS[2], string()),
    ];
    fields.extend(
        (FIRST_COLUMN..)
            .zip(COLUMNS)
            .map(|(id, name)| NestedField::optional(id, name, string())),
    );
    fields.push(
        NestedField::required(EVENT, EVENT_COLUMN, string()).with_doc("the LogEvent as JSON, as it was received"),
    );
    Schema::builder().with_fields(fields.into_iter().map(Arc::new)).build()
}
