//! That no template carries a secret. Messages never show what was found.

use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::deploy::check::cursor::Cursor;
use crate::deploy::check::{Admitted, Found, Rule, Severity, Template};
use crate::deploy::tree::Tree;

pub const RULES: &[Rule] = &[Rule {
    id: "no-secret",
    severity: Severity::Error,
    demand: "No template holds a password, a token or a key.",
    why: "Whoever may read the stack or the repository would have it, in every version, for ever.",
    help: "Keep it in Secrets Manager and refer to it, then take the one that was written here out of use.",
    admits: &[RESOLVED],
    find: secrets,
}];

const RESOLVED: Admitted = Admitted {
    what: "a dynamic reference, such as {{resolve:secretsmanager:…}}",
    reason: "CloudFormation puts the value in while it deploys; the template holds the name only.",
};

/// What secrets look like: what is told of one, and the pattern.
const LOOKS: [(&str, &str); 12] = [
    ("an AWS access key ID", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    (
        "a Slack webhook",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/]{8,}",
    ),
    (
        "a Teams webhook",
        r"\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{8,}",
    ),
    (
        "a GitHub token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    ),
    (
        "an Okta API token",
        r"\bSSWS\s+[A-Za-z0-9_-]{8,}|(?:^|[^A-Za-z0-9_-])00[A-Za-z0-9_-]{40}(?:$|[^A-Za-z0-9_-])",
    ),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    (
        "a signed token (JWT)",
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.",
    ),
    ("a Google API key", r"\bAIza[A-Za-z0-9_-]{35}"),
    (
        "an Authorization header",
        r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9+/_.=-]{16,}",
    ),
    ("a password in a URL", r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@"),
    (
        "a key in a URL",
        r"(?i)[?&](?:(?:access_?)?token|(?:api_?)?key|secret|sig|signature|code|password|auth)=[^&\s$]{6,}",
    ),
];

static PATTERNS: LazyLock<RegexSet> = LazyLock::new(|| {
    let patterns = RegexSetBuilder::new(LOOKS.iter().map(|(_, pattern)| pattern))
        .unicode(false)
        .build();
    // A pattern that does not compile fails the tests of this module.
    patterns.unwrap_or_else(|_| RegexSet::empty())
});

fn secrets(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    template.root.walk(&mut |at| match at.tree {
        Tree::Text(text) => {
            let look = PATTERNS.matches(text.as_bytes()).iter().next();
            found.extend(look.map(|index| at.found(format!("this looks like {}", LOOKS[index].0))));
        }
        Tree::Map(_) => {
            let named = at.entries().into_iter().filter(|(name, _)| is_secret(name));
            found.extend(named.filter_map(|(name, value)| literal(name, &value)));
            found.extend(pair(at));
        }
        _ => {}
    });
    for (name, parameter) in template.root.get("Parameters").iter().flat_map(Cursor::entries) {
        let is_hidden = parameter.get("NoEcho").is_some_and(|hidden| hidden.text() == "true");
        if is_secret(name) && !is_hidden {
            found.push(parameter.found(format!(
                "the parameter `{name}` is shown to everyone who may read the stack; set NoEcho"
            )));
        }
        if is_secret(name) {
            found.extend(parameter.get("Default").and_then(|value| literal(name, &value)));
        }
    }
    found
}

/// A name and its value in two entries, as the variables of a container have them.
fn pair(at: &Cursor<'_>) -> Option<Found> {
    let name = at.get("Name").or_else(|| at.get("Key"))?.text();
    is_secret(&name).then(|| literal(&name, &at.get("Value")?)).flatten()
}

fn literal(name: &str, value: &Cursor<'_>) -> Option<Found> {
    let Tree::Text(text) = value.tree else { return None };
    let is_harmless = text.is_empty() || text == "true" || text == "false" || text.starts_with("{{resolve:");
    (!is_harmless).then(|| value.found(format!("`{name}` is written out")))
}

/// Whether a name is that of a secret: `DB_PASSWORD`, `ApiToken`, `signing-key`; not `TokenUrl` or `SecretArn`.
fn is_secret(name: &str) -> bool {
    const LAST: [&str; 10] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "credentials",
        "apikey",
        "secretkey",
        "secretstring",
    ];
    const KEYS: [&str; 6] = ["api", "access", "secret", "private", "signing", "shared"];
    let lower = name.to_ascii_lowercase();
    if !["pass", "secret", "token", "credential", "key"]
        .iter()
        .any(|part| lower.contains(part))
    {
        return false;
    }
    let words = words(name);
    match &words[..] {
        [.., kind, last] if last == "key" && KEYS.contains(&kind.as_str()) => true,
        [.., kind, last] if kind == "secret" && last == "string" => true,
        [.., last] => LAST.contains(&last.as_str()),
        [] => false,
    }
}

