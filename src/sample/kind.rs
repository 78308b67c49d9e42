//! The event types of the sample: their names and texts, and how often Okta reports them at which severity.

/// One kind of event. Several kinds share an event type where its outcomes read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    SignOnAllowed,
    SignOnChallenged,
    SessionStart,
    SessionStartFailed,
    SessionEnd,
    MfaPassed,
    MfaRejected,
    PushSent,
    PushDenied,
    Sso,
    AuthorizeCode,
    AccessToken,
    IdToken,
    ServiceToken,
    GroupAdd,
    GroupRemove,
    AppAssigned,
    ProfilePushed,
    ProfileUpdated,
    PasswordReset,
    PasswordUpdated,
    AccountLocked,
    AccountUnlocked,
    UserCreated,
    UserActivated,
    UserDeactivated,
    FactorActivated,
    FactorsReset,
    NewDeviceMail,
    DirectoryImport,
    AdminApp,
    AppUpdated,
    TokenCreated,
    PolicyRuleDeactivated,
    PrivilegeGranted,
    ProviderCreated,
    ZoneUpdated,
    LogStreamDeactivated,
    ThreatDetected,
    SuspiciousReport,
}

/// What is the same in all events of a kind.
pub struct Facts {
    pub event_type: &'static str,
    pub legacy: Option<&'static str>,
    pub message: &'static str,
    pub severity: &'static str,
    pub result: &'static str,
    pub reason: Option<&'static str>,
    pub uri: &'static str,
}

