//! What the data folder keeps of a tenant, found without opening any of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Stack,
    Queue,
    Segments,
    Findings,
    SetAside,
    /// Notifications that are not sent yet.
    Outbox,
    /// Other objects of the tenant, such as how far its detections are.
    State,
    ActivityTable,
}

/// Something that would be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    pub kind: Kind,
    /// A file, or a folder with all that is below.
    pub place: PathBuf,
    pub files: u64,
}

/// Everything of a tenant below `data`, the environment's own part of the data folder; nothing when nothing was ever run.
pub fn retained(data: &Path, tenant: &str) -> io::Result<Vec<Retained>> {
    let queue = data.join("queues").join(format!("{tenant}.sqlite"));
    let mut places = vec![(Kind::Stack, data.join("stacks").join(format!("{tenant}.yaml")))];
    // SQLite keeps beside its file what a killed process wrote last: those messages are in no other place.
    for ending in ["", "-wal", "-shm"] {
        let mut file = queue.clone().into_os_string();
        file.push(ending);
        places.push((Kind::Queue, file.into()));
    }
    for place in children(&data.join("objects").join(tenant))? {
        let kind = match place.file_name().and_then(|name| name.to_str()) {
            Some("segments") => Kind::Segments,
            Some("findings") => Kind::Findings,
            Some("set-aside") => Kind::SetAside,
            Some("outbox") => Kind::Outbox,
            _ => Kind::State,
        };
        places.push((kind, place));
    }
    let namespace = tenant.replace('-', "_");
    places.push((Kind::ActivityTable, data.join("warehouse").join(namespace)));
    let mut found = Vec::new();
    for (kind, place) in places {
        let files = count(&place)?;
        if files > 0 {
            found.push(Retained { kind, place, files });
        }
    }
    Ok(found)
}

/// What a folder holds, by name; nothing when there is no such folder.
fn children(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort_unstable();
    Ok(paths)
}

/// The files at a place, those of all folders below it included.
fn count(place: &Path) -> io::Result<u64> {
    match fs::symlink_metadata(place) {
        Ok(about) if about.is_dir() => children(place)?.iter().map(|child| count(child)).sum(),
        Ok(_) => Ok(1),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_of_the_tenant_is_found_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(retained(data.path(), "a-b").unwrap(), []);
        for file in [
            "objects/a-b/findings/2026-11-01/a.json",
            "objects/a-b/findings/2026-11-02/b.json",
            "objects/a-b/detector/state.json",
            "objects/a-b-c/findings/x",
            "objects/.a-b/open.lock",
            "queues/a-b.sqlite",
            "queues/a-b.sqlite-wal",
            "queues/a-b-c.sqlite",
            "warehouse/a_b/activity/data/a",
        ] {
            let path = data.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        // A folder without a file keeps nothing.
        fs::create_dir_all(data.path().join("objects/a-b/outbox")).unwrap();
        let found = retained(data.path(), "a-b").unwrap();
        let told: Vec<_> = found.iter().map(|kept| (kept.kind, kept.files)).collect();
        let expected = [
            (Kind::Queue, 1),
            (Kind::Queue, 1),
            (Kind::State, 1),
            (Kind::Findings, 2),
            (Kind::ActivityTable, 1),
        ];
        assert_eq!(told, expected);
    }
}
