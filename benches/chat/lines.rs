//! Bytes on a line: HTTP heads and bodies, WebSocket frames, read with as little work as possible. A thorough client
//! would take more processor time than the server it measures.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Result;

/// A connection and what has come in on it but was not looked at yet.
pub struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    taken: usize,
}

/// A frame's kind and where its payload lies in the buffer.
struct Frame {
    opcode: u8,
    start: usize,
    end: usize,
}

impl Line {
    /// Connects, without Nagle's delay.
    pub async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
            taken: 0,
        })
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads an answer's head, up to and without the empty line.
    pub async fn head(&mut self) -> Result<String> {
        loop {
            let waiting = &self.buffer[self.taken..];
            if let Some(end) = waiting.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&waiting[..end]).into_owned();
                self.taken += end + 4;
                return Ok(head);
            }
            self.read().await?;
        }
    }

    /// Reads so many bytes of body.
    pub async fn body(&mut self, length: usize) -> Result<&[u8]> {
        while self.buffer.len() - self.taken < length {
            self.read().await?;
        }
        self.taken += length;
        Ok(&self.buffer[self.taken - length..self.taken])
    }

    /// Sends a text frame, masked by zeros.
    pub async fn send_text(&mut self, text: &str) -> Result<()> {
        let length = u16::try_from(text.len())?;
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.send(&frame).await
    }

    /// Waits for the next text frame; pings are answered with what they bear, as browsers do: that is a receipt.
    pub async fn text(&mut self) -> Result<&[u8]> {
        loop {
            match self.frame() {
                Some(Frame {
                    opcode: 1,
                    start,
                    end,
                }) => return Ok(&self.buffer[start..end]),
                Some(Frame {
                    opcode: 9,
                    start,
                    end,
                }) => {
                    let mut pong = vec![0x8A, 0x80 | (end - start) as u8, 0, 0, 0, 0];
                    pong.extend(&self.buffer[start..end]);
                    self.send(&pong).await?;
                }
                Some(Frame {
                    opcode: 8,
                    start,
                    end,
                }) => {
                    let reason = String::from_utf8_lossy(&self.buffer[(start + 2).min(end)..end])
                        .into_owned();
                    return Err(format!("the server closed a live connection: {reason}").into());
                }
                Some(_) => {}
                None => self.read().await?,
            }
        }
    }

    /// Takes a whole frame off the buffer, if there is one. Servers send neither masks nor parts.
    fn frame(&mut self) -> Option<Frame> {
        let waiting = &self.buffer[self.taken..];
        let (head, length) = match *waiting.get(1)? {
            126 => (
                4,
                u16::from_be_bytes([*waiting.get(2)?, *waiting.get(3)?]).into(),
            ),
            127 => (
                10,
                u64::from_be_bytes(waiting.get(2..10)?.try_into().ok()?) as usize,
            ),
            length => (2, usize::from(length)),
        };
        if waiting.len() < head + length {
            return None;
        }
        let (opcode, start) = (waiting[0] & 0x0F, self.taken + head);
        self.taken = start + length;
        Some(Frame {
            opcode,
            start,
            end: start + length,
        })
    }

    async fn read(&mut self) -> Result<()> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the server closed a connection".into()),
            _ => Ok(()),
        }
    }
}
