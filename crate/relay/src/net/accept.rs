//! Turns an accepted TCP connection into an HTTP connection.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use super::server::HttpServer;

/// The longest request with its headers. Tokens are not among them: they travel in frames.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
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
            done = timeout(wait, connection) => match done {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(%error, "a request failed"),
                Err(_) => debug!("a client took too long to send a request or to read the answer"),
            },
            () = comer.shown_out() => debug!("a client had to go before its request was answered"),
        }
    });
}
