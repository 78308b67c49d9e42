//! Users: looked for as somebody types, and each with account, findings and activity.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::console::export::{self, Format};
use crate::console::index::{Index, Known, Risk};
use crate::console::problem::Problem;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::console::visitor::Role;
use crate::console::{activity, findings, timeline, view};
use crate::lake::page::Filter;
use crate::model::activity::lower_case;
use crate::model::directory::Person;
use crate::ports::chain;
use crate::runtime::directory::People;

const SHOWN: usize = 50;
/// How much of a user's past the picture of sign-ins shows.
const PICTURE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A user in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Found {
    #[serde(flatten)]
    pub person: Person,
    pub risk: Risk,
}

/// Users that a search has found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Search {
    pub users: Vec<Found>,
    /// Whether more would match.
    pub has_more: bool,
    /// Whether the org was ever looked at; where not, only users of findings are known.
    pub has_directory: bool,
}

/// Those whose name, login or ID holds every word, the riskiest first.
fn search(people: &People, index: &Index, wanted: &str, now: Timestamp, most: usize) -> Search {
    let risks = index.risks(now);
    let words: Vec<String> = wanted.split_whitespace().map(str::to_lowercase).collect();
    let is_found = |person: &Person| {
        let text = format!(
            "{} {} {} {}",
            person.name,
            person.login,
            person.id,
            person.department.as_deref().unwrap_or_default()
        )
        .to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let has_directory = people.all().next().is_some();
    let mut found: BTreeMap<&str, Person> = people
        .all()
        .filter(|person| is_found(person))
        .map(|person| (person.id.as_str(), person.clone()))
        .collect();
    // Whoever was found something of is somebody, also where the org was never looked at.
    for finding in index.all.iter().filter(|finding| !finding.user_id.is_empty()) {
        if people.find(&finding.user_id).is_none() && !found.contains_key(finding.user_id.as_str()) {
            let person = of_finding(finding);
            if is_found(&person) {
                found.insert(&finding.user_id, person);
            }
        }
    }
    let mut users: Vec<Found> = found
        .into_values()
        .map(|person| Found {
            risk: risks.get(person.id.as_str()).copied().unwrap_or_default(),
            person,
        })
        .collect();
    users.sort_by(|a, b| {
        let key = |found: &Found| (found.risk.level, found.risk.gravest, found.risk.open);
        key(b).cmp(&key(a)).then_with(|| a.person.login.cmp(&b.person.login))
    });
    let has_more = users.len() > most;
    users.truncate(most);
    Search {
        users,
        has_more,
        has_directory,
    }
}

async fn searched(visit: &Visit, most: usize) -> Result<Search, Problem> {
    let (desk, now) = (visit.desk()?, visit.console.now());
    let (people, index) = futures::try_join!(desk.people(now), desk.findings(now))?;
    Ok(search(&people, &index, visit.asked("q"), now, most))
}

pub fn api_list(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&searched(&visit, SHOWN).await?) })
}

/// Everybody whom the search finds.
pub fn download(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let format = Format::of(&visit);
        let columns = [
            "login",
            "name",
            "status",
            "department",
            "title",
            "manager",
            "devices",
            "risk",
            "id",
        ];
        let users = searched(&visit, usize::MAX).await?.users;
        Ok(export::whole(
            &format!("{}-users", visit.desk()?.tenant),
            format,
            &columns,
            users,
        ))
    })
}

pub fn list(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let found = searched(&visit, SHOWN).await?;
        let tenant = visit.desk()?.tenant.to_string();
        let row = |found: &Found| {
            let person = &found.person;
            json!({
                "id": person.id,
                "login": person.login,
                "name": shown_name(person),
                "status": person.status,
                "department": person.department,
                "manager": person.manager,
                "devices": person.devices.len(),
                "href": user_href(&tenant, &person.id),
                "risk": found.risk,
            })
        };
        let note = (!found.has_directory).then_some(
            "The org's users were not looked at yet, so only those of findings are here. oort reconcile looks at them. \
             A whole login or ID opens that user's page.",
        );
        let people: Vec<_> = found.users.iter().map(row).collect();
        let q = visit.asked("q");
        let direct = (!q.trim().is_empty() && people.is_empty()).then(|| user_href(&tenant, q.trim()));
        let list = json!({ "people": people, "q": q, "more": found.has_more, "note": note, "direct": direct });
        let href = view::href(&tenant, "users");
        let download = |ending| view::with_query(&format!("{href}.{ending}"), &[("q", q)]);
        let downloads = json!({ "csv": download("csv"), "jsonl": download("jsonl") });
        if visit.wants_part() {
            return view::page(&visit, ("users", "Users"), "_people.html", &list);
        }
        view::page(
            &visit,
            ("users", "Users"),
            "users.html",
            &json!({ "list": list, "q": q, "downloads": downloads }),
        )
    })
}

/// The name, or what else there is of one.
fn shown_name(person: &Person) -> &str {
    let all = [&person.name, &person.login, &person.id];
    all.into_iter().find(|text| !text.is_empty()).map_or("", String::as_str)
}

pub fn user_href(tenant: &str, id: &str) -> String {
    view::href(tenant, &format!("users/{}", view::encoded(id)))
}

