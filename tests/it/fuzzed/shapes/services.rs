//! Hostile texts that services hand over: patterns, schedules, answers, and what is stored.

use super::{MEGABYTE, Shape, filled, numbered, whole};

pub fn patterns() -> Vec<Shape> {
    vec![
        numbered("many fields", "{\"a\":[\"b\"]", |n| format!(",\"k{n}\":[\"v\"]"), "}"),
        numbered("many values", "{\"a\":[\"b\"", |n| format!(",\"v{n}\""), "]}"),
        numbered(
            "many wildcards",
            "{\"a\":[\"b\"",
            |n| format!(",{{\"wildcard\":\"*{n}*a*b\"}}"),
            "]}",
        ),
        numbered(
            "some wildcards",
            "{\"a\":[\"b\"",
            |n| {
                if n < 30 {
                    format!(",{{\"wildcard\":\"*{n}*a*b*c*d\"}}")
                } else {
                    " ".to_owned()
                }
            },
            "]}",
        ),
        filled("a long wildcard", "{\"a\":[{\"wildcard\":\"", "*a", "c\"}]}"),
        whole("a wildcard of some length", || {
            format!("{{\"a\":[{{\"wildcard\":\"{}c\"}}]}}", "*a".repeat(900))
        }),
        numbered(
            "many prefixes",
            "{\"a\":[\"b\"",
            |n| format!(",{{\"prefix\":\"p{n}\"}}"),
            "]}",
        ),
        numbered(
            "many suffixes",
            "{\"a\":[\"b\"",
            |n| format!(",{{\"suffix\":\"p{n}\"}}"),
            "]}",
        ),
        numbered(
            "anything but much",
            "{\"a\":[{\"anything-but\":[\"b\"",
            |n| format!(",\"v{n}\""),
            "]}]}",
        ),
        numbered(
            "many spellings",
            "{\"a\":[\"b\"",
            |n| format!(",{{\"equals-ignore-case\":\"abc{n}\"}}"),
            "]}",
        ),
        filled("a long spelling", "{\"a\":[{\"equals-ignore-case\":\"", "a", "\"}]}"),
        numbered(
            "many networks",
            "{\"a\":[\"b\"",
            |n| format!(",{{\"cidr\":\"10.{}.{}.0/25\"}}", n / 250, n % 250),
            "]}",
        ),
        numbered(
            "many alternatives",
            "{\"$or\":[{\"a\":[\"b\"]}",
            |n| format!(",{{\"a\":[\"v{n}\"]}}"),
            "]}",
        ),
        whole("alternatives that multiply", || {
            let pair = |n: usize| format!("\"$or\":[{{\"a{n}\":[\"b\"]}},{{\"b{n}\":[\"b\"]}}]");
            (0..30).fold("\"z\":[\"z\"]".to_owned(), |inner, n| {
                format!("{{{}}}", pair(n)).replace("\"]}]", &format!("\"],\"c{n}\":{{{inner}}}}}]"))
            })
        }),
        whole("a thousand alternatives", || {
            let or = |key: char| {
                let branches: Vec<String> = (0..10)
                    .map(|n| format!("{{\"{key}\":[{{\"wildcard\":\"*{n}*\"}}]}}"))
                    .collect();
                format!("{{\"$or\":[{}]}}", branches.join(","))
            };
            format!("{{\"x\":{},\"y\":{},\"z\":{}}}", or('a'), or('b'), or('c'))
        }),
    ]
}

pub fn schedules() -> Vec<Shape> {
    let mut shapes = vec![
        filled("a long list of minutes", "cron(0", ",0", " * * * ? *)"),
        filled("a long list of ranges", "cron(59-0", ",59-0", " * * * ? *)"),
        filled("a long step", "cron(0/", "9", " * * * ? *)"),
        filled("a long rate", "rate(", "9", " minutes)"),
        filled("a long unit", "rate(1 ", "minutes", ")"),
        filled("a long time", "at(2026-11-01T15:00:00", "0", ")"),
        filled("many fields", "cron(", "* ", ")"),
        filled("brackets", "cron(", "(", ")"),
    ];
    shapes.extend(
        [
            "rate(999999999999 minutes)",
            "rate(4294967295 days)",
            "rate(-1 minutes)",
            "cron(0 0 30 2 ? *)",
            "cron(0 0 31 2-4/2 ? 2199)",
            "cron(0 0 29 2 ? 2100)",
            "cron(0 0 ? 2 1#5 2199)",
            "cron(59-0/59 23-0/23 L 12-1/11 ? 2199-1970/229)",
            "cron(0/65535 0/65535 1/65535 * ? 1970/65535)",
            "cron(30 2 ? 3 1#2 *)",
            "cron(0 0 31W 2 ? *)",
            "cron(*/1 */1 * * ? *)",
            "at(9999-12-31T23:59:59)",
            "at(-9999-01-01T00:00:00)",
            "at(2026-02-30T00:00:00)",
        ]
        .map(|text| whole(text, move || text)),
    );
    shapes
}

