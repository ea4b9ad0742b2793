//! Frames that are being written to a connection.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::websocket::{Header, Opcode};

/// Most pieces that one vectored write takes.
const SLICES: usize = 128;

/// Frames to be written. Payloads are written from where they are, without a copy.
#[derive(Default)]
pub(super) struct SendBuffer {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that were written already.
    written: usize,
}

enum Piece {
    Header(Header),
    Payload(Payload),
}

/// The payload of a frame.
pub(super) enum Payload {
    /// One that several connections send.
    Shared(Arc<[u8]>),
    Owned(Vec<u8>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Header(header) => header.as_ref(),
            Piece::Payload(Payload::Shared(bytes)) => bytes,
            Piece::Payload(Payload::Owned(bytes)) => bytes,
        }
    }
}

impl SendBuffer {
    /// Adds a frame.
    pub(super) fn push(&mut self, opcode: Opcode, payload: Payload) {
        let payload = Piece::Payload(payload);
        let len = payload.bytes().len();
        self.pieces.push_back(Piece::Header(Header::new(opcode, len)));
        if len > 0 {
            self.pieces.push_back(payload);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Writes as much as the connection takes at once, but waits until it takes at least one byte.
    pub(super) async fn write_some(&mut self, stream: &TcpStream) -> io::Result<()> {
        loop {
            stream.writable().await?;
            match self.try_write(stream) {
                Ok(written) => {
                    self.advance(written);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn try_write(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let skipped = if count == 0 { self.written } else { 0 };
            *slice = IoSlice::new(&piece.bytes()[skipped..]);
            count += 1;
        }
        stream.try_write_vectored(&slices[..count])
    }

    fn advance(&mut self, written: usize) {
        self.written += written;
        while let Some(piece) = self.pieces.front() {
            let len = piece.bytes().len();
            if self.written < len {
                break;
            }
            self.written -= len;
            self.pieces.pop_front();
        }
    }
}
