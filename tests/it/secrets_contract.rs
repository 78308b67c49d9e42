//! What every adapter of secrets promises, written against the port; then what each promises beyond it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use oort_streams::aws::Session;
use oort_streams::local::secrets::LocalSecrets;
use oort_streams::ports::{Kind, Secrets};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::emulator::{Emulator, fresh_account};

const TEXT: &str = "https://hooks.example/T0/B0/never-shown";

/// Runs every promise of the port. There is the secret `webhook`, which is [`TEXT`], of this tenant, and of another `theirs`.
async fn keeps_its_promises(secrets: &dyn Secrets) {
    let found = secrets.get("webhook").await.unwrap().unwrap();
    assert_eq!(found.expose_secret(), TEXT);
    assert!(!format!("{found:?}").contains("never-shown"), "{found:?}");
    assert!(secrets.get("theirs").await.unwrap().is_none());
    assert!(secrets.get("absent").await.unwrap().is_none());
    for name in [
        "",
        "../initech/theirs",
        "initech/theirs",
        "/etc/passwd",
        "Upper",
        "a b",
        "-a",
        &"a".repeat(65),
    ] {
        let error = secrets.get(name).await.unwrap_err();
        assert_eq!(error.kind, Kind::Invalid, "{name:?}: {error}");
    }
}

fn keep(data: &Path, tenant: &str, name: &str, bytes: &[u8], mode: u32) {
    let folder = data.join("secrets").join(tenant);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn the_embedded_ones_keep_them() {
    let data = tempfile::tempdir().unwrap();
    keep(data.path(), "acme", "webhook", format!("{TEXT}\n").as_bytes(), 0o600);
    keep(data.path(), "initech", "theirs", b"x", 0o600);
    keep(data.path(), "acme", "open", TEXT.as_bytes(), 0o640);
    keep(data.path(), "acme", "bytes", &[0xff, 0xfe], 0o600);
    let secrets = LocalSecrets::open(data.path(), "acme").unwrap();
    keeps_its_promises(&secrets).await;
    let open = secrets.get("open").await.unwrap_err();
    assert_eq!(open.kind, Kind::Denied, "what others may read is no secret");
    assert_eq!(secrets.get("bytes").await.unwrap_err().kind, Kind::Invalid);
    assert!(LocalSecrets::open(data.path(), "../initech").is_err());
}

#[tokio::test]
async fn secrets_manager_keeps_them() {
    let account = fresh_account();
    // Its own, because faults are everybody's.
    let emulator = tokio::task::spawn_blocking(Emulator::start).await.unwrap();
    emulator.keep_secret(
        &account,
        &json!({"Name": "oort/staging/acme/webhook", "SecretString": TEXT}),
    );
    emulator.keep_secret(
        &account,
        &json!({"Name": "oort/staging/initech/theirs", "SecretString": "x"}),
    );
    emulator.keep_secret(
        &account,
        &json!({"Name": "oort/staging/acme/bytes", "SecretBinary": "//4="}),
    );
    let session = Session::of(emulator.config(&account).await);
    let secrets = session.secrets("staging", "acme");
    keeps_its_promises(&*secrets).await;
    assert_eq!(secrets.get("bytes").await.unwrap_err().kind, Kind::Invalid);

    // A call that is refused says why, and nothing of a secret.
    emulator.faults(&json!([{
        "operation": "GetSecretValue", "account": account, "status": 400, "code": "AccessDeniedException",
        "message": "not authorized to perform: secretsmanager:GetSecretValue", "times": 1,
    }]));
    let refused = secrets.get("webhook").await.unwrap_err();
    assert_eq!(refused.kind, Kind::Denied, "{refused}");
}
