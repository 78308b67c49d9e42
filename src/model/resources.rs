//! What a tenant's tasks work on in AWS. Its stack's task definitions name it to the tasks; whoever has a profile instead
//! can derive it, since every name follows from environment and tenant.

use crate::model::name::TenantId;
use crate::model::stack::data_bucket;

/// Names of a tenant's resources. A task knows those that its role may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// The environment's data bucket.
    pub bucket: String,
    /// Where the tenant's objects are in it, without a slash at the end, as in `tenants/acme`.
    pub prefix: String,
    pub queue_url: Option<String>,
    pub topic_arn: Option<String>,
    pub table: Option<TableName>,
}

/// A table in Glue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    pub database: String,
    pub table: String,
}

impl Resources {
    /// All of a tenant's, as its stack and the foundation name them.
    pub fn of(environment: &str, tenant: &str, account: &str, region: &str) -> Self {
        let stack = format!("oort-{environment}-{tenant}");
        Self {
            bucket: data_bucket(environment, account, region),
            prefix: format!("tenants/{tenant}"),
            queue_url: Some(format!("https://sqs.{region}.amazonaws.com/{account}/{stack}-events")),
            topic_arn: Some(format!("arn:aws:sns:{region}:{account}:{stack}-findings")),
            table: Some(TableName {
                database: format!("oort_{environment}_logs"),
                table: table_name(tenant),
            }),
        }
    }

    /// Whether the objects are this tenant's.
    pub fn are_of(&self, tenant: &TenantId) -> bool {
        self.prefix == format!("tenants/{tenant}")
    }

    /// Where the files of the Activity table are.
    pub fn table_location(&self) -> String {
        format!("s3://{}/{}/activity", self.bucket, self.prefix)
    }
}

/// The name of a tenant's Activity table. Query engines take letters, digits and underscores in it; no tenant ID has an
/// underscore.
pub fn table_name(tenant: &str) -> String {
    beside(tenant, "activity")
}

/// The name of a tenant's table of users.
pub fn users_table(tenant: &str) -> String {
    beside(tenant, "users")
}

/// The name of a tenant's table of devices.
pub fn devices_table(tenant: &str) -> String {
    beside(tenant, "devices")
}

fn beside(tenant: &str, table: &str) -> String {
    format!("{}_{table}", tenant.replace('-', "_"))
}
