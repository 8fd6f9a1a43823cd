//! A network that loses answers: stands between senders and sloburn, and does to each connection what chance says.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::chaos::load::Target;

/// Longer than a sender's patience.
const TOO_LATE: Duration = Duration::from_secs(4);

/// What is done to one connection.
#[derive(Debug, Clone, Copy)]
enum Trick {
    /// Nothing.
    Pass,
    /// The answer is lost, all of it: what was asked is done.
    LoseAnswer,
    /// The answer is cut after so many bytes.
    CutAnswer(usize),
    /// The request is cut after so many bytes.
    CutRequest(usize),
    /// The answer comes when nobody waits for it any more.
    Delay,
    /// Every byte goes to the server twice, on two connections at the same moment.
    Duplicate,
}

/// The proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    target: Target,
    _connections: JoinSet<()>,
}

impl Proxy {
    /// A proxy before `server`.
    pub async fn start(server: Target, rng: &mut StdRng) -> Result<Proxy> {
        let mut connections = JoinSet::new();
        let mut front = |listener: TcpListener, server: SocketAddr| {
            let rng = StdRng::seed_from_u64(rng.random());
            connections.spawn(accept(listener, server, rng));
        };
        let (grpc, http) = (
            TcpListener::bind(("127.0.0.1", 0)).await?,
            TcpListener::bind(("127.0.0.1", 0)).await?,
        );
        let target = Target {
            grpc: grpc.local_addr()?,
            http: http.local_addr()?,
        };
        front(grpc, server.grpc);
        front(http, server.http);
        Ok(Proxy {
            target,
            _connections: connections,
        })
    }

    /// Where to send to.
    pub fn target(&self) -> Target {
        self.target
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, mut rng: StdRng) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        let trick = match rng.random_range(0..12) {
            0 | 1 => Trick::LoseAnswer,
            2 => Trick::CutAnswer(rng.random_range(1..200)),
            3 => Trick::CutRequest(rng.random_range(1..600)),
            4 => Trick::Delay,
            5 | 6 => Trick::Duplicate,
            _ => Trick::Pass,
        };
        connections.spawn(async move { drop(carry(client, server, trick).await) });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, trick: Trick) -> std::io::Result<()> {
    let mut server_side = TcpStream::connect(server).await?;
    let mut twin = match trick {
        Trick::Duplicate => Some(TcpStream::connect(server).await?),
        _ => None,
    };
    let (mut asked, mut answered) = (0, 0);
    let (mut up, mut down, mut ignored) = (vec![0; 16384], vec![0; 16384], vec![0; 16384]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let mut read = read?;
                if let Trick::CutRequest(after) = trick {
                    read = read.min(after.saturating_sub(asked));
                }
                if read == 0 {
                    return Ok(());
                }
                asked += read;
                server_side.write_all(&up[..read]).await?;
                if let Some(twin) = &mut twin {
                    twin.write_all(&up[..read]).await?;
                }
            }
            read = server_side.read(&mut down) => {
                let mut read = read?;
                match trick {
                    // HTTP/2 begins with settings: an answer is what comes after the request went.
                    Trick::LoseAnswer if asked > 100 => return finish(server_side).await,
                    Trick::CutAnswer(after) => read = read.min(after.saturating_sub(answered)),
                    Trick::Delay if asked > 100 => sleep(TOO_LATE).await,
                    _ => {}
                }
                if read == 0 {
                    return Ok(());
                }
                answered += read;
                client.write_all(&down[..read]).await?;
            }
            read = read_some(twin.as_mut(), &mut ignored) => {
                if read? == 0 {
                    twin = None;
                }
            }
        }
    }
}

/// The sender sees its connection end; the server may finish what it was asked.
async fn finish(mut server: TcpStream) -> std::io::Result<()> {
    let mut rest = vec![0; 16384];
    let end = async { while server.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    drop(tokio::time::timeout(Duration::from_secs(1), end).await);
    Ok(())
}

async fn read_some(from: Option<&mut TcpStream>, into: &mut [u8]) -> std::io::Result<usize> {
    match from {
        Some(from) => from.read(into).await,
        None => std::future::pending().await,
    }
}
