//! Commits that take files out of the table: a snapshot built from Iceberg's own writers of manifests, since its library
//! commits nothing but appends. Format: <https://iceberg.apache.org/spec/#snapshots>.
//!
//! Compare-and-swap on the whole table, and the watermark is carried on.

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr as _;

use iceberg::MetadataLocation;
use iceberg::spec::{
    DataFile, DataFileBuilder, FormatVersion, MAIN_BRANCH, ManifestEntryRef, ManifestFile, ManifestListWriter,
    ManifestWriter, ManifestWriterBuilder, Operation, Snapshot, SnapshotSummaryCollector, Summary,
    TableMetadataBuilder, UNASSIGNED_SEQUENCE_NUMBER,
};
use iceberg::table::Table;
use sha2::{Digest, Sha256};

use crate::lake::commit::{WATERMARK_PROPERTY, watermark};
use crate::lake::inventory::{Inventory, partition_day};
use crate::lake::{Upkeep, corrupt, failed};
use crate::ports::{Error, Kind, Result};

/// A manifest with fewer files is written anew with the others that are taken apart, so that their number stays small.
const SMALL_MANIFEST_FILES: usize = 250;
/// Files a manifest. A file's entry with its statistics takes about 1 KiB.
const MANIFEST_FILES: usize = 1_000;

/// What a commit changes.
pub struct Change {
    pub operation: Operation,
    /// Locations of files that leave the table.
    pub removed: BTreeSet<String>,
    pub added: Vec<DataFile>,
    /// Properties of the table that change with it.
    pub properties: Vec<(String, String)>,
}

/// A snapshot that was committed.
pub struct Committed {
    pub snapshot_id: i64,
    /// The location of its list of manifests.
    pub manifest_list: String,
}

/// Commits `change` to `base`. [`Kind::Conflict`] when the table is no longer `base`, and [`Kind::NotFound`] when `base` does
/// not have a file that is to leave it. `name` is unique among all commits of this run.
pub async fn commit(upkeep: &Upkeep<'_>, base: &Table, name: &str, change: Change) -> Result<Committed> {
    let op = || failed("commit to the table");
    let metadata = base.metadata();
    if metadata.format_version() != FormatVersion::V2 {
        return Err(corrupt("write to a table of another Iceberg format than 2"));
    }
    let draft = Draft::new(upkeep, base, name);
    let watermark = watermark(base)?;
    let (manifests, collected) = draft.manifests(&change).await?;
    let list = draft.metadata_file(&format!("snap-{}", draft.snapshot_id));
    let writer = base
        .file_io()
        .new_output(&list)
        .map_err(op())?
        .writer()
        .await
        .map_err(op())?;
    let sequence = metadata.next_sequence_number();
    let mut writer = ManifestListWriter::v2(writer, draft.snapshot_id, metadata.current_snapshot_id(), sequence);
    writer.add_manifests(manifests.into_iter()).map_err(op())?;
    writer.close().await.map_err(op())?;

    let mut properties = collected.build();
    add_totals(base, &mut properties);
    properties.insert(WATERMARK_PROPERTY.to_owned(), watermark.0.to_string());
    let snapshot = Snapshot::builder()
        .with_snapshot_id(draft.snapshot_id)
        .with_parent_snapshot_id(metadata.current_snapshot_id())
        .with_sequence_number(sequence)
        .with_timestamp_ms(upkeep.clock.now().as_millisecond().max(metadata.last_updated_ms()))
        .with_manifest_list(list.clone())
        .with_schema_id(metadata.current_schema_id())
        .with_summary(Summary {
            operation: change.operation,
            additional_properties: properties,
        })
        .build();
    let builder = metadata
        .clone()
        .into_builder(base.metadata_location().map(str::to_owned));
    let next = builder
        .set_properties(change.properties.into_iter().collect())
        .and_then(|next| next.set_branch_snapshot(snapshot, MAIN_BRANCH))
        .and_then(TableMetadataBuilder::build)
        .map_err(op())?
        .metadata;
    let location = MetadataLocation::from_str(base.metadata_location_result().map_err(op())?).map_err(op())?;
    let location = location.with_next_version().with_new_metadata(&next);
    next.write_to(base.file_io(), &location).await.map_err(op())?;
    upkeep.tables.swap(base, &next, &location.to_string()).await?;
    Ok(Committed {
        snapshot_id: draft.snapshot_id,
        manifest_list: list,
    })
}

/// A snapshot in the making.
struct Draft<'a> {
    base: &'a Table,
    name: String,
    snapshot_id: i64,
}

impl<'a> Draft<'a> {
    fn new(upkeep: &Upkeep<'_>, base: &'a Table, name: &str) -> Self {
        let name = format!("{}-{name}-{}", upkeep.run, base.metadata().next_sequence_number());
        let mut digest = Sha256::new();
        digest.update(base.metadata().uuid());
        digest.update(&name);
        let mut first = [0; 8];
        first.copy_from_slice(&digest.finalize()[..8]);
        Self {
            base,
            snapshot_id: i64::from_be_bytes(first) & i64::MAX,
            name,
        }
    }

    fn metadata_file(&self, what: &str) -> String {
        format!("{}/metadata/{what}-{}.avro", self.base.metadata().location(), self.name)
    }

    fn writer(&self, what: &str) -> Result<ManifestWriter> {
        let output = self.base.file_io().new_output(self.metadata_file(what));
        let metadata = self.base.metadata();
        Ok(ManifestWriterBuilder::new(
            output.map_err(failed("write a manifest"))?,
            Some(self.snapshot_id),
            metadata.current_schema().clone(),
            metadata.default_partition_spec().as_ref().clone(),
        )
        .build_v2_data())
    }

