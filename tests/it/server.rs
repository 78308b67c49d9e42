//! A receiver on loopback that behaves as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How one request is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status with headers, each with its line's end, and a body.
    Status(u16, String, String),
    /// The connection is closed without an answer.
    Hang,
    /// The head of an answer promises more than comes.
    Cut(u16),
    /// Nothing is said for so long.
    Slow(Duration),
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self::Status(status, String::new(), String::new())
    }

    pub fn body(status: u16, body: &str) -> Self {
        Self::Status(status, String::new(), body.to_owned())
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// As in `POST /hook`.
    pub line: String,
    /// In lower case.
    pub head: String,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Says how a request is answered.
#[async_trait]
pub trait Answers: Send + Sync {
    async fn answer(&self, asked: Asked) -> Answer;
}

/// Serves on loopback until the test's end; gives the address.
pub async fn serve_with(answers: Arc<dyn Answers>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answers)));
        }
    });
    address
}

/// A server that gives each answer once, and then 200.
pub struct Server {
    pub address: String,
    pub port: u16,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<Vec<Answer>>,
}

#[async_trait]
impl Answers for Told {
    async fn answer(&self, asked: Asked) -> Answer {
        self.asked.lock().unwrap().push(asked);
        let mut answers = self.answers.lock().unwrap();
        if answers.is_empty() {
            Answer::status(200)
        } else {
            answers.remove(0)
        }
    }
}

impl Server {
    pub async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let told = Arc::new(Told {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Told::default()
        });
        let address = serve_with(Arc::clone(&told) as Arc<dyn Answers>).await;
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok());
        Self {
            port: port.unwrap(),
            address,
            told,
        }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.told.asked.lock().unwrap().clone()
    }

    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        *self.told.answers.lock().unwrap() = answers.into_iter().collect();
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<dyn Answers>) {
    while let Some(request) = read(&mut stream).await {
        let text = match answers.answer(request).await {
            Answer::Status(status, headers, body) => {
                format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}",
                    body.len()
                )
            }
            Answer::Hang => return,
            Answer::Cut(status) => {
                let _ = stream
                    .write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 500\r\n\r\nhal").as_bytes())
                    .await;
                return;
            }
            Answer::Slow(time) => {
                tokio::time::sleep(time).await;
                return;
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let mut more = [0; 4096];
        let count = stream.read(&mut more).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&more[..count]);
    };
    let whole_head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let (first, head) = whole_head.split_once("\r\n")?;
    let head: Vec<String> = head
        .lines()
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            format!("{}:{value}\n", name.to_ascii_lowercase())
        })
        .collect();
    let mut asked = Asked {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        head: head.concat(),
        body: String::new(),
    };
    let length: usize = asked
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        let mut more = [0; 4096];
        let count = stream.read(&mut more).await.ok().filter(|count| *count > 0)?;
        body.extend_from_slice(&more[..count]);
    }
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Some(asked)
}
