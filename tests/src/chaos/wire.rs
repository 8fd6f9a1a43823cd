//! The wire between sloburn and PostgreSQL, which can be cut exactly at a commit: then sloburn does not know whether
//! it happened, and this does.

use std::collections::HashMap;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long PostgreSQL keeps the session of a wire that went silent: as its keepalives do.
const UNNOTICED: Duration = Duration::from_secs(25);

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It does not reach the server: nothing of the transaction is kept.
    Unsent,
    /// The connection ends before the answer: all of it is kept.
    Unanswered,
    /// The same without an end: nothing more is heard from the server.
    Silent,
}

/// A commit to be cut: the next one of a transaction with such a statement.
#[derive(Debug, Clone, Copy)]
struct Planned {
    statement: &'static str,
    cut: Cut,
}

type Plan = Arc<Mutex<Option<Planned>>>;

/// A proxy before a PostgreSQL server; ends when dropped.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    plan: Plan,
    _connections: JoinSet<()>,
}

impl Wire {
    /// A wire to `server` that carries everything.
    pub async fn start(server: SocketAddr) -> Result<Wire> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let plan = Plan::default();
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, server, Arc::clone(&plan)));
        Ok(Wire {
            address,
            plan,
            _connections: connections,
        })
    }

    /// The URL of `database` at its near end.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://sloburn@{}/{database}?sslmode=disable",
            self.address
        )
    }

    /// Cuts the next commit of a transaction with a statement that begins like this.
    pub fn cut(&self, statement: &'static str, cut: Cut) {
        *locked(&self.plan) = Some(Planned { statement, cut });
    }

    /// Whether what was planned is done.
    pub fn is_cut(&self) -> bool {
        locked(&self.plan).is_none()
    }
}

fn locked(plan: &Plan) -> std::sync::MutexGuard<'_, Option<Planned>> {
    plan.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, server: SocketAddr, plan: Plan) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let plan = Arc::clone(&plan);
        connections.spawn(async move { drop(carry(client, server, &plan).await) });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(mut client: TcpStream, address: SocketAddr, plan: &Plan) -> Result<()> {
    let mut server = TcpStream::connect(address).await?;
    let mut session = Session::default();
    let (mut asked, mut answer) = (Vec::new(), vec![0; 16384]);
    loop {
        tokio::select! {
            read = client.read_buf(&mut asked) => {
                if read? == 0 {
                    return Ok(());
                }
                while let Some(message) = session.take(&mut asked) {
                    if let Some(planned) = due(plan, &session.committed_by(&message)) {
                        return strike(planned, plan, client, server, &message).await;
                    }
                    server.write_all(&message).await?;
                }
            }
            read = server.read(&mut answer) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                client.write_all(&answer[..read]).await?;
            }
        }
    }
}

/// What is planned for the commit of these statements; then it is planned no more.
fn due(plan: &Plan, ran: &[String]) -> Option<Planned> {
    locked(plan).take_if(|planned| ran.iter().any(|sql| sql.starts_with(planned.statement)))
}

async fn strike(
    planned: Planned,
    plan: &Plan,
    mut client: TcpStream,
    mut server: TcpStream,
    commit: &[u8],
) -> Result<()> {
    if planned.cut == Cut::Unsent {
        return Ok(());
    }
    server.write_all(commit).await?;
    if !committed(&mut server).await? {
        // Refused for a reason of its own: the next one, then.
        *locked(plan) = Some(planned);
        return Ok(());
    }
    if planned.cut == Cut::Silent {
        let mut rest = vec![0; 16384];
        let hears = async { while client.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
        drop(timeout(UNNOTICED, hears).await);
    }
    Ok(())
}

/// Reads the server's answer to its end: whether it tells no error.
async fn committed(server: &mut TcpStream) -> Result<bool> {
    let mut sound = true;
    let mut answered = Vec::new();
    loop {
        while let Some(length) = length(&answered, 1) {
            match answered.drain(..length).next() {
                Some(b'E') => sound = false,
                Some(b'Z') => return Ok(sound),
                _ => {}
            }
        }
        if server.read_buf(&mut answered).await? == 0 {
            return Err(Error::other("the server ended"));
        }
    }
}

/// Length of the first message, whose length field (which counts itself) is behind `tag` bytes; none if it is not
/// whole.
fn length(bytes: &[u8], tag: usize) -> Option<usize> {
    let field = bytes.get(tag..tag + 4)?.try_into().ok()?;
    let whole = tag + usize::try_from(u32::from_be_bytes(field)).ok()?;
    (bytes.len() >= whole).then_some(whole)
}

/// What a client has said, as far as it tells which message commits what.
#[derive(Debug, Default)]
struct Session {
    /// The start-up message, which has no tag, is through.
    started: bool,
    /// Prepared statements by name.
    prepared: HashMap<Vec<u8>, String>,
    in_transaction: bool,
    /// Statements of the transaction.
    ran: Vec<String>,
}

impl Session {
    /// The first message, when it is whole.
    fn take(&mut self, asked: &mut Vec<u8>) -> Option<Vec<u8>> {
        let length = length(asked, usize::from(self.started))?;
        Some(asked.drain(..length).collect())
    }

    /// The statements that a message makes the server commit.
    fn committed_by(&mut self, message: &[u8]) -> Vec<String> {
        if !std::mem::replace(&mut self.started, true) {
            return Vec::new();
        }
        let body = &message[5..];
        match message[0] {
            b'Q' => match text(body).0.as_str() {
                "begin" => self.in_transaction = true,
                "commit" => {
                    self.in_transaction = false;
                    return std::mem::take(&mut self.ran);
                }
                "rollback" => {
                    self.in_transaction = false;
                    self.ran.clear();
                }
                _ => {}
            },
            b'P' => {
                let (name, rest) = text(body);
                self.prepared.insert(name.into_bytes(), text(rest).0);
            }
            b'B' => {
                let (_, rest) = text(body);
                let sql = self.prepared.get(text(rest).0.as_bytes());
                self.ran.extend(sql.cloned());
            }
            // Behind a statement that is a transaction by itself.
            b'S' if !self.in_transaction => return std::mem::take(&mut self.ran),
            _ => {}
        }
        Vec::new()
    }
}

/// The text up to the first NUL, and what is behind it.
fn text(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0);
    let end = end.unwrap_or(bytes.len());
    let rest = bytes.get(end + 1..).unwrap_or_default();
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), rest)
}
