//! Rows of the Activity table as bytes that sort like the table, and their way back. No input or output.

use std::borrow::Cow;

use crate::model::activity::RowKey;

/// Marks an absent column where a length would stand.
const ABSENT: u32 = u32::MAX;
/// Room for the columns of a row as this build writes it.
const USUAL_COLUMNS: usize = 20;
/// Flipping the sign bit makes signed numbers order like their big-endian bytes.
const SIGN_32: u32 = 1 << 31;
const SIGN_64: u64 = 1 << 63;

/// Bytes that order as the key does: day, user, time, event.
pub fn encode_key(key: &RowKey<'_>, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&(key.day.cast_unsigned() ^ SIGN_32).to_be_bytes());
    for &byte in key.user_id.as_bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(key.published.cast_unsigned() ^ SIGN_64).to_be_bytes());
    out.extend_from_slice(key.event_uuid.as_bytes());
}

/// The key in `bytes`; `None` when they are not what [`encode_key`] writes.
pub fn decode_key(bytes: &[u8]) -> Option<RowKey<'_>> {
    let (day, rest) = bytes.split_first_chunk::<4>()?;
    let end = rest.windows(2).position(|pair| pair == [0, 0])?;
    let (user, rest) = rest.split_at(end);
    let (published, uuid) = rest.get(2..)?.split_first_chunk::<8>()?;
    let user_id = if user.contains(&0) {
        Cow::Owned(String::from_utf8(unescaped(user)).ok()?)
    } else {
        Cow::Borrowed(std::str::from_utf8(user).ok()?)
    };
    Some(RowKey {
        day: (u32::from_be_bytes(*day) ^ SIGN_32).cast_signed(),
        user_id,
        published: (u64::from_be_bytes(*published) ^ SIGN_64).cast_signed(),
        event_uuid: Cow::Borrowed(std::str::from_utf8(uuid).ok()?),
    })
}

/// Each NUL of a user's ID is followed by `ff`, a byte that no UTF-8 text holds.
fn unescaped(user: &[u8]) -> Vec<u8> {
    user.iter().copied().filter(|byte| *byte != 0xff).collect()
}

/// The columns of a row that are not its key, in an order that writer and reader agree on.
pub fn encode_value<'a>(columns: impl IntoIterator<Item = Option<&'a str>>, out: &mut Vec<u8>) {
    for column in columns {
        let length = column.map_or(ABSENT, |text| u32::try_from(text.len()).unwrap_or(ABSENT));
        out.extend_from_slice(&length.to_le_bytes());
        if length != ABSENT {
            out.extend_from_slice(column.unwrap_or_default().as_bytes());
        }
    }
}

/// A row's columns; `None` when the bytes are not what [`encode_value`] writes.
pub fn decode_value(bytes: &[u8]) -> Option<Vec<Option<&str>>> {
    // One check of the whole would fail on the binary lengths, so each text is checked by itself.
    let mut columns = Vec::with_capacity(USUAL_COLUMNS);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        rest = after;
        columns.push(if length == ABSENT {
            None
        } else {
            let (text, after) = rest.split_at_checked(length as usize)?;
            rest = after;
            Some(std::str::from_utf8(text).ok()?)
        });
    }
    Some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_key() -> impl Strategy<Value = RowKey<'static>> {
        (any::<i32>(), "[a\u{0}b]{0,4}", any::<i64>(), "[a-z0-9-]{1,6}").prop_map(|(day, user, published, uuid)| {
            RowKey {
                day,
                user_id: Cow::Owned(user),
                published,
                event_uuid: Cow::Owned(uuid),
            }
        })
    }

    fn encoded(key: &RowKey<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        encode_key(key, &mut out);
        out
    }

    proptest! {
        #[test]
        fn keys_order_as_their_bytes_and_come_back(a in any_key(), b in any_key()) {
            prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
            let bytes = encoded(&a);
            prop_assert_eq!(decode_key(&bytes).unwrap(), a);
        }

        #[test]
        fn values_come_back(texts in prop::collection::vec(prop::option::of(".{0,8}"), 0..30)) {
            let columns: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
            let mut out = Vec::new();
            encode_value(columns.iter().copied(), &mut out);
            prop_assert_eq!(decode_value(&out).unwrap(), columns);
        }
    }

    #[test]
    fn a_user_id_with_a_nul_is_still_told_apart() {
        let key = |user: &'static str| RowKey {
            day: 1,
            user_id: Cow::Borrowed(user),
            published: 1,
            event_uuid: Cow::Borrowed("u"),
        };
        assert_ne!(encoded(&key("a\0")), encoded(&key("a")));
    }
}