/// A name's words in lower case, cut at capitals and at what is neither letter nor digit.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = '_';
    for c in name.chars() {
        let starts = before.is_ascii_lowercase() && c.is_ascii_uppercase() || !before.is_ascii_alphanumeric();
        if c.is_ascii_alphanumeric() {
            match words.last_mut() {
                Some(word) if !starts => word.push(c.to_ascii_lowercase()),
                _ => words.push(c.to_ascii_lowercase().to_string()),
            }
        }
        before = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::check::planted::found;

    fn value(text: &str) -> String {
        format!("Resources: {{It: {{Type: X, Properties: {{Endpoint: \"{text}\"}}}}}}\n")
    }

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), LOOKS.len());
    }

    /// The secrets are put together here, so that no scanner takes this file for a leak.
    #[test]
    fn what_looks_like_a_secret_is_found_and_never_shown() {
        let long = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0";
        for (what, secret) in [
            ("an AWS access key ID", format!("AKI{}", "AIOSFODNN7EXAMPLE")),
            ("a Slack token", format!("xox{}", "b-1234567890-abcdef")),
            (
                "a Slack webhook",
                format!("https://hooks.slack.{}", "com/services/T000/B000/XXXX"),
            ),
            (
                "a Teams webhook",
                format!("https://x.webhook.office.{}", "com/webhookb2/abcdef01-23"),
            ),
            ("a GitHub token", format!("gh{}", "p_") + long),
            ("an Okta API token", "00".to_owned() + long),
            ("an Okta API token", format!("SS{}", "WS abcdefghij")),
            ("a private key", format!("-----BEGIN RSA {}-----", "PRIVATE KEY")),
            (
                "a signed token (JWT)",
                format!("ey{}", "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.sig"),
            ),
            ("a Google API key", format!("AI{}", "za") + &long[..35]),
            ("an Authorization header", format!("Bear{}", "er abcdefghijklmnop1234")),
            (
                "a password in a URL",
                "https://user:hunter2hunter2@siem.example".to_owned(),
            ),
            (
                "a key in a URL",
                "https://siem.example/in?x=1&token=abcdef123".to_owned(),
            ),
        ] {
            let told = found("no-secret", &value(&secret));
            assert_eq!(
                told,
                [format!("/Resources/It/Properties/Endpoint: this looks like {what}")],
                "{secret}"
            );
        }
    }

    #[test]
    fn what_a_template_usually_holds_is_no_secret() {
        for harmless in [
            "https://siem.initech.example/oort",
            "https://siem.example/in?format=json&key=${Key}",
            "909617834444.dkr.ecr.us-east-2.amazonaws.com/oort-streams@sha256:00a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778899aabbccddeeff",
            "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "aws.partner/okta.com/acme/5f1d7a42-acme",
            "cron(15 3 * * ? *)",
            "soc@acme.example",
            "Okta switches a log stream off after two failed tries",
        ] {
            assert_eq!(found("no-secret", &value(harmless)), [""; 0], "{harmless}");
        }
    }

    #[test]
    fn what_is_named_as_a_secret_may_not_be_written_out() {
        let told = |properties: &str| {
            found(
                "no-secret",
                &format!("Resources: {{It: {{Type: X, Properties: {{{properties}}}}}}}\n"),
            )
        };
        for bad in [
            "MasterUserPassword: hunter2",
            "Environment: [{Name: DB_PASSWORD, Value: hunter2}]",
            "Tags: [{Key: apiToken, Value: hunter2}]",
            "SecretString: hunter2",
            "Variables: {signing-key: hunter2}",
        ] {
            let told = told(bad);
            assert_eq!(told.len(), 1, "{bad}");
            assert!(
                told[0].ends_with("is written out") && !told[0].contains("hunter2"),
                "{told:?}"
            );
        }
        for good in [
            "MasterUserPassword: '{{resolve:secretsmanager:db:SecretString:password}}'",
            "MasterUserPassword: !Ref Password",
            "Environment: [{Name: TOKEN_URL, Value: 'https://a.example'}]",
            "SecretArn: arn",
            "GenerateSecret: true",
            "PasswordLength: 30",
            "KeyId: alias/x",
        ] {
            assert_eq!(told(good), [""; 0], "{good}");
        }
        let parameter = |text: &str| found("no-secret", &format!("Parameters: {{OktaToken: {{{text}}}}}\n"));
        assert_eq!(parameter("Type: String, NoEcho: true"), [""; 0]);
        assert_eq!(parameter("Type: String").len(), 1);
        assert_eq!(parameter("Type: String, NoEcho: true, Default: hunter2").len(), 1);
    }
}
