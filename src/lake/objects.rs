//! Small helpers over the object port that every reader of JSON objects needs.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ports::{Error, Kind, Objects, Result};

const PAGE: usize = 1_000;

/// Every key under `prefix`, in byte order.
pub async fn keys(objects: &dyn Objects, prefix: &str) -> Result<Vec<String>> {
    let mut keys: Vec<String> = Vec::new();
    loop {
        let page = objects.list(prefix, keys.last().map(String::as_str), PAGE).await?;
        let is_last = page.len() < PAGE;
        keys.extend(page);
        if is_last {
            return Ok(keys);
        }
    }
}

/// A JSON object, or `None` when there is none.
pub async fn read<T: DeserializeOwned>(objects: &dyn Objects, key: &str) -> Result<Option<T>> {
    let Some((bytes, _)) = objects.get(key).await? else {
        return Ok(None);
    };
    decode(key, &bytes).map(Some)
}

/// A JSON object's value.
pub fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::caused(Kind::Invalid, format!("read {key}"), error))
}

/// A value as the bytes of a JSON object.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::caused(Kind::Invalid, "write a value as JSON", error))
}
