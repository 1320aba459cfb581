//! HTTP to a server that may be slow, broken or hostile.
//!
//! Every request has its own thread, which only talks to the network and passes on what arrives; the
//! caller's thread writes files. So cancelling takes effect at once, whatever the network is doing,
//! and an abandoned request can only keep reading until its own timeouts end it.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ureq::http::Response;
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

use super::address::Address;
use crate::cancel::Cancel;

/// The interval at which the cancel flag is polled.
const TICK: Duration = Duration::from_millis(50);

/// The largest part of a body that is passed on at once; at most four of them are queued.
const CHUNK: usize = 64 << 10;

/// The most redirects to follow.
const HOPS: usize = 5;

/// A transfer below this rate, in bytes per second, for the stall timeout counts as stalled.
const MIN_RATE: u64 = 1 << 10;

/// The longest a download may take.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// State shared by all requests of a run.
pub(super) struct Client {
    agent: Agent,
    endpoint: Address,
    token: Option<String>,
    cancel: Cancel,
    answer: Duration,
    stall: Duration,
}

/// Why there is no answer, or no more of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    Cancelled,
    /// No connection, or a broken one.
    Unreachable {
        server: String,
        reason: String,
    },
    /// The server doesn't speak HTTP.
    Senseless {
        server: String,
    },
    /// A redirect that must not be followed.
    Redirect(String),
    /// The body stopped before its end.
    BrokeOff(String),
}

/// The head of an answer: its status and the relevant headers.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(super) fn new(status: u16, headers: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            status,
            headers: headers.into_iter().collect(),
        }
    }

    /// The first header with this lower-case name whose value is text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// The head of one hop on the way to an answer.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub head: Head,
    /// Whether the hub itself answered, or a server that it redirects to.
    pub of_hub: bool,
}

/// An answer: its head, and its body as it arrives.
pub(super) struct Answer<'c> {
    pub head: Head,
    /// The heads of the redirects and of the answer itself, in order.
    pub hops: Vec<Hop>,
    client: &'c Client,
    events: Receiver<Event>,
    /// The time waited and the bytes received since the rate was last checked.
    waited: Duration,
    arrived: u64,
    deadline: Instant,
}

enum Event {
    Head(Head),
    Chunk(Vec<u8>),
    End,
    Senseless,
    Failed(String),
}

impl Client {
    pub(super) fn new(
        endpoint: Address,
        token: Option<String>,
        cancel: Cancel,
        answer: Duration,
        stall: Duration,
    ) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(answer))
            .timeout_connect(Some(answer))
            .timeout_recv_response(Some(answer))
            // The caller's thread reports a stall first; this ends the thread behind it.
            .timeout_per_read(Some(2 * stall))
            .user_agent(concat!("avec/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.new_agent(),
            endpoint,
            token,
            cancel,
            answer,
            stall,
        }
    }

    pub(super) fn endpoint(&self) -> &Address {
        &self.endpoint
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Asks the endpoint for a path, follows redirects, and gives back the answer, whatever its
    /// status. `range` is a `Range` header's value; the time for the body goes by `length`.
    pub(super) fn get(
        &self,
        path: &str,
        range: Option<&str>,
        length: u64,
    ) -> Result<Answer<'_>, Trouble> {
        let mut address = self.endpoint.join_path(path);
        let mut hops = Vec::new();
        loop {
            let (head, events) = self.request(&address, range)?;
            hops.push(Hop {
                head: head.clone(),
                of_hub: address.origin() == self.endpoint.origin(),
            });
            if !matches!(head.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(Answer {
                    head,
                    hops,
                    client: self,
                    events,
                    waited: Duration::ZERO,
                    arrived: 0,
                    deadline: self.deadline(length),
                });
            }
            if hops.len() > HOPS {
                return Err(Trouble::Redirect(
                    "its redirects don't come to an end".into(),
                ));
            }
            address = head
                .get("location")
                .ok_or("a redirect leads nowhere")
                .and_then(|location| address.redirected(location))
                .map_err(|reason| Trouble::Redirect(reason.into()))?;
        }
    }

    /// When a body of this length must be here.
    fn deadline(&self, length: u64) -> Instant {
        let slowest = Duration::from_secs(length / (8 * MIN_RATE)).min(LONGEST);
        Instant::now() + 6 * self.stall + slowest
    }

    /// Sends one request and reads the head of its answer.
    fn request(
        &self,
        address: &Address,
        range: Option<&str>,
    ) -> Result<(Head, Receiver<Event>), Trouble> {
        let mut request = self
            .agent
            .get(address.as_str())
            .header("accept-encoding", "identity");
        if let Some(range) = range {
            request = request.header("range", range);
        }
        // The token is for the hub, and for no server that it redirects to.
        if let Some(token) = &self.token
            && address.origin() == self.endpoint.origin()
        {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (sender, events) = sync_channel(4);
        let work = move || transfer(request, &sender);
        let spawned = std::thread::Builder::new()
            .name("download".into())
            .spawn(work);
        let server = || address.origin().to_owned();
        if let Err(error) = spawned {
            return Err(Trouble::Unreachable {
                server: server(),
                reason: format!("no thread can be started: {error}"),
            });
        }
        // Three phases, each with its own limit: name, connection, answer.
        let end = Instant::now() + 3 * self.answer;
        match self.wait(&events, end)? {
            Some(Event::Head(head)) => Ok((head, events)),
            Some(Event::Failed(reason)) => Err(Trouble::Unreachable {
                server: server(),
                reason,
            }),
            Some(Event::Senseless) => Err(Trouble::Senseless { server: server() }),
            Some(Event::Chunk(_) | Event::End) => Err(Trouble::Unreachable {
                server: server(),
                reason: "it gives no answer".into(),
            }),
            None => Err(Trouble::Unreachable {
                server: server(),
                reason: format!("no answer within {} s", 3 * self.answer.as_secs()),
            }),
        }
    }

    /// The next event, or `None` at `end`.
    fn wait(&self, events: &Receiver<Event>, end: Instant) -> Result<Option<Event>, Trouble> {
        loop {
            if self.cancel.is_raised() {
                return Err(Trouble::Cancelled);
            }
            let left = end.saturating_duration_since(Instant::now());
            match events.recv_timeout(left.min(TICK)) {
                Ok(event) => return Ok(Some(event)),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Some(Event::Failed("the connection was given up".into())));
                }
            }
        }
    }
}