/// The user that an address names; one whom nobody knows may still have activity.
async fn person(visit: &Visit) -> Result<(Person, bool), Problem> {
    let name = visit.param("user");
    let people = visit.desk()?.people(visit.console.now()).await?;
    if let Some(person) = people.find(name) {
        return Ok((person.clone(), true));
    }
    let index = visit.desk()?.findings(visit.console.now()).await?;
    if let Some(finding) = index.all.iter().find(|finding| finding.user_id == name) {
        return Ok((of_finding(finding), false));
    }
    let login = Some(name).filter(|name| name.contains('@'));
    let person = Person {
        id: name.to_owned(),
        login: login.map(|login| lower_case(login).into_owned()).unwrap_or_default(),
        ..Person::default()
    };
    Ok((person, false))
}

/// What a finding says of its user.
fn of_finding(finding: &Known) -> Person {
    let login = Some(&finding.entity).filter(|entity| entity.contains('@'));
    Person {
        id: finding.user_id.clone(),
        login: login.cloned().unwrap_or_default(),
        name: finding.person.clone().unwrap_or_default(),
        ..Person::default()
    }
}

pub fn api_user(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let now = visit.console.now();
        let (person, is_known) = person(&visit).await?;
        let index = visit.desk()?.findings(now).await?;
        let risk = index.risks(now).get(person.id.as_str()).copied();
        if !is_known && risk.is_none() {
            return Err(Problem::not_found("user"));
        }
        Answer::json(&Found {
            person,
            risk: risk.unwrap_or_default(),
        })
    })
}

pub fn page(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let (desk, now) = (visit.desk()?, visit.console.now());
        let tenant = desk.tenant.to_string();
        let (person, is_known) = person(&visit).await?;
        if visit.wants_part() {
            return activity::part(&visit, &person.id).await;
        }
        let past = Filter {
            from: now.checked_sub(PICTURE).ok(),
            event_type: "user.".to_owned(),
            ..Filter::default()
        };
        let (activity, picture, index) = futures::join!(
            activity::content(&visit, &person.id),
            activity::newest(desk, &person.id, &past, timeline::MOST),
            desk.findings(now)
        );
        let (activity, picture, index) = (activity?, picture?, index?);
        let own = |known: &&Known| known.user_id == person.id;
        let rows: Vec<_> = index
            .all
            .iter()
            .filter(own)
            .take(20)
            .map(|known| findings::row(&tenant, known, now))
            .collect();
        let href = user_href(&tenant, &person.id);
        let devices = person.devices.iter().map(|device| {
            json!({ "name": device.name, "platform": device.platform, "status": device.status, "management": device.management })
        });
        let content = json!({
            "person": json!({
                "id": person.id,
                "login": person.login,
                "name": shown_name(&person),
                "status": person.status,
                "title": person.title,
                "department": person.department,
                "manager": person.manager,
                "known": is_known,
            }),
            "devices": devices.collect::<Vec<_>>(),
            "account_href": format!("{href}/account"),
            "findings": rows,
            "timeline": timeline::svg(&picture, now),
            "refresh_href": visit.may(Role::Analyst).then(|| format!("{href}/refresh")),
            "filters": activity["filters"],
            "outcomes": activity["outcomes"],
            "downloads": activity["downloads"],
            "activity": activity,
        });
        view::page(&visit, ("users", shown_name(&person)), "user.html", &content)
    })
}

/// Factors and profile, as the org tells them now.
pub fn account(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        visit.asks_okta()?;
        let (person, _) = person(&visit).await?;
        let content = match visit.desk()?.outside.account(&person.id).await {
            Ok(Some(overview)) => {
                let text =
                    |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
                let factor = |raw: &serde_json::value::RawValue| {
                    let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
                    json!({
                        "type": text(&value, "/factorType").unwrap_or_default(),
                        "provider": text(&value, "/provider").unwrap_or_default(),
                        "status": text(&value, "/status").unwrap_or_default(),
                        "created": moment(text(&value, "/created")),
                        "last_verified": moment(text(&value, "/lastVerified")),
                    })
                };
                let profile = &overview.user.profile;
                let facts = [
                    ("Login", Some(&profile.login)),
                    ("E-mail", profile.email.as_ref()),
                    ("Title", profile.title.as_ref()),
                    ("Department", profile.department.as_ref()),
                    ("Manager", profile.manager.as_ref()),
                    ("Status", Some(&overview.user.status)),
                ];
                let facts = facts
                    .into_iter()
                    .filter_map(|(label, value)| Some(json!({ "label": label, "value": value? })));
                json!({
                    "factors": overview.factors.iter().map(|raw| factor(raw)).collect::<Vec<_>>(),
                    "profile": facts.collect::<Vec<_>>(),
                    "problem": null,
                })
            }
            Ok(None) => nothing("The org may not be asked, or does not know this user."),
            Err(error) => {
                tracing::warn!("the org cannot be asked: {}", chain(&error));
                nothing("The org does not answer at the moment.")
            }
        };
        view::page(&visit, ("users", "Account"), "_account.html", &content)
    })
}

fn nothing(problem: &str) -> Value {
    let none: [(); 0] = [];
    json!({ "factors": none, "profile": none, "problem": problem })
}

/// A time that can be shown.
fn moment(text: Option<String>) -> Option<String> {
    text.filter(|text| text.parse::<Timestamp>().is_ok())
}
