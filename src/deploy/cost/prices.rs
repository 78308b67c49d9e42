//! The price list: a dated file, over which another can be laid. Pure: whoever calls reads the files.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What is wrong with a price list.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct PriceError {
    file: String,
    why: String,
}

/// Prices in USD. Each is of the unit that its name ends with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    pub eventbridge_million_events: f64,
    pub eventbridge_archive_gb: f64,
    pub eventbridge_archive_gb_month: f64,
    pub scheduler_million_invocations: f64,
    pub sqs_million_requests: f64,
    pub fargate_vcpu_hour: f64,
    pub fargate_gb_hour: f64,
    pub s3_thousand_writes: f64,
    pub s3_thousand_reads: f64,
    pub s3_gb_month: f64,
    pub glue_million_requests: f64,
    pub sns_million_publishes: f64,
    pub sns_million_deliveries: f64,
    pub kms_million_requests: f64,
    pub secretsmanager_secret_month: f64,
    pub secretsmanager_thousand_requests: f64,
    pub cloudwatch_alarm_month: f64,
    pub cloudwatch_metric_month: f64,
    pub cloudwatch_log_gb: f64,
}

/// A price list, and what it was read from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PriceList {
    pub prices: Prices,
    /// The later is laid over the earlier.
    pub files: Vec<PriceFile>,
}

/// A file of prices.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PriceFile {
    pub path: String,
    /// The day on which its prices were looked up.
    pub as_of: jiff::civil::Date,
    pub region: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    as_of: jiff::civil::Date,
    region: String,
    prices: Map<String, Value>,
}

/// Reads files of prices, each a path and its text, the later over the earlier.
pub fn read(files: &[(&str, &str)]) -> Result<PriceList, PriceError> {
    let mut all = Map::new();
    let mut read_files = Vec::new();
    for &(file, text) in files {
        let failed = |why: String| PriceError {
            file: file.to_owned(),
            why,
        };
        let read: File = serde_saphyr::from_str(text).map_err(|error| failed(error.to_string()))?;
        for (name, price) in &read.prices {
            if !price.as_f64().is_some_and(|price| price >= 0.0) {
                return Err(failed(format!(
                    "the price `{name}` is {price}, and not a number of USD"
                )));
            }
        }
        all.extend(read.prices);
        // Whatever is missing is missing in the first file; what nobody knows, in the one that brings it.
        serde_json::from_value::<Prices>(Value::Object(all.clone())).map_err(|error| failed(error.to_string()))?;
        read_files.push(PriceFile {
            path: file.to_owned(),
            as_of: read.as_of,
            region: read.region,
        });
    }
    let prices = serde_json::from_value(Value::Object(all)).map_err(|error| PriceError {
        file: "the price list".to_owned(),
        why: error.to_string(),
    })?;
    Ok(PriceList {
        prices,
        files: read_files,
    })
}

/// The JSON Schema of a file of prices, draft 2020-12. One that is laid over another may leave prices out.
pub fn schema() -> Value {
    // Serde knows the names.
    let names = json!(Prices::default());
    let names = names.as_object().into_iter().flat_map(Map::keys);
    let prices: Map<String, Value> = names
        .map(|name| (name.clone(), json!({"type": "number", "minimum": 0})))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Prices of AWS in USD",
        "type": "object",
        "additionalProperties": false,
        "required": ["as_of", "region", "prices"],
        "properties": {
            "as_of": {
                "description": "The day on which the prices were looked up.",
                "type": "string",
                "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            },
            "region": {"description": "The AWS region that they hold for.", "type": "string"},
            "prices": {
                "description": "Each of the unit that its name ends with.",
                "type": "object",
                "additionalProperties": false,
                "properties": prices,
            },
        },
    })
}