impl Answer<'_> {
    /// The next part of the body, which may be empty; `None` at its end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let stall = self.client.stall;
        let started = Instant::now();
        let end = (started + stall.saturating_sub(self.waited)).min(self.deadline);
        let event = self.client.wait(&self.events, end)?;
        self.waited += started.elapsed();
        let chunk = match event {
            Some(Event::Chunk(chunk)) => chunk,
            Some(Event::End) => return Ok(None),
            Some(Event::Failed(reason)) => return Err(Trouble::BrokeOff(reason)),
            // These only come before a body; otherwise nothing arrived.
            Some(Event::Head(_) | Event::Senseless) | None => Vec::new(),
        };
        self.arrived += chunk.len() as u64;
        if Instant::now() >= self.deadline {
            return Err(Trouble::BrokeOff("it takes too long".into()));
        }
        if self.waited >= stall {
            if self.arrived < MIN_RATE * stall.as_secs() {
                return Err(Trouble::BrokeOff(format!(
                    "{} arrived in {} s",
                    crate::error::bytes(self.arrived),
                    stall.as_secs()
                )));
            }
            self.waited = Duration::ZERO;
            self.arrived = 0;
        }
        Ok(Some(chunk))
    }

    /// The whole body, if it is at most `most` bytes long.
    pub(super) fn body(&mut self, most: u64) -> Result<Vec<u8>, Trouble> {
        let mut body = Vec::new();
        while let Some(chunk) = self.next()? {
            if (body.len() + chunk.len()) as u64 > most {
                return Err(Trouble::BrokeOff("the answer is too long".into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Talks to the network, on a thread of its own, until the caller has gone.
fn transfer(request: RequestBuilder<WithoutBody>, sender: &SyncSender<Event>) {
    // Sending fails once the receiver is gone, and then there is nothing left to do.
    let _ = match request.call() {
        Ok(response) => hand_on(response, sender),
        Err(ureq::Error::Protocol(_) | ureq::Error::Http(_)) => sender.send(Event::Senseless),
        Err(error) => sender.send(Event::Failed(reason(&error))),
    };
}

fn hand_on(response: Response<Body>, sender: &SyncSender<Event>) -> Result<(), SendError<Event>> {
    let headers = response.headers().iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    sender.send(Event::Head(Head::new(response.status().as_u16(), headers)))?;
    let mut reader = response.into_body().into_reader();
    loop {
        let mut chunk = vec![0; CHUNK];
        match reader.read(&mut chunk) {
            Ok(0) => return sender.send(Event::End),
            Ok(n) => {
                chunk.truncate(n);
                sender.send(Event::Chunk(chunk))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return sender.send(Event::Failed(io_reason(&error))),
        }
    }
}

/// Why a request failed, in words that contain nothing a server could have sent to a terminal.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => io_reason(error),
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::HostNotFound => "there is no server of this name".into(),
        ureq::Error::ConnectionFailed => "no connection can be made".into(),
        other => printable(&other.to_string()),
    }
}

fn io_reason(error: &std::io::Error) -> String {
    // "Connection refused (os error 111)": the number helps nobody.
    let text = error.to_string();
    printable(text.split(" (os error").next().unwrap_or(&text))
}

fn printable(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(200).collect()
}
