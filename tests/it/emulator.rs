//! A local AWS for a test: one process of `tests/emulator`, which ends with the test, and what can be asked of it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The account of `environments/staging`.
pub const STAGING: &str = "909617834444";
/// The account of `environments/production`.
pub const PRODUCTION: &str = "988897525199";

/// What whoever runs the tests wants otherwise.
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub struct Emulator {
    child: Child,
    port: u16,
}

impl Emulator {
    pub fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = setting("OORT_TEST_PYTHON").map_or_else(|| root.join("target/venv/bin/python"), PathBuf::from);
        assert!(
            python.exists(),
            "{} is missing: run `make test` once, which installs the emulator",
            python.display()
        );
        let mut child = Command::new(python)
            .arg(root.join("tests/emulator"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let told: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("the emulator tells no port: {error}: {line:?}"));
        let port = u16::try_from(told["port"].as_u64().unwrap()).unwrap();
        Self { child, port }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The variables with which a program is in this account.
    pub fn environment(&self, account: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", account.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", "us-east-2".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("OORT_INTERVAL", "0.1".to_owned()),
        ]
    }

    /// Okta makes a tenant's partner event source.
    pub fn offer(&self, account: &str, name: &str) {
        self.ask("offer", &json!({"account": account, "name": name}));
    }

    /// Okta deletes it.
    pub fn withdraw(&self, account: &str, name: &str) {
        self.ask("withdraw", &json!({"account": account, "name": name}));
    }

    /// A metric as AWS or a task would tell it.
    pub fn put_metric(&self, account: &str, namespace: &str, name: &str, dimensions: &[(&str, &str)], value: u32) {
        let dimensions: Vec<Value> =
            dimensions.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        self.ask(
            "metric",
            &json!({"account": account, "namespace": namespace, "name": name, "dimensions": dimensions, "value": value}),
        );
    }

    /// Changes an attribute of a queue behind CloudFormation's back.
    pub fn set_queue(&self, account: &str, queue: &str, attribute: &str, value: &str) {
        self.ask(
            "queue",
            &json!({"account": account, "queue": queue, "attribute": attribute, "value": value}),
        );
    }

    /// Answers that AWS would give: see `tests/emulator/control.py`.
    pub fn faults(&self, faults: &Value) {
        self.ask("faults", faults);
    }

    /// Resources that fail: see `tests/emulator/templates.py`.
    pub fn failures(&self, failures: &Value) {
        self.ask("failures", failures);
    }

    /// How long an operation on a stack takes at least.
    pub fn operations_take(&self, seconds: f64) {
        self.ask("settings", &json!({"operation_seconds": seconds}));
    }

    /// Puts a stack into a status in which no operation ends here.
    pub fn set_status(&self, account: &str, stack: &str, status: &str, reason: &str) {
        self.ask(
            "status",
            &json!({"account": account, "stack": stack, "status": status, "reason": reason}),
        );
    }

    /// An alarm goes off when an operation was called so often.
    pub fn alarm_after(&self, account: &str, operation: &str, calls: u32, alarm: &str) {
        self.ask(
            "alarm-after",
            &json!({"account": account, "operation": operation, "calls": calls, "alarm": alarm}),
        );
    }

    /// Calls so far, as `cloudformation:ExecuteChangeSet`.
    pub fn calls(&self, account: &str) -> BTreeMap<String, u64> {
        let calls = self.ask("calls", &json!({}));
        serde_json::from_value(calls.get(account).cloned().unwrap_or_else(|| json!({}))).unwrap()
    }

    pub fn forget_calls(&self) {
        self.ask("forget-calls", &json!({}));
    }

    /// The stack of every change set that was carried out, in order.
    pub fn executions(&self, account: &str) -> Vec<String> {
        let all = self.ask("executions", &json!({}));
        let own = all.as_array().unwrap().iter().filter(|one| one["account"] == account);
        own.map(|one| one["stack"].as_str().unwrap().to_owned()).collect()
    }

    fn ask(&self, what: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "POST /_oort/{what} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {answer:?}"));
        assert!(head.contains(" 200"), "{what}: {answer}");
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Its standard input closes with this, which ends it too; nobody waits for it to notice.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
