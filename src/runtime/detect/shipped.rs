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
const FILES: [(&str, &str); 70] = files![
    "admin_console_denied",
    "admin_console_through_anonymizer",
    "admin_role_granted",
    "admin_role_granted_by_newcomer",
    "api_token_created",
    "api_token_revoked",
    "application_removed",
    "application_sign_on_changed",
    "authenticator_switched_off",
    "authorization_server_changed",
    "behavior_detection_changed",
    "breached_credential",
    "brute_force_then_success",
    "custom_role_changed",
    "device_enrolled_through_anonymizer",
    "dormant_account_used",
    "factor_enrolled_through_anonymizer",
    "factor_reset_then_enrolled",
    "feature_switched_off",
    "first_browser_of_user",
    "first_country_of_tenant",
    "first_country_of_user",
    "first_network_of_user",
    "further_log_stream",
    "group_deleted",
    "hook_added",
    "hook_switched_off",
    "identity_provider_added",
    "impersonation_session",
    "impossible_travel",
    "lockouts_in_a_row",
    "log_stream_changed",
    "log_stream_inactive",
    "log_stream_silent",
    "log_stream_stopped",
    "many_applications_denied",
    "many_factors_reset",
    "many_users_deactivated",
    "mfa_bypass_attempt",
    "mfa_factor_removed_by_other",
    "mfa_flood",
    "network_zone_changed",
    "new_place_and_new_device",
    "new_user_made_administrator",
    "oauth_admin_consent",
    "org_rate_limited",
    "org_under_attack",
    "password_changed_through_anonymizer",
    "password_spray",
    "password_typed_as_user_name",
    "policy_reevaluation_failed",
    "policy_weakened",
    "push_denied_then_accepted",
    "push_refused_by_user",
    "refresh_token_reused",
    "risky_sign_in_allowed",
    "session_context_changed",
    "session_on_two_machines",
    "session_roamed",
    "sign_in_by_script",
    "sign_in_through_anonymizer",
    "super_admin_granted",
    "threat_insight_changed",
    "threat_insight_detection",
    "trusted_origin_changed",
    "unusual_sign_in_volume",
    "user_deleted",
    "user_reactivated",
    "user_reported_activity",
    "user_risk_high",
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
