//! A local AWS for a test: one process of `tests/emulator`, which ends with the test, and what can be asked of it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};

mod tests;

/// The account of `environments/staging`.
pub const STAGING: &str = "909617834444";
/// The account of `environments/production`.
pub const PRODUCTION: &str = "988897525199";

/// What whoever runs the tests wants otherwise.
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A Python that has the emulator, and others who read what is in it.
pub fn python() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/emulator/bin/python");
    let python = setting("OORT_TEST_PYTHON").map_or_else(usual, PathBuf::from);
    assert!(
        python.exists(),
        "{} is missing: run make test once: it installs the emulator",
        python.display()
    );
    python
}

pub struct Emulator {
    child: Child,
    port: u16,
    /// How far the queues' clock is ahead.
    ahead: Mutex<Duration>,
}

impl Emulator {
    /// One that every test of this binary can use beside the others, each in a [`fresh_account`]. It ends with the binary.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One for this test alone.
    pub fn start() -> Self {
        Self::launch("false")
    }

    /// One that lets nobody do what IAM does not allow. The account's own key may do everything.
    pub fn enforcing() -> Self {
        Self::launch("true")
    }

    fn launch(enforces: &str) -> Self {
        let mut child = Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator"))
            .args(["--port", "0"])
            .env("AUTH", enforces)
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
        Self {
            child,
            port,
            ahead: Mutex::default(),
        }
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

    /// How an SDK signs in to this account.
    pub async fn config(&self, account: &str) -> aws_config::SdkConfig {
        let credentials = aws_credential_types::Credentials::new(account, "secret", None, None, "test");
        aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
            .region("us-east-2")
            .endpoint_url(self.endpoint())
            .credentials_provider(credentials)
            .load()
            .await
    }

    /// Okta makes a tenant's partner event source.
    pub fn offer(&self, account: &str, name: &str) {
        self.ask("offer", &json!({"account": account, "name": name}));
    }

    /// Okta makes it, and EventBridge deletes it at this Unix time if it is still pending.
    pub fn offer_until(&self, account: &str, name: &str, expires: u64) {
        self.ask("offer", &json!({"account": account, "name": name, "expires": expires}));
    }

    /// Okta sends an event's detail, which is dropped in silence unless a bus takes it.
    pub fn put_partner_event(&self, source: &str, detail: &Value) {
        self.put_partner_events(source, std::slice::from_ref(detail));
    }

    /// The same of many.
    pub fn put_partner_events(&self, source: &str, details: &[Value]) {
        for batch in details.chunks(100) {
            let events: Vec<Value> = batch.iter().map(|detail| json!({"detail": detail})).collect();
            self.ask("put-partner-events", &json!({"source": source, "events": events}));
        }
    }

    /// What ECS answers.
    pub fn ecs(&self, account: &str, call: &str, request: &Value) -> Value {
        let target = format!("AmazonEC2ContainerServiceV20141113.{call}");
        body(&aws(self, account, "ecs", &target, &request.to_string()))
    }

    /// What Glue answers.
    pub fn glue(&self, account: &str, call: &str, request: &Value) -> Value {
        body(&aws(
            self,
            account,
            "glue",
            &format!("AWSGlue.{call}"),
            &request.to_string(),
        ))
    }

    /// Puts a secret into Secrets Manager.
    pub fn keep_secret(&self, account: &str, secret: &Value) {
        let answer = aws(
            self,
            account,
            "secretsmanager",
            "secretsmanager.CreateSecret",
            &secret.to_string(),
        );
        assert!(answer.contains(" 200"), "{answer}");
    }

    /// Has a queue hear of what is published to a topic.
    pub fn subscribe(&self, account: &str, topic: &str, queue: &str) {
        let request = format!(
            "Action=Subscribe&Version=2010-03-31&Protocol=sqs&TopicArn=arn:aws:sns:us-east-2:{account}:{topic}\
             &Endpoint=arn:aws:sqs:us-east-2:{account}:{queue}"
        );
        let answer = aws(self, account, "sns", "", &request);
        assert!(answer.contains(" 200"), "{topic}: {answer}");
    }

    /// Takes every message of a queue.
    pub fn messages(&self, account: &str, url: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let request = json!({"QueueUrl": url, "MaxNumberOfMessages": 10}).to_string();
            let answer = body(&aws(self, account, "sqs", "AmazonSQS.ReceiveMessage", &request));
            match answer["Messages"].as_array() {
                Some(messages) if !messages.is_empty() => all.extend(messages.iter().cloned()),
                _ => return all,
            }
        }
    }

    /// AWS measures something now.
    pub fn put_metric(&self, account: &str, namespace: &str, name: &str, dimensions: &Value, value: f64) {
        self.ask(
            "metric",
            &json!({"account": account, "namespace": namespace, "name": name, "dimensions": dimensions, "value": value}),
        );
    }

    /// Puts a message into a queue, past all rules.
    pub fn send(&self, account: &str, queue: &str, body: &str) {
        let url = format!("{}/{account}/{queue}", self.endpoint());
        let request = json!({"QueueUrl": url, "MessageBody": body}).to_string();
        let answer = aws(self, account, "sqs", "AmazonSQS.SendMessage", &request);
        assert!(answer.contains(" 200"), "{queue}: {answer}");
    }

