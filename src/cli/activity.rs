//! `oort activity`: a user's Activity table.

use clap::Args;
use serde_json::Value;

use crate::cli::findings::ExportFormat;
use crate::cli::target::Target;
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Global, Outcome, output};
use crate::lake::{self, Query};
use crate::model::activity::ActivityRow;
use crate::model::ocsf;
use crate::runtime::directory::People;

/// Show a user's activity, newest first.
#[derive(Debug, Args)]
pub struct Activity {
    #[command(flatten)]
    tenant: TenantArgs,
    /// The user's Okta ID or login.
    #[arg(long, value_name = "ID-OR-LOGIN")]
    user: String,
    /// How many of the newest rows to show.
    #[arg(long, default_value_t = 50, value_name = "ROWS")]
    limit: usize,
    #[arg(long, value_enum, default_value = "table")]
    format: ExportFormat,
}

impl Activity {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let query = Query {
            user: &self.user,
            limit: self.limit,
            since: None,
        };
        let mut rows = lake::activity(target.lake()?, query).await?;
        let people = People::read(&*target.objects).await?;
        match self.format {
            ExportFormat::Json => {
                for row in &mut rows {
                    name(row, &people);
                }
                output::json(&rows);
            }
            ExportFormat::Table => {
                if let Some(person) = people.find(&self.user) {
                    output::line(person.line());
                }
                print(&rows);
            }
            ExportFormat::Ocsf => rows.iter().for_each(|row| output::line(ocsf::event(&row.event))),
        }
        Ok(Exit::Done)
    }
}

/// Adds what the directory says now of the row's user, and of the device that the event names.
fn name(row: &mut ActivityRow, people: &People) {
    let Some(person) = people.find(&row.user_id) else {
        return;
    };
    let device = row.event.pointer("/device/id").and_then(Value::as_str);
    let device = device.and_then(|id| person.devices.iter().find(|own| own.id == id));
    let columns = [
        ("user_name", Some(&person.name)),
        ("user_department", person.department.as_ref()),
        ("user_manager", person.manager.as_ref()),
        ("user_status", Some(&person.status)),
        ("device_name", device.map(|device| &device.name)),
        ("device_status", device.map(|device| &device.status)),
        (
            "device_management",
            device.and_then(|device| device.management.as_ref()),
        ),
    ];
    for (name, value) in columns {
        if let Some(value) = value {
            row.columns.insert(name.to_owned(), value.as_str().into());
        }
    }
}

/// The rows as columns for people.
pub fn print(rows: &[ActivityRow]) {
    if rows.is_empty() {
        output::line("no activity in the table");
        return;
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let place = [row.column("client_city"), row.column("client_country")];
            let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
            vec![
                row.published.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                row.column("user_role").to_owned(),
                row.column("event_type").to_owned(),
                row.column("outcome_result").to_owned(),
                row.column("actor_login").to_owned(),
                row.column("client_ip").to_owned(),
                place.join(", "),
                row.column("application").to_owned(),
            ]
        })
        .collect();
    output::table(
        &[
            "TIME",
            "ROLE",
            "EVENT",
            "OUTCOME",
            "ACTOR",
            "IP",
            "PLACE",
            "APPLICATION",
        ],
        &cells,
    );
}