pub fn answers() -> Vec<Shape> {
    let mut shapes = vec![
        filled("links", "link: ", "<https://acme.okta.com/a>; rel=\"self\", ", "\n\n"),
        filled("open links", "link: ", "<", "\n\n"),
        filled(
            "a long link",
            "link: <https://acme.okta.com/",
            "a/../",
            ">; rel=next\n\n",
        ),
        filled("headers", "", "link: <a>; rel=next\n", "\n"),
        filled("causes", "\n\n{\"errorCauses\":[{}", ",{\"errorSummary\":\"a\"}", "]}"),
        numbered(
            "events",
            "\n\n[{}",
            |n| {
                format!(
                    ",{{\"uuid\":\"u{n}\",\"published\":\"2026-11-01T10:00:00Z\",\"eventType\":\"e\",\"id\":\"i\"}}"
                )
            },
            "]",
        ),
        filled("secrets", "\n\n", "ab ", ""),
        filled("a long line", "\n\n{\"errorSummary\":\"", "a", "\"}"),
    ];
    shapes.extend(
        [
            "retry-after: 18446744073709551615\n\n",
            "retry-after: 9223372036854775807\n\n",
            "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\n\n",
            "date: Thu, 01 Jan 1970 00:00:00 GMT\nx-rate-limit-limit: 18446744073709551615\nx-rate-limit-remaining: 4294967296\nx-rate-limit-reset: 18446744073709551615\n\n",
            "date: Fri, 31 Dec 9999 23:59:59 GMT\nx-rate-limit-limit: 0\nx-rate-limit-remaining: 0\nx-rate-limit-reset: 0\n\n",
        ]
        .map(|text| whole(text, move || text)),
    );
    shapes
}

/// Zstandard's frame of a megabyte that stands for 32 GiB of one byte. Source: RFC 8878, sections 3.1.1 and 3.1.1.2.
fn bomb(byte: u8) -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    const REPEATED: u32 = 1 << 1;
    let head = ((BLOCK << 3) | REPEATED).to_le_bytes();
    // The magic number, no flags, and a window as large as a block.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    while frame.len() + 4 < MEGABYTE {
        frame.extend_from_slice(&[head[0], head[1], head[2], byte]);
    }
    let last = frame.len() - 4;
    frame[last] |= 1;
    frame
}

pub fn segments() -> Vec<Shape> {
    vec![
        whole("a bomb of zeros", || bomb(0)),
        whole("a bomb of letters", || bomb(b'a')),
        whole("a bomb of lines", || bomb(b'\n')),
        whole("a bomb of what is no text", || bomb(0xff)),
        whole("a bomb of brackets", || bomb(b'[')),
        whole("many frames", || {
            let frame = zstd::encode_all(&b"{\"detail\":{}}\n"[..], 1).unwrap();
            frame.repeat(MEGABYTE / frame.len())
        }),
        whole("a large window", || {
            [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff][..], &[0xff; 64]].concat()
        }),
    ]
}

pub fn stored() -> Vec<Shape> {
    vec![
        numbered(
            "a long journal",
            "",
            |n| {
                format!(
                    "{{\"at\":\"2026-11-24T10:00:00Z\",\"what\":\"beginning\",\"stack\":\"s{n}\",\"stack_id\":\"i\"}}\n"
                )
            },
            "",
        ),
        filled(
            "a journal of one stack",
            "",
            "{\"at\":\"2026-11-24T10:00:00Z\",\"what\":\"beginning\",\"stack\":\"s\",\"stack_id\":\"i\"}\n",
            "",
        ),
        numbered(
            "many hours",
            "{\"next_segment\":1,\"hours\":{\"2026-11-29T14\":{\"received\":1,\"filled\":0}",
            |n| format!(",\"{:04}-01-01T14\":{{\"received\":1,\"filled\":0}}", n % 10_000),
            "}}",
        ),
    ]
}
