//! An account whose answers are written down.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_cloudformation::config::http::{HttpRequest, HttpResponse};
use aws_sdk_cloudformation::config::{Credentials, HttpClient, RuntimeComponents};
use aws_sdk_cloudformation::error::ConnectorError;
use aws_smithy_cbor::Decoder;
use aws_smithy_cbor::data::Type;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};

use crate::aws::{Account, Session};

/// What the account says to one request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status, with the value of `x-amzn-requestid` and of `content-type`.
    Http(u16, &'static str, &'static str, Vec<u8>),
    /// The connection ends before an answer came.
    Dropped,
    /// No connection within its time.
    NotConnected,
    /// A connection, and nothing more.
    Silent,
}

/// What came of a [`Script`]: the requests that were sent, each as a person would write it down.
#[derive(Debug, Clone)]
pub struct Script(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<String>>,
}

impl Script {
    pub fn requests(&self) -> Vec<String> {
        self.0.requests.lock().unwrap().clone()
    }
}

impl HttpClient for Script {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.requests.lock().unwrap().push(written(&request));
        let answer = self.0.answers.lock().unwrap().pop_front();
        match answer.expect("a request that the script has no answer for") {
            Answer::Http(status, id, content, body) => {
                let mut response = HttpResponse::new(status.try_into().unwrap(), body.into());
                response.headers_mut().insert("x-amzn-requestid", id);
                response.headers_mut().insert("content-type", content);
                if content == "application/cbor" {
                    response.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
                }
                HttpConnectorFuture::ready(Ok(response))
            }
            Answer::Dropped => HttpConnectorFuture::ready(Err(ConnectorError::io(
                "connection closed before message completed".into(),
            ))),
            Answer::NotConnected => HttpConnectorFuture::ready(Err(ConnectorError::timeout(
                "HTTP connect timeout occurred after 5s".into(),
            ))),
            Answer::Silent => HttpConnectorFuture::new(std::future::pending()),
        }
    }
}

/// An account that gives these answers one after the other, to whoever signed in.
pub fn account(answers: impl IntoIterator<Item = Answer>) -> (Account, Script) {
    scripted(answers, SharedCredentialsProvider::new(signed_in()))
}

/// A task's session in which these answers are given one after the other.
pub fn session(answers: impl IntoIterator<Item = Answer>) -> (Session, Script) {
    let (config, script) = config(answers, SharedCredentialsProvider::new(signed_in()));
    (Session { config, named: None }, script)
}

/// Who finds no credentials, or none in time.
pub fn account_of(error: fn() -> CredentialsError) -> Account {
    scripted([], SharedCredentialsProvider::new(NoCredentials(error))).0
}

pub fn signed_in() -> Credentials {
    Credentials::new(
        "AKIDEXAMPLE",
        "a-secret",
        Some("a-session-token".to_owned()),
        None,
        "test",
    )
}

fn scripted(answers: impl IntoIterator<Item = Answer>, credentials: SharedCredentialsProvider) -> (Account, Script) {
    let (config, script) = config(answers, credentials);
    (Session { config, named: None }.account(), script)
}

fn config(answers: impl IntoIterator<Item = Answer>, credentials: SharedCredentialsProvider) -> (SdkConfig, Script) {
    let script = Script(Arc::new(Shared {
        answers: Mutex::new(answers.into_iter().collect()),
        requests: Mutex::default(),
    }));
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .credentials_provider(credentials)
        .http_client(script.clone())
        .region(aws_config::Region::from_static("us-east-2"))
        .build();
    (config, script)
}

#[derive(Debug)]
struct NoCredentials(fn() -> CredentialsError);

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

/// What CloudFormation and STS answer to an action.
pub fn xml(action: &str, result: &str) -> Answer {
    let body = format!(
        "<{action}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><{action}Result>{result}\
         </{action}Result></{action}Response>"
    );
    Answer::Http(200, "1234", "text/xml", body.into_bytes())
}

/// How CloudFormation and STS say that they do not do it.
pub fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>1234</RequestId></ErrorResponse>"
    );
    Answer::Http(status, "1234", "text/xml", body.into_bytes())
}

/// What EventBridge answers.
pub fn json(status: u16, body: &str) -> Answer {
    Answer::Http(status, "1234", "application/x-amz-json-1.1", body.as_bytes().to_vec())
}

/// What `CloudWatch` answers.
pub fn cbor(body: Vec<u8>) -> Answer {
    Answer::Http(200, "1234", "application/cbor", body)
}

/// The action and the parameters of a request, a line each; of one in CBOR what it calls.
fn written(request: &HttpRequest) -> String {
    let body = request.body().bytes().unwrap_or_default();
    if let Some(target) = request.headers().get("x-amz-target") {
        return format!("{target}\n  {}\n", String::from_utf8_lossy(body));
    }
    let path = request.uri().split_once(".amazonaws.com").map_or("", |(_, path)| path);
    if path.len() > 1 {
        return format!("{path}\n  {}\n", line(&mut Decoder::new(body)));
    }
    let mut text = String::new();
    for pair in std::str::from_utf8(body).unwrap().split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        match name {
            "Action" => text = format!("{value}\n{text}"),
            "Version" => {}
            _ => writeln!(text, "  {name}={}", decoded(value)).unwrap(),
        }
    }
    text
}

/// A value in CBOR as a line of text.
fn line(decoder: &mut Decoder<'_>) -> String {
    match decoder.datatype().unwrap() {
        Type::Map | Type::MapIndef => {
            let count = decoder.map().unwrap();
            let entry = |decoder: &mut Decoder<'_>| format!("{}: {}", decoder.str().unwrap(), line(decoder));
            format!("{{{}}}", elements(decoder, count, entry))
        }
        Type::Array | Type::ArrayIndef => {
            let count = decoder.list().unwrap();
            format!("[{}]", elements(decoder, count, line))
        }
        Type::String | Type::StringIndef => decoder.str().unwrap().into_owned(),
        Type::Tag => decoder.timestamp().unwrap().to_string(),
        Type::Bool => decoder.boolean().unwrap().to_string(),
        _ => decoder.long().unwrap().to_string(),
    }
}

fn elements(decoder: &mut Decoder<'_>, count: Option<u64>, element: impl Fn(&mut Decoder<'_>) -> String) -> String {
    let mut all = Vec::new();
    while count.map_or_else(
        || decoder.datatype().unwrap() != Type::Break,
        |count| all.len() < usize::try_from(count).unwrap(),
    ) {
        all.push(element(decoder));
    }
    if count.is_none() {
        decoder.skip().unwrap();
    }
    all.join(", ")
}

fn decoded(form: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = form.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}
