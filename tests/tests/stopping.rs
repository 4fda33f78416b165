//! A server that is told to stop, with people at work on it: whatever looks at `/health/ready` before it sends somebody there loses no
//! request.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use stories::process::Setup;
use testkit::Db;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// What a balancer knows of the server, and what became of the requests it sent there.
#[derive(Default)]
struct Balancer {
    ready: AtomicBool,
    told_to_stop: AtomicBool,
    answered: AtomicU32,
    answered_while_stopping: AtomicU32,
}

async fn ask(address: SocketAddr, path: &str) -> Result<String, String> {
    let asked = async {
        let mut line = TcpStream::connect(address).await?;
        line.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).await?;
        let mut heard = vec![];
        line.read_to_end(&mut heard).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&heard).into_owned())
    };
    match tokio::time::timeout(LONG, asked).await {
        Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 ") => Ok(answer),
        Ok(Ok(answer)) => Err(format!("no answer: {answer:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// Requests one after the other on a connection that is kept as long as the server keeps it.
async fn keep_asking(address: SocketAddr, balancer: &Balancer) -> Result<(), String> {
    let mut kept: Option<TcpStream> = None;
    while balancer.ready.load(Ordering::SeqCst) {
        let told = balancer.told_to_stop.load(Ordering::SeqCst);
        let answer = async {
            let mut line = match kept.take() {
                Some(line) => line,
                None => TcpStream::connect(address).await?,
            };
            line.write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").await?;
            let mut heard = vec![];
            while !heard.ends_with(b"\r\n\r\nlive\n") {
                if line.read_buf(&mut heard).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
            let heard = String::from_utf8_lossy(&heard).to_lowercase();
            let closes = heard.contains("\r\nconnection: close\r\n");
            Ok::<_, std::io::Error>((line, closes))
        };
        let (line, closes) = answer.await.map_err(|error| error.to_string())?;
        kept = (!closes).then_some(line);
        balancer.answered.fetch_add(1, Ordering::SeqCst);
        if told {
            assert!(closes, "an answer that invites another request on this connection");
            balancer.answered_while_stopping.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_a_server_stops_behind_a_balancer_that_heeds_its_readiness() {
    let db = Db::new().await;
    let folder = std::env::temp_dir().join(format!("homestretch-stopping-{}", std::process::id()));
    let setup = Setup::new(&folder, String::new()).await.unwrap();
    // Free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = setup.server("serve", db.url(), address, &[("HOMESTRETCH_DRAIN_SECONDS", "4")]).unwrap();
    let begun = Instant::now();
    while !ask(address, "/health/ready").await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")) {
        assert!(begun.elapsed() < LONG, "{}", std::fs::read_to_string(&server.log).unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let balancer = Arc::new(Balancer::default());
    balancer.ready.store(true, Ordering::SeqCst);
    let mut load = tokio::task::JoinSet::new();
    for at in 0..8 {
        let balancer = balancer.clone();
        load.spawn(async move {
            if at % 2 == 0 {
                return keep_asking(address, &balancer).await;
            }
            while balancer.ready.load(Ordering::SeqCst) {
                let told = balancer.told_to_stop.load(Ordering::SeqCst);
                let answer = ask(address, "/sign-in").await?;
                if !answer.starts_with("HTTP/1.1 200 ") {
                    return Err(answer);
                }
                balancer.answered.fetch_add(1, Ordering::SeqCst);
                balancer.answered_while_stopping.fetch_add(u32::from(told), Ordering::SeqCst);
            }
            Ok(())
        });
    }
    while balancer.answered.load(Ordering::SeqCst) < 100 {
        assert!(begun.elapsed() < LONG, "the load does not come up");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let terminated = tokio::spawn(server.terminate(LONG * 2));
    // The first look that finds it told to stop: at once, while the port is open.
    let told = Instant::now();
    while ask(address, "/health/ready").await.expect("the port is open").starts_with("HTTP/1.1 200 ") {
        assert!(told.elapsed() < Duration::from_secs(3), "it is still ready");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    balancer.told_to_stop.store(true, Ordering::SeqCst);
    // A balancer looks now and then: for a while it still sends people there.
    while balancer.answered_while_stopping.load(Ordering::SeqCst) < 20 {
        assert!(told.elapsed() < Duration::from_secs(3), "nobody is answered any more");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    balancer.ready.store(false, Ordering::SeqCst);
    while let Some(ended) = load.join_next().await {
        ended.unwrap().expect("no request fails");
    }
    assert!(terminated.await.unwrap().unwrap().success());
    assert!(told.elapsed() >= Duration::from_millis(3500), "the port was closed before its time");
    assert!(TcpStream::connect(address).await.is_err(), "and is closed now");
    let _ = std::fs::remove_dir_all(&folder);
}