    /// The manifests of the new snapshot: those that nothing leaves, and new ones for what was taken apart.
    async fn manifests(&self, change: &Change) -> Result<(Vec<ManifestFile>, SnapshotSummaryCollector)> {
        let inventory = Inventory::of(self.base).await?;
        let (mut manifests, mut kept, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        for (manifest, entries) in &inventory.manifests {
            let leaves = |entry: &ManifestEntryRef| change.removed.contains(entry.file_path());
            if !inventory.is_ours(manifest) {
                manifests.push(manifest.clone());
            } else if entries.len() < SMALL_MANIFEST_FILES || entries.iter().any(leaves) {
                let (leaving, staying): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(leaves);
                removed.extend(leaving);
                kept.extend(staying);
            } else {
                manifests.push(manifest.clone());
            }
        }
        if removed.len() != change.removed.len() {
            return Err(Error::new(Kind::NotFound, "find the files that are to leave the table"));
        }
        manifests.extend(self.present(kept, &change.added).await?);
        manifests.extend(self.removed(&removed).await?);
        Ok((manifests, self.summary(&removed, &change.added)))
    }

    /// New manifests of what stays and of what comes, by day, so that a reader of few days needs few of them.
    async fn present(&self, kept: Vec<ManifestEntryRef>, added: &[DataFile]) -> Result<Vec<ManifestFile>> {
        let mut files: Vec<_> = kept
            .into_iter()
            .map(|entry| (entry.data_file().clone(), Some(entry)))
            .collect();
        files.extend(added.iter().map(|file| (file.clone(), None)));
        files.sort_by_key(|(file, _)| partition_day(file.partition()));
        let mut manifests = Vec::new();
        for (number, chunk) in files.chunks(MANIFEST_FILES).enumerate() {
            let mut writer = self.writer(&format!("manifest-{number}"))?;
            for (file, entry) in chunk {
                match entry {
                    Some(entry) => writer.add_existing_file(
                        file.clone(),
                        entry.snapshot_id().unwrap_or_default(),
                        entry.sequence_number().unwrap_or_default(),
                        entry.file_sequence_number,
                    ),
                    None => writer.add_file(file.clone(), UNASSIGNED_SEQUENCE_NUMBER),
                }
                .map_err(failed("write a manifest"))?;
            }
            manifests.push(writer.write_manifest_file().await.map_err(failed("write a manifest"))?);
        }
        Ok(manifests)
    }

    /// A manifest of what leaves, for readers that follow what changes. Without statistics: they would tell of erased users.
    async fn removed(&self, removed: &[ManifestEntryRef]) -> Result<Option<ManifestFile>> {
        if removed.is_empty() {
            return Ok(None);
        }
        let mut writer = self.writer("removed")?;
        let spec_id = self.base.metadata().default_partition_spec_id();
        for entry in removed {
            let sequence = entry.sequence_number().unwrap_or_default();
            writer
                .add_delete_file(
                    without_statistics(entry.data_file(), spec_id)?,
                    sequence,
                    entry.file_sequence_number,
                )
                .map_err(failed("write a manifest"))?;
        }
        writer
            .write_manifest_file()
            .await
            .map(Some)
            .map_err(failed("write a manifest"))
    }

    fn summary(&self, removed: &[ManifestEntryRef], added: &[DataFile]) -> SnapshotSummaryCollector {
        let metadata = self.base.metadata();
        let mut summary = SnapshotSummaryCollector::default();
        let (schema, spec) = (metadata.current_schema(), metadata.default_partition_spec());
        for entry in removed {
            summary.remove_file(entry.data_file(), schema.clone(), spec.clone());
        }
        for file in added {
            summary.add_file(file, schema.clone(), spec.clone());
        }
        summary
    }
}

fn without_statistics(file: &DataFile, spec_id: i32) -> Result<DataFile> {
    DataFileBuilder::default()
        .content(file.content_type())
        .file_path(file.file_path().to_owned())
        .file_format(file.file_format())
        .partition(file.partition().clone())
        .partition_spec_id(spec_id)
        .record_count(file.record_count())
        .file_size_in_bytes(file.file_size_in_bytes())
        .build()
        .map_err(|error| Error::caused(Kind::Invalid, "write a manifest", error))
}

/// The totals of the table after a change, from those before it. Source: <https://iceberg.apache.org/spec/#metrics>.
fn add_totals(base: &Table, properties: &mut HashMap<String, String>) {
    let before = base.metadata().current_snapshot().map(|snapshot| snapshot.summary());
    for (total, added, removed) in [
        ("total-records", "added-records", "deleted-records"),
        ("total-data-files", "added-data-files", "deleted-data-files"),
        ("total-files-size", "added-files-size", "removed-files-size"),
        ("total-delete-files", "added-delete-files", "removed-delete-files"),
        (
            "total-position-deletes",
            "added-position-deletes",
            "removed-position-deletes",
        ),
        (
            "total-equality-deletes",
            "added-equality-deletes",
            "removed-equality-deletes",
        ),
    ] {
        let number = |of: Option<&String>| of.and_then(|text| text.parse().ok()).unwrap_or(0_u64);
        let old = number(before.and_then(|summary| summary.additional_properties.get(total)));
        let new = (old + number(properties.get(added))).saturating_sub(number(properties.get(removed)));
        properties.insert(total.to_owned(), new.to_string());
    }
}
