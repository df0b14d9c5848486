//! Where messages arrive: a program that takes them as JSON, and a server that takes them as e-mail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// What is sure to come is waited for no longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A request that arrived: its headers, in lower case, and its body.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) headers: String,
    pub(super) body: String,
}

/// A program that takes messages as JSON.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(super) url: String,
    arrived: Mutex<UnboundedReceiver<Arrived>>,
    refusing: Arc<AtomicUsize>,
}

impl Hook {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/messages", listener.local_addr().unwrap());
        let (tell, arrived) = unbounded_channel();
        let refusing = Arc::<AtomicUsize>::default();
        let refuses = Arc::clone(&refusing);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(taken(stream, tell.clone(), Arc::clone(&refuses)));
            }
        });
        Self { url, arrived: Mutex::new(arrived), refusing }
    }

    /// Refuses so many of the next messages; they are told of all the same.
    pub(super) fn refuse(&self, times: usize) {
        self.refusing.store(times, Ordering::SeqCst);
    }

    /// Waits for the next request.
    pub(super) async fn request(&self) -> Arrived {
        let mut arrived = self.arrived.lock().await;
        timeout(PATIENCE, arrived.recv()).await.expect("a message should have arrived").unwrap()
    }

    /// Waits for the next message.
    pub(super) async fn next(&self) -> Value {
        serde_json::from_str(&self.request().await.body).unwrap()
    }

    /// Returns whether nothing has arrived that was not asked for.
    pub(super) async fn is_quiet(&self) -> bool {
        self.arrived.lock().await.is_empty()
    }
}

async fn taken(stream: TcpStream, tell: UnboundedSender<Arrived>, refusing: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut headers, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            let line = line.to_ascii_lowercase();
            if let Some(number) = line.strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
            headers.push_str(&line);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let less = |left: usize| left.checked_sub(1);
        let refused = refusing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        let answer = if refused { "503 Service Unavailable" } else { "204 No Content" };
        let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
        let _ = tell.send(Arrived { headers, body: String::from_utf8(body).unwrap() });
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A server that takes e-mail, in plain text.
#[derive(Debug)]
pub(super) struct MailServer {
    pub(super) url: String,
    arrived: UnboundedReceiver<String>,
}

impl MailServer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let (tell, arrived) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(conversation(stream, tell.clone()));
            }
        });
        Self { url, arrived }
    }

    /// Waits for the next e-mail: all that its sender said.
    pub(super) async fn next(&mut self) -> String {
        timeout(PATIENCE, self.arrived.recv())
            .await
            .expect("an e-mail should have arrived")
            .unwrap()
    }
}

async fn conversation(stream: TcpStream, tell: UnboundedSender<String>) {
    let mut stream = BufReader::new(stream);
    let (mut said, mut data) = (String::new(), false);
    stream.write_all(b"220 here\r\n").await.unwrap();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        said.push_str(&line);
        let answer = match line.trim_end() {
            "." => {
                data = false;
                let _ = tell.send(std::mem::take(&mut said));
                "250 taken\r\n"
            }
            _ if data => continue,
            "DATA" => {
                data = true;
                "354 go on\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
