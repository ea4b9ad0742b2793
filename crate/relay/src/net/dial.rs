//! Links that this relay opens to relays of other regions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eyot_core::base::limits::Limits;
use eyot_core::wire::close::CloseCode;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tracing::{debug, warn};

use super::context::ConnectionContext;
use super::peers::{Peer, Peers};
use super::timeouts::{CLOSE_WAIT, STALL};
use crate::base::{PONG, SUBPROTOCOL, TEXT_REFUSED, TOKEN_PREFIX, space_url};
use crate::queues::{DialRequest, Inbox, LinkEvent, Outbox, Outgoing};

/// How long a connection may take to open, with TLS and the WebSocket handshake.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 16 * 1024;
const WRITE_BYTES: usize = 64 * 1024;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Dials what the shards ask for, each link in a task of its own. Runs until no shard is left.
pub async fn run_dialer(mut requests: UnboundedReceiver<DialRequest>, context: Arc<ConnectionContext>) {
    let peers = Peers::default();
    while let Some(request) = requests.recv().await {
        let inbox = context.inboxes.of(&request.space).clone();
        let peer = peers.at(&request.url);
        context.tasks.spawn(dial(request, peer, inbox));
    }
}

/// Opens a link and runs it until one side closes it.
async fn dial(request: DialRequest, peer: Arc<Peer>, inbox: Inbox) {
    let DialRequest { space, link, url, token, outbox } = request;
    let inbox = inbox.of_link(space.clone(), link);
    let push = |event| inbox.push(event);
    let connecting = peer.open(async {
        match timeout(CONNECT_WAIT, connect(&url, &space, token.as_deref())).await {
            Ok(Ok(stream)) => Ok(Some(stream)),
            Ok(Err(error)) => {
                debug!(url, %error, "a relay of another region can't be reached");
                // It has answered, though not as was hoped.
                let is_up = matches!(*error, Error::Http(_));
                if is_up { Ok(None) } else { Err(()) }
            }
            Err(_) => {
                debug!(url, "a relay of another region does not answer");
                Err(())
            }
        }
    });
    let connected = tokio::select! {
        connected = connecting => connected,
        // Nobody wants it any more.
        () = outbox.closed() => Err(()),
    };
    if let Ok(Some(stream)) = connected {
        push(LinkEvent::Opened(outbox.clone(), None));
        let (sink, stream) = stream.split();
        let reading = read(stream, |frame| inbox.push_frame(frame), &push, &outbox);
        let writing = write(sink, &outbox);
        tokio::pin!(reading, writing);
        tokio::select! {
            () = &mut reading => {}
            is_closed = &mut writing => if is_closed {
                let _ = timeout(CLOSE_WAIT, reading).await;
            },
            () = outbox.overflowed() => drop(timeout(CLOSE_WAIT, writing).await),
        }
    }
    push(LinkEvent::Closed);
}

async fn connect(url: &str, space: &str, token: Option<&str>) -> Result<Stream, Box<Error>> {
    let mut request = space_url(url, space).into_client_request().map_err(Box::new)?;
    let offered = match token {
        // For hosts that judge it before they answer the handshake. The greeting has it too.
        Some(token) => format!("{SUBPROTOCOL}, {TOKEN_PREFIX}{token}"),
        None => SUBPROTOCOL.to_owned(),
    };
    let offered =
        HeaderValue::try_from(offered).map_err(|error| Box::new(Error::HttpFormat(error.into())))?;
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, offered);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(Some(Limits::PROTOCOL.frame_bytes_max))
        .max_frame_size(Some(Limits::PROTOCOL.frame_bytes_max));
    let (stream, _) = connect_async_with_config(request, Some(config), true).await.map_err(Box::new)?;
    Ok(stream)
}

async fn read<F: Future<Output = ()>>(
    mut stream: SplitStream<Stream>,
    receive: impl Fn(Vec<u8>) -> F,
    push: &impl Fn(LinkEvent),
    outbox: &Outbox,
) {
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Binary(frame) => receive(frame.into()).await,
            Message::Text(text) if text.as_str() == PONG => push(LinkEvent::Pong),
            Message::Text(_) => {
                outbox.close(CloseCode::Malformed as u16, TEXT_REFUSED);
            }
            Message::Close(Some(CloseFrame { code, reason })) => {
                let code = u16::from(code);
                if code != CloseCode::GoingAway as u16 {
                    warn!(code, reason = reason.as_str(), "a relay of another region closed the link");
                }
            }
            // tungstenite answers pings.
            _ => {}
        }
    }
}

/// Writes until the outbox says to close, or the connection breaks; whether it was closed.
async fn write(mut sink: SplitSink<Stream, Message>, outbox: &Outbox) -> bool {
    loop {
        let mut is_closed = false;
        let batch = outbox.take().await;
        let writing = async {
            for outgoing in batch {
                match outgoing {
                    Outgoing::Frame(frame) => sink.feed(Message::Binary(Bytes::from_owner(frame))).await?,
                    Outgoing::Text(text) => sink.feed(Message::text(text)).await?,
                    Outgoing::Close(code, reason) => {
                        is_closed = true;
                        let frame = CloseFrame { code: code.into(), reason: reason.into() };
                        sink.feed(Message::Close(Some(frame))).await?;
                    }
                    // The side that dials verifies no tokens, and tungstenite sends pongs.
                    Outgoing::Pong(_) | Outgoing::Authorize(_) => {}
                }
            }
            sink.flush().await
        };
        if !matches!(timeout(STALL, writing).await, Ok(Ok(()))) {
            return false;
        }
        if is_closed {
            return true;
        }
    }
}
