//! What it takes to take a tenant on: its file, what Okta's admin must do, and that no two tenants claim one event source.
//! Pure.

pub mod clash;
pub mod guide;
pub mod import;
pub mod prerequisites;
pub mod tenant_file;
