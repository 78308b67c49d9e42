//! A System Log event: Authentication (3002), Account Change (3001), User Access Management (3005), Group Management (3006), and
//! API Activity (6003) for whatever is none of these.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Class, OTHER, VERSION, base, object, set};

const ACCOUNT_CHANGE: Class = Class::iam(3001, "Account Change");
const AUTHENTICATION: Class = Class::iam(3002, "Authentication");
const USER_ACCESS: Class = Class::iam(3005, "User Access Management");
const GROUP_MANAGEMENT: Class = Class::iam(3006, "Group Management");
const API: Class = Class {
    uid: 6003,
    name: "API Activity",
    category_uid: 6,
    category: "Application Activity",
};

/// Where an event type belongs by its beginning; the first that fits.
const TYPES: [(&str, Class, (u32, &str)); 38] = [
    ("user.session.start", AUTHENTICATION, (1, "Logon")),
    ("user.session.end", AUTHENTICATION, (2, "Logoff")),
    ("user.session.clear", AUTHENTICATION, (2, "Logoff")),
    ("user.authentication.slo", AUTHENTICATION, (2, "Logoff")),
    ("user.authentication.sso", AUTHENTICATION, (4, "Service Ticket Request")),
    ("user.authentication.", AUTHENTICATION, (1, "Logon")),
    ("user.session.", AUTHENTICATION, (OTHER, "Other")),
    ("user.mfa.okta_verify", AUTHENTICATION, (OTHER, "Other")),
    ("user.mfa.attempt_bypass", AUTHENTICATION, (OTHER, "Other")),
    ("policy.evaluate_sign_on", AUTHENTICATION, (OTHER, "Other")),
    ("system.push.send_factor_verify_push", AUTHENTICATION, (OTHER, "Other")),
    ("user.mfa.factor.activate", ACCOUNT_CHANGE, (10, "MFA Factor Enable")),
    ("user.mfa.factor.unsuspend", ACCOUNT_CHANGE, (10, "MFA Factor Enable")),
    ("user.mfa.factor.deactivate", ACCOUNT_CHANGE, (11, "MFA Factor Disable")),
    ("user.mfa.factor.suspend", ACCOUNT_CHANGE, (11, "MFA Factor Disable")),
    ("user.mfa.factor.reset_all", ACCOUNT_CHANGE, (11, "MFA Factor Disable")),
    ("user.mfa.", ACCOUNT_CHANGE, (OTHER, "Other")),
    ("user.lifecycle.create", ACCOUNT_CHANGE, (1, "Create")),
    ("user.lifecycle.activate", ACCOUNT_CHANGE, (2, "Enable")),
    ("user.lifecycle.reactivate", ACCOUNT_CHANGE, (2, "Enable")),
    ("user.lifecycle.unsuspend", ACCOUNT_CHANGE, (2, "Enable")),
    ("user.lifecycle.deactivate", ACCOUNT_CHANGE, (5, "Disable")),
    ("user.lifecycle.suspend", ACCOUNT_CHANGE, (5, "Disable")),
    ("user.lifecycle.delete", ACCOUNT_CHANGE, (6, "Delete")),
    ("user.account.update_password", ACCOUNT_CHANGE, (3, "Password Change")),
    ("user.account.reset_password", ACCOUNT_CHANGE, (4, "Password Reset")),
    ("user.account.expire_password", ACCOUNT_CHANGE, (4, "Password Reset")),
    ("user.account.lock", ACCOUNT_CHANGE, (9, "Lock")),
    ("user.account.privilege.grant", USER_ACCESS, (1, "Assign Privileges")),
    ("user.account.privilege.revoke", USER_ACCESS, (2, "Revoke Privileges")),
    ("user.account.", ACCOUNT_CHANGE, (OTHER, "Other")),
    ("application.user_membership.add", USER_ACCESS, (1, "Assign Privileges")),
    (
        "application.user_membership.remove",
        USER_ACCESS,
        (2, "Revoke Privileges"),
    ),
    ("group.privilege.grant", GROUP_MANAGEMENT, (1, "Assign Privileges")),
    ("group.privilege.revoke", GROUP_MANAGEMENT, (2, "Revoke Privileges")),
    ("group.user_membership.add", GROUP_MANAGEMENT, (3, "Add User")),
    ("group.user_membership.remove", GROUP_MANAGEMENT, (4, "Remove User")),
    ("group.lifecycle.delete", GROUP_MANAGEMENT, (5, "Delete")),
];

