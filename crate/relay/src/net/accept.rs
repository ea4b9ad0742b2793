//! Turns an accepted TCP connection into an HTTP connection.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tracing::debug;

use super::door::Comer;
use super::server::HttpServer;

/// The longest request with its headers. Tokens are not among them: they travel in frames.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// How long whoever has shown a good token may take to read the answer.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// Silence after which the operating system probes whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Serves HTTP on a connection, in a task of its own. A WebSocket handshake takes the connection over.
pub fn accept(stream: TcpStream, server: Arc<HttpServer>) {
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
    if let Err(error) = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive)) {
        return debug!(%error, "a connection was gone at once");
    }
    let comer = Arc::new(server.context.door.come());
    let (wait, local) = (server.context.comer_wait, stream.local_addr().ok());
    let at_door = comer.clone();
    let service = service_fn(move |request| server.clone().answer(request, local, at_door.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(wait)
        .max_buf_size(REQUEST_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::spawn(async move {
        tokio::select! {
            done = connection => if let Err(error) = done {
                debug!(%error, "a request failed");
            },
            () = overdue(&comer, wait) => debug!("a client took too long, or had to go before it was answered"),
        }
    });
}

/// Waits until a client has had all the time there is for a request and its answer.
async fn overdue(comer: &Comer, wait: Duration) {
    tokio::select! {
        () = sleep(wait) => {}
        () = comer.shown_out() => {}
        () = comer.came_in() => sleep(ANSWER_WAIT).await,
    }
}
