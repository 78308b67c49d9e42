//! The rules that ship with the product, from the folder `detections/`, inside the binary: a container has no other file.

use super::RuleFile;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$((
            concat!("detections/", $name, ".yml"),
            include_str!(concat!("../../../detections/", $name, ".yml")),
        )),*]
    };
}

/// Every rule file of `detections/`; a test holds the list against the folder.
const FILES: [(&str, &str); 20] = files![
    "admin_console_denied",
    "admin_role_granted",
    "api_token_created",
    "hook_added",
    "identity_provider_added",
    "impersonation_session",
    "log_stream_stopped",
    "mfa_bypass_attempt",
    "mfa_factor_removed_by_other",
    "network_zone_changed",
    "new_place_and_new_device",
    "oauth_admin_consent",
    "password_typed_as_user_name",
    "policy_weakened",
    "push_refused_by_user",
    "risky_sign_in_allowed",
    "sign_in_through_anonymizer",
    "super_admin_granted",
    "threat_insight_detection",
    "user_reported_activity",
];

/// The shipped rules, as files to load.
pub fn shipped() -> Vec<RuleFile> {
    FILES
        .iter()
        .map(|(path, text)| RuleFile {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        })
        .collect()
}
