//! What the data folder keeps of a tenant, counted without opening any of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Something that would be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    pub what: &'static str,
    pub place: PathBuf,
    pub files: u64,
    pub bytes: u64,
}

/// Everything of a tenant below `data`, the environment's own part of the data folder; nothing when nothing was ever run.
pub fn retained(data: &Path, tenant: &str) -> io::Result<Vec<Retained>> {
    let objects = data.join("objects").join(tenant);
    let table = tenant.replace('-', "_");
    let places = [
        ("the deployed stack", data.join("stacks").join(format!("{tenant}.yaml"))),
        (
            "the queue with its messages",
            data.join("queues").join(format!("{tenant}.sqlite")),
        ),
        ("segments of events", objects.join("segments")),
        ("findings", objects.join("findings")),
        ("events that were set aside", objects.join("set-aside")),
        ("notifications not yet sent", objects.join("outbox")),
        ("the Activity table", data.join("warehouse").join(table)),
    ];
    let mut found = Vec::new();
    for (what, place) in places {
        let (files, bytes) = weigh(&place)?;
        if files > 0 {
            found.push(Retained {
                what,
                place,
                files,
                bytes,
            });
        }
    }
    Ok(found)
}

fn weigh(place: &Path) -> io::Result<(u64, u64)> {
    let about = match fs::symlink_metadata(place) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        Err(error) => return Err(error),
    };
    if !about.is_dir() {
        return Ok((1, about.len()));
    }
    let mut sum = (0, 0);
    for entry in fs::read_dir(place)? {
        let (files, bytes) = weigh(&entry?.path())?;
        sum = (sum.0 + files, sum.1 + bytes);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_counted_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(retained(data.path(), "acme").unwrap(), []);
        for file in [
            "objects/acme/findings/2026-11-01/a.json",
            "objects/acme/findings/2026-11-02/b.json",
            "objects/other/findings/x",
            "warehouse/acme/activity/data/a",
        ] {
            let path = data.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "four").unwrap();
        }
        let found = retained(data.path(), "acme").unwrap();
        let told: Vec<_> = found.iter().map(|kept| (kept.what, kept.files, kept.bytes)).collect();
        assert_eq!(told, [("findings", 2, 8), ("the Activity table", 1, 4)]);
    }
}