    /// Makes a queue, with attributes as SQS takes them; gives its URL.
    pub fn make_queue(&self, account: &str, queue: &str, attributes: &Value) -> String {
        let request = json!({"QueueName": queue, "Attributes": attributes}).to_string();
        let answer = aws(self, account, "sqs", "AmazonSQS.CreateQueue", &request);
        assert!(answer.contains(" 200"), "{queue}: {answer}");
        format!("{}/{account}/{queue}", self.endpoint())
    }

    /// Makes a bucket.
    pub fn make_bucket(&self, account: &str, bucket: &str) {
        let headers = format!("{}\r\n", authorization(account, "s3"));
        let body = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                    <LocationConstraint>us-east-2</LocationConstraint></CreateBucketConfiguration>";
        let answer = self.request("PUT", &format!("/{bucket}"), &headers, body);
        assert!(answer.contains(" 200"), "{bucket}: {answer}");
    }

    /// Deletes an object.
    pub fn delete_object(&self, account: &str, bucket: &str, key: &str) {
        let headers = format!("{}\r\n", authorization(account, "s3"));
        let answer = self.request("DELETE", &format!("/{bucket}/{key}"), &headers, "");
        assert!(answer.contains(" 204"), "{key}: {answer}");
    }

    /// Changes an attribute of a queue behind CloudFormation's back.
    pub fn set_queue(&self, account: &str, queue: &str, attribute: &str, value: &str) {
        let url = format!("{}/{account}/{queue}", self.endpoint());
        let body = json!({"QueueUrl": url, "Attributes": {attribute: value}}).to_string();
        let answer = aws(self, account, "sqs", "AmazonSQS.SetQueueAttributes", &body);
        assert!(answer.contains(" 200"), "{queue}: {answer}");
    }

    /// Okta deletes it.
    pub fn withdraw(&self, account: &str, name: &str) {
        self.ask("withdraw", &json!({"account": account, "name": name}));
    }

    /// Calls that are refused, late or cut off: see `tests/emulator/wire.py`.
    pub fn faults(&self, faults: &Value) {
        self.ask("faults", faults);
    }

    /// Resources that fail: see `tests/emulator/operations.py`.
    pub fn failures(&self, failures: &Value) {
        self.ask("failures", failures);
    }

    /// How long an operation on a stack takes at least.
    pub fn operations_take(&self, seconds: f64) {
        self.settings(&json!({"operation_seconds": seconds}));
    }

    /// The queues' time passes. Of an emulator that others use too, theirs as well.
    pub fn pass(&self, time: Duration) {
        let mut ahead = self.ahead.lock().unwrap();
        *ahead += time;
        self.settings(&json!({"queue_seconds_ahead": ahead.as_secs_f64()}));
    }

    /// See `tests/emulator/settings.py`.
    pub fn settings(&self, settings: &Value) {
        self.ask("settings", settings);
    }

    /// Forgets everything, of every account.
    pub fn reset(&self) {
        self.ask("reset", &json!({}));
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

    /// Calls, and the bytes of their requests (`received`) and answers (`sent`), since the last time that they were forgotten.
    pub fn traffic(&self, account: &str) -> BTreeMap<String, BTreeMap<String, u64>> {
        serde_json::from_value(self.ask("traffic", &json!({"account": account}))).unwrap()
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
        let answer = self.post(&format!("/_oort/{what}"), "", &body.to_string());
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{what}: no answer: {answer:?}"));
        assert!(head.contains(" 200"), "{what}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    /// One request on a connection of its own; gives all that came back, which is nothing where the emulator cut it off.
    fn post(&self, path: &str, headers: &str, body: &str) -> String {
        self.request("POST", path, headers, body)
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        // A connection that is cut off is no failure of the harness.
        let _ = stream.read_to_string(&mut answer);
        answer
    }
}

/// An account that no other test has.
pub fn fresh_account() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(100_000_000_001);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Its standard input closes with this, which ends it too; nobody waits for it to notice.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A call to AWS as its SDK would write it, but for the signature.
fn aws(emulator: &Emulator, account: &str, service: &str, target: &str, body: &str) -> String {
    let kind = if target.is_empty() {
        "application/x-www-form-urlencoded"
    } else {
        "application/x-amz-json-1.1"
    };
    let target = if target.is_empty() {
        String::new()
    } else {
        format!("x-amz-target: {target}\r\n")
    };
    let authorization = authorization(account, service);
    let headers = format!("{authorization}\r\ncontent-type: {kind}\r\n{target}");
    emulator.post("/", &headers, body)
}

/// The JSON of an answer.
fn body(answer: &str) -> Value {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert!(head.contains(" 200"), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// The header by which the emulator knows an account.
fn authorization(account: &str, service: &str) -> String {
    let credential = format!("{account}/20261123/us-east-2/{service}/aws4_request");
    format!("authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")
}
