//! A connection to the relay of another region, for as long as the two have something to say.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eyot_core::frame::CloseCode;
use eyot_core::limits;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tracing::{debug, warn};

use crate::base::{SUBPROTOCOL, TEXT_REFUSED, space_url};
use crate::event::{Event, Happening, LinkRef};
use crate::outbox::{Outbox, Outgoing};
use crate::setup::Setup;

const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long the other side may take nothing of what is written.
const STALL: Duration = Duration::from_secs(30);
/// How long the other side has to answer a close.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
const READ_BYTES: usize = 16 * 1024;
const WRITE_BYTES: usize = 64 * 1024;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a link to the relay at `base` and speaks until one side closes.
pub async fn run(setup: Arc<Setup>, space: Arc<str>, link: LinkRef, base: String, outbox: Arc<Outbox>) {
    let inbox = setup.shards.of(&space);
    let tell = |what| inbox.tell(Event::Link(space.clone(), link, what));
    match timeout(CONNECT_WAIT, connect(&base, &space)).await {
        Ok(Ok(stream)) => {
            tell(Happening::Opened(outbox.clone()));
            let (sink, stream) = stream.split();
            let reading = read(stream, |frame| inbox.receive(&space, link, frame), &tell, &outbox);
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
        Ok(Err(error)) => debug!(base, %error, "a relay of another region can't be reached"),
        Err(_) => debug!(base, "a relay of another region does not answer"),
    }
    tell(Happening::Closed);
}

async fn connect(base: &str, space: &str) -> Result<Stream, Box<Error>> {
    let mut request = space_url(base, space).into_client_request().map_err(Box::new)?;
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(Some(limits::FRAME_BYTES_MAX))
        .max_frame_size(Some(limits::FRAME_BYTES_MAX));
    let (stream, _) = connect_async_with_config(request, Some(config), true).await.map_err(Box::new)?;
    Ok(stream)
}

async fn read<F: Future<Output = ()>>(
    mut stream: SplitStream<Stream>,
    receive: impl Fn(Vec<u8>) -> F,
    tell: &impl Fn(Happening),
    outbox: &Outbox,
) {
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Binary(frame) => receive(frame.into()).await,
            Message::Text(text) if text.as_str() == "pong" => tell(Happening::Ponged),
            Message::Text(_) => {
                outbox.close(CloseCode::Malformed as u16, TEXT_REFUSED);
            }
            Message::Close(Some(CloseFrame { code, reason })) => {
                let code = u16::from(code);
                if code != CloseCode::GoingAway as u16 {
                    warn!(code, reason = reason.as_str(), "a relay of another region closed the link");
                }
            }
            // Pings are answered by the stream.
            _ => {}
        }
    }
}

/// Whether it ended with a close.
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
                    // What is dialled judges nobody, and pongs by itself.
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
