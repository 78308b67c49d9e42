//! What a table refers to: the data files that it has now, and every file that any of its snapshots needs.

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::{DataFile, Literal, ManifestContentType, ManifestEntryRef, ManifestFile, PrimitiveLiteral, Struct};
use iceberg::table::Table;

use crate::lake::failed;
use crate::ports::Result;

/// The manifests of the newest snapshot, each with the files that are in the table.
pub struct Inventory {
    pub manifests: Vec<(ManifestFile, Vec<ManifestEntryRef>)>,
    spec_id: i32,
}

impl Inventory {
    pub async fn of(table: &Table) -> Result<Self> {
        let op = || failed("list the table's files");
        let spec_id = table.metadata().default_partition_spec_id();
        let mut manifests = Vec::new();
        if let Some(snapshot) = table.metadata().current_snapshot() {
            let list = table.manifest_list_reader(snapshot).load().await.map_err(op())?;
            for manifest in list.consume_entries() {
                let (entries, _) = manifest
                    .load_manifest(table.file_io())
                    .await
                    .map_err(op())?
                    .into_parts();
                let alive = entries.into_iter().filter(|entry| entry.is_alive()).collect();
                manifests.push((manifest, alive));
            }
        }
        Ok(Self { manifests, spec_id })
    }

    /// Whether a manifest lists rows that are partitioned as this build partitions them.
    pub fn is_ours(&self, manifest: &ManifestFile) -> bool {
        manifest.content == ManifestContentType::Data && manifest.partition_spec_id == self.spec_id
    }

    /// The data files of each day. Those that another writer partitioned otherwise are not among them, and stay as they are.
    pub fn days(&self) -> BTreeMap<i32, Vec<&DataFile>> {
        let ours = self.manifests.iter().filter(|(manifest, _)| self.is_ours(manifest));
        let mut days: BTreeMap<i32, Vec<&DataFile>> = BTreeMap::new();
        for entry in ours.flat_map(|(_, entries)| entries) {
            if let Some(day) = partition_day(entry.data_file().partition()) {
                days.entry(day).or_default().push(entry.data_file());
            }
        }
        days
    }
}

/// The day of a file, in days since 1970-01-01 (UTC).
pub fn partition_day(partition: &Struct) -> Option<i32> {
    match partition.iter().next()?? {
        Literal::Primitive(PrimitiveLiteral::Int(day)) => Some(*day),
        _ => None,
    }
}

/// The first and the last day of a table's rows, by its list of manifests alone; `None` when it has none. Where another writer
/// partitioned it otherwise, from 1970 to the year 2200.
pub async fn first_and_last_day(table: &Table) -> Result<Option<(i32, i32)>> {
    const ANY: (i32, i32) = (0, 84_006);
    let Some(snapshot) = table.metadata().current_snapshot() else {
        return Ok(None);
    };
    let manifests = table
        .manifest_list_reader(snapshot)
        .load()
        .await
        .map_err(failed("list the table's files"))?;
    let ours = table.metadata().default_partition_spec_id();
    let day = |bound: &[u8]| bound.try_into().ok().map(i32::from_le_bytes);
    let mut found: Option<(i32, i32)> = None;
    for manifest in manifests.consume_entries() {
        let is_empty = manifest.added_files_count == Some(0) && manifest.existing_files_count == Some(0);
        if is_empty {
            continue;
        }
        let summary = manifest.partitions.as_ref().and_then(|fields| fields.first());
        let days = summary.and_then(|field| {
            let (lower, upper) = (field.lower_bound.as_ref()?, field.upper_bound.as_ref()?);
            Some((day(lower)?, day(upper)?))
        });
        let (first, last) = days.filter(|_| manifest.partition_spec_id == ours).unwrap_or(ANY);
        found = Some(found.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
    }
    Ok(found)
}

/// Every file that a table needs, by what it is needed for.
#[derive(Default)]
pub struct References {
    /// Of any snapshot: its list of manifests, these, and the data files that they list as present.
    pub snapshots: BTreeSet<String>,
    /// The table's own metadata, now and before, and statistics.
    pub metadata: BTreeSet<String>,
}

impl References {
    pub async fn of(table: &Table) -> Result<Self> {
        let op = || failed("list what the table's snapshots refer to");
        let metadata = table.metadata();
        let mut references = Self::default();
        let mut manifests: BTreeMap<String, ManifestFile> = BTreeMap::new();
        for snapshot in metadata.snapshots() {
            references.snapshots.insert(snapshot.manifest_list().to_owned());
            let list = table.manifest_list_reader(snapshot).load().await.map_err(op())?;
            let listed = list.consume_entries().into_iter();
            manifests.extend(listed.map(|manifest| (manifest.manifest_path.clone(), manifest)));
        }
        for (path, manifest) in manifests {
            let manifest = manifest.load_manifest(table.file_io()).await.map_err(op())?;
            let alive = manifest.entries().iter().filter(|entry| entry.is_alive());
            references
                .snapshots
                .extend(alive.map(|entry| entry.file_path().to_owned()));
            references.snapshots.insert(path);
        }
        let log = metadata.metadata_log().iter().map(|entry| entry.metadata_file.clone());
        let statistics = metadata.statistics_iter().map(|file| file.statistics_path.clone());
        let partitions = metadata
            .partition_statistics_iter()
            .map(|file| file.statistics_path.clone());
        references.metadata.extend(log.chain(statistics).chain(partitions));
        references.metadata.extend(table.metadata_location().map(str::to_owned));
        Ok(references)
    }

    pub fn contains(&self, location: &str) -> bool {
        self.snapshots.contains(location) || self.metadata.contains(location)
    }
}