const fn facts(
    event_type: &'static str,
    legacy: Option<&'static str>,
    message: &'static str,
    (severity, result, reason): (&'static str, &'static str, Option<&'static str>),
    uri: &'static str,
) -> Facts {
    Facts {
        event_type,
        legacy,
        message,
        severity,
        result,
        reason,
        uri,
    }
}

const GOOD: (&str, &str, Option<&str>) = ("INFO", "SUCCESS", None);

impl Kind {
    /// Names after the System Log's catalogue of event types.
    #[rustfmt::skip]
    pub fn facts(self) -> Facts {
        match self {
            Self::SignOnAllowed => facts("policy.evaluate_sign_on", None, "Evaluation of sign-on policy", ("INFO", "ALLOW", Some("Sign-on policy evaluation resulted in ALLOW")), "/idp/idx/identify"),
            Self::SignOnChallenged => facts("policy.evaluate_sign_on", None, "Evaluation of sign-on policy", ("INFO", "CHALLENGE", Some("Sign-on policy evaluation resulted in CHALLENGE")), "/idp/idx/identify"),
            Self::SessionStart => facts("user.session.start", Some("core.user_auth.login_success"), "User login to Okta", GOOD, "/idp/idx/authenticators/poll"),
            Self::SessionStartFailed => facts("user.session.start", Some("core.user_auth.login_failed"), "User login to Okta", ("WARN", "FAILURE", Some("INVALID_CREDENTIALS")), "/idp/idx/challenge/answer"),
            Self::SessionEnd => facts("user.session.end", Some("core.user_auth.logout_success"), "User logout from Okta", GOOD, "/login/signout"),
            Self::MfaPassed => facts("user.authentication.auth_via_mfa", Some("core.user.factor.attempt_success"), "Authentication of user via MFA", GOOD, "/idp/idx/authenticators/poll"),
            Self::MfaRejected => facts("user.authentication.auth_via_mfa", Some("core.user.factor.attempt_fail"), "Authentication of user via MFA", ("WARN", "FAILURE", Some("User rejected Okta push verify")), "/idp/idx/authenticators/poll"),
            Self::PushSent => facts("system.push.send_factor_verify_push", None, "Send push verification message", GOOD, "/idp/idx/challenge"),
            Self::PushDenied => facts("user.mfa.okta_verify.deny_push", None, "User rejected Okta push verify", ("WARN", "FAILURE", None), "/api/v1/authn/factors/push/verify"),
            Self::Sso => facts("user.authentication.sso", Some("app.auth.sso"), "User single sign on to app", GOOD, "/app/sso/saml"),
            Self::AuthorizeCode => facts("app.oauth2.authorize.code", None, "OIDC authorization code request", GOOD, "/oauth2/v1/authorize"),
            Self::AccessToken => facts("app.oauth2.token.grant.access_token", None, "OIDC access token is granted", GOOD, "/oauth2/v1/token"),
            Self::IdToken => facts("app.oauth2.token.grant.id_token", None, "OIDC id token is granted", GOOD, "/oauth2/v1/token"),
            Self::ServiceToken => facts("app.oauth2.as.token.grant.access_token", None, "OAuth2 access token is granted", GOOD, "/oauth2/default/v1/token"),
            Self::GroupAdd => facts("group.user_membership.add", Some("core.user_group_member.user_add"), "Add user to group membership", GOOD, "/api/v1/groups/users"),
            Self::GroupRemove => facts("group.user_membership.remove", Some("core.user_group_member.user_remove"), "Remove user from group membership", GOOD, "/api/v1/groups/users"),
            Self::AppAssigned => facts("application.user_membership.add", Some("app.generic.provision.assign_user_to_app"), "Add user to application membership", GOOD, "/api/v1/apps/users"),
            Self::ProfilePushed => facts("application.provision.user.push_profile", Some("app.user_management.push_profile_success"), "Push user's profile to external application", GOOD, ""),
            Self::ProfileUpdated => facts("user.account.update_profile", Some("core.user.config.profile_updated"), "Update user profile for Okta", GOOD, "/api/v1/users/me"),
            Self::PasswordReset => facts("user.account.reset_password", Some("core.user.config.password_reset"), "Fired when the user's Okta password is reset", GOOD, "/api/v1/users/lifecycle/reset_password"),
            Self::PasswordUpdated => facts("user.account.update_password", Some("core.user.config.password_update"), "User update password for Okta", GOOD, "/idp/idx/challenge/answer"),
            Self::AccountLocked => facts("user.account.lock", Some("core.user_auth.account_locked"), "Max sign in attempts exceeded", ("WARN", "FAILURE", Some("LOCKED_OUT")), "/idp/idx/challenge/answer"),
            Self::AccountUnlocked => facts("user.account.unlock", Some("core.user_auth.account_unlocked"), "User unlocked", GOOD, "/api/v1/users/lifecycle/unlock"),
            Self::UserCreated => facts("user.lifecycle.create", Some("core.user.config.user_creation.success"), "Create Okta user", GOOD, "/api/v1/users"),
            Self::UserActivated => facts("user.lifecycle.activate", Some("core.user.config.user_activated"), "Activate Okta user", GOOD, "/api/v1/users/lifecycle/activate"),
            Self::UserDeactivated => facts("user.lifecycle.deactivate", Some("core.user.config.user_deactivated"), "Deactivate Okta user", GOOD, "/api/v1/users/lifecycle/deactivate"),
            Self::FactorActivated => facts("user.mfa.factor.activate", Some("core.user.factor.activate"), "Activate factor or authenticator enrollment for user", ("INFO", "SUCCESS", Some("User set up OKTA_VERIFY_PUSH factor")), "/idp/idx/challenge/poll"),
            Self::FactorsReset => facts("user.mfa.factor.reset_all", Some("core.user.factor.reset_all"), "Reset all factors for user", ("INFO", "SUCCESS", Some("User reset all factors")), "/api/v1/users/lifecycle/reset_factors"),
            Self::NewDeviceMail => facts("system.email.new_device_notification.sent_message", Some("core.user.email.message_sent"), "Send new device notification email", GOOD, ""),
            Self::DirectoryImport => facts("system.agent.ad.import_user", None, "Perform import by AD agent", GOOD, ""),
            Self::AdminApp => facts("user.session.access_admin_app", Some("app.admin.sso.login.success"), "User accessing Okta admin app", GOOD, "/admin/sso/request"),
            Self::AppUpdated => facts("application.lifecycle.update", Some("app.generic.config.app_updated"), "Update application", GOOD, "/api/v1/apps"),
            Self::TokenCreated => facts("system.api_token.create", Some("api.token.create"), "Create API token", GOOD, "/api/internal/tokens"),
            Self::PolicyRuleDeactivated => facts("policy.rule.deactivate", Some("policy.rule.deactivate"), "Deactivate policy rule", GOOD, "/api/v1/policies/rules/lifecycle/deactivate"),
            Self::PrivilegeGranted => facts("user.account.privilege.grant", Some("core.user.admin_privilege.granted"), "Grant user privilege", GOOD, "/api/internal/privileges/admin/bulkGrant"),
            Self::ProviderCreated => facts("system.idp.lifecycle.create", None, "Create identity provider", GOOD, "/api/v1/idps"),
            Self::ZoneUpdated => facts("zone.update", Some("network.zone.update"), "Update network zone", GOOD, "/api/v1/zones"),
            Self::LogStreamDeactivated => facts("system.log_stream.lifecycle.deactivate", None, "Deactivate log stream", GOOD, "/api/v1/logStreams/lifecycle/deactivate"),
            Self::ThreatDetected => facts("security.threat.detected", None, "Request from suspicious actor", ("WARN", "DENY", Some("Login failures, Password Spray")), "/idp/idx/identify"),
            Self::SuspiciousReport => facts("user.account.report_suspicious_activity_by_enduser", None, "User report suspicious activity", GOOD, "/user/notifications"),
        }
    }
}