fn class_of(event_type: &str) -> (Class, (u32, &'static str)) {
    let known = TYPES.iter().find(|(begin, ..)| event_type.starts_with(begin));
    if let Some((_, class, activity)) = known {
        return (*class, *activity);
    }
    if event_type == "group.lifecycle.create" {
        return (GROUP_MANAGEMENT, (6, "Create"));
    }
    let activity = match event_type.rsplit('.').next().unwrap_or_default() {
        "create" | "add" | "grant" | "register" => (1, "Create"),
        "update" | "activate" | "deactivate" | "enable" | "disable" | "rename" => (3, "Update"),
        "delete" | "remove" | "revoke" => (4, "Delete"),
        "view" | "read" | "list" | "export" | "download" => (2, "Read"),
        _ => (OTHER, "Other"),
    };
    (API, activity)
}

/// A System Log event, as Okta sent it, in OCSF. What is no object is an event of which nothing is known.
pub fn event(event: &Value) -> Value {
    let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let event_type = text("/eventType");
    let time = text("/published").parse().map_or(0, Timestamp::as_millisecond);
    let (class, activity) = class_of(event_type);
    let mut map = base(class, activity, time);
    let (severity_id, severity) = match text("/severity") {
        "ERROR" => (4, "High"),
        "WARN" => (3, "Medium"),
        "DEBUG" | "INFO" => (1, "Informational"),
        _ => (0, "Unknown"),
    };
    let (status_id, status) = match text("/outcome/result") {
        "SUCCESS" | "ALLOW" => (1, "Success"),
        "FAILURE" | "DENY" => (2, "Failure"),
        "" => (0, "Unknown"),
        other => (OTHER, other),
    };
    set(&mut map, "severity_id", json!(severity_id));
    set(&mut map, "severity", json!(severity));
    set(&mut map, "status_id", json!(status_id));
    set(&mut map, "status", json!(status));
    set(&mut map, "status_detail", json!(text("/outcome/reason")));
    set(&mut map, "message", json!(text("/displayMessage")));
    set(
        &mut map,
        "metadata",
        json!({
            "version": VERSION,
            "uid": text("/uuid"),
            "event_code": event_type,
            "original_time": text("/published"),
            "product": {"name": "Okta System Log", "vendor_name": "Okta"},
            "correlation_uid": text("/transaction/id"),
        }),
    );
    set(&mut map, "src_endpoint", src_endpoint(event));
    set(
        &mut map,
        "http_request",
        object([("user_agent", json!(text("/client/userAgent/rawUserAgent")))]),
    );
    let session = object([("uid", json!(text("/authenticationContext/externalSessionId")))]);
    let actor = party(event.get("actor"));
    set(
        &mut map,
        "actor",
        object([("user", actor.clone().into()), ("session", session.clone().into())]),
    );
    of_class(class, event, actor, session, &mut map);
    set(&mut map, "unmapped", unmapped(event));
    set(&mut map, "raw_data", json!(event.to_string()));
    Value::Object(map)
}

/// What only one class has.
fn of_class(class: Class, event: &Value, actor: Option<Value>, session: Option<Value>, map: &mut Map<String, Value>) {
    let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let user = party(target(event, "User")).or_else(|| party(target(event, "AppUser")));
    let application = target(event, "AppInstance").and_then(|app| {
        object([
            ("name", app.get("displayName").cloned().unwrap_or_default()),
            ("uid", app.get("id").cloned().unwrap_or_default()),
        ])
    });
    let group = target(event, "UserGroup").and_then(|group| {
        object([
            ("name", group.get("displayName").cloned().unwrap_or_default()),
            ("uid", group.get("id").cloned().unwrap_or_default()),
        ])
    });
    let nobody = || json!({"name": "Unknown", "type_id": 0});
    let privilege = match text("/debugContext/debugData/privilegeGranted") {
        "" => target(event, "ROLE")
            .and_then(|role| role.get("displayName")?.as_str())
            .unwrap_or_default(),
        named => named,
    };
    match class.uid {
        3001 => set(map, "user", user.or(actor).unwrap_or_else(nobody)),
        3002 => {
            set(map, "user", actor.or(user).unwrap_or_else(nobody));
            set(map, "service", application.unwrap_or_else(|| json!({"name": "Okta"})));
            set(map, "session", session);
            set(map, "is_remote", json!(true));
            let is_mfa = matches!(
                text("/eventType"),
                "user.authentication.auth_via_mfa" | "user.authentication.verify"
            ) || text("/eventType").starts_with("user.mfa.okta_verify");
            set(map, "is_mfa", is_mfa.then_some(json!(true)));
        }
        3005 => {
            set(map, "user", user.or(actor).unwrap_or_else(nobody));
            let names: Vec<&str> = privilege.split(", ").filter(|name| !name.is_empty()).collect();
            let privileges = if names.is_empty() {
                json!([text("/displayMessage")])
            } else {
                json!(names)
            };
            set(map, "privileges", privileges);
            set(map, "resources", application.map(|app| json!([app])));
        }
        3006 => {
            set(map, "group", group.unwrap_or_else(|| json!({"name": "Unknown"})));
            set(map, "user", user);
            set(map, "privileges", (!privilege.is_empty()).then(|| json!([privilege])));
        }
        _ => {
            set(
                map,
                "api",
                json!({"operation": text("/eventType"), "service": {"name": "Okta"}}),
            );
            let targets = event.get("target").and_then(Value::as_array).into_iter().flatten();
            let resources = targets.filter_map(|one| {
                object([
                    ("uid", one.get("id").cloned().unwrap_or_default()),
                    ("name", one.get("displayName").cloned().unwrap_or_default()),
                    ("type", one.get("type").cloned().unwrap_or_default()),
                ])
            });
            set(map, "resources", json!(resources.collect::<Vec<_>>()));
        }
    }
}

fn target<'a>(event: &'a Value, kind: &str) -> Option<&'a Value> {
    let is_kind = |one: &&Value| one.get("type").and_then(Value::as_str) == Some(kind);
    event.get("target")?.as_array()?.iter().find(is_kind)
}

/// An actor or target as OCSF's user.
fn party(party: Option<&Value>) -> Option<Value> {
    let party = party?;
    let text = |key: &str| party.get(key).and_then(Value::as_str).unwrap_or_default();
    let login = text("alternateId");
    let type_id = match text("type") {
        "User" => 1,
        "SystemPrincipal" => 3,
        _ => OTHER,
    };
    let mut user = object([
        ("uid", json!(text("id"))),
        ("name", json!(login)),
        ("full_name", json!(text("displayName"))),
        ("email_addr", json!(if login.contains('@') { login } else { "" })),
    ])?;
    user["type_id"] = json!(type_id);
    Some(user)
}

fn src_endpoint(event: &Value) -> Value {
    let text = |path: &str| json!(event.pointer(path).and_then(Value::as_str).unwrap_or_default());
    let number = |path: &str| {
        event
            .pointer(path)
            .filter(|value| value.is_number())
            .cloned()
            .unwrap_or_default()
    };
    let place = object([
        ("city", text("/client/geographicalContext/city")),
        ("region", text("/client/geographicalContext/state")),
        ("country", text("/client/geographicalContext/country")),
        ("postal_code", text("/client/geographicalContext/postalCode")),
        ("lat", number("/client/geographicalContext/geolocation/lat")),
        ("long", number("/client/geographicalContext/geolocation/lon")),
    ]);
    let system = object([
        ("number", number("/securityContext/asNumber")),
        ("name", text("/securityContext/asOrg")),
    ]);
    object([
        ("ip", text("/client/ipAddress")),
        ("domain", text("/securityContext/domain")),
        ("location", place.into()),
        ("autonomous_system", system.into()),
    ])
    // The class wants one, and an event of Okta itself has none.
    .unwrap_or_else(|| json!({"name": "Okta"}))
}

/// What has no place of its own.
fn unmapped(event: &Value) -> Option<Value> {
    const ELSEWHERE: [&str; 11] = [
        "actor",
        "client",
        "outcome",
        "uuid",
        "published",
        "eventType",
        "displayMessage",
        "severity",
        "version",
        "transaction",
        "authenticationContext",
    ];
    let rest = event
        .as_object()?
        .iter()
        .filter(|(key, _)| !ELSEWHERE.contains(&key.as_str()));
    let rest: Map<String, Value> = rest.map(|(key, value)| (key.clone(), value.clone())).collect();
    (!rest.is_empty()).then_some(Value::Object(rest))
}
