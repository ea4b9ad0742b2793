//! How the demo's page kills, revives and wipes regions: a little HTTP on a loopback port, for that page alone. Whatever other
//! page the browser shows can reach this port too, so the origin and the host of each request are checked.
//!
//! ```text
//! GET  /regions               [{"region":"eu","url":"ws://127.0.0.1:7701","up":true,"ways":{"us":"ws://…", …}}, …]
//! POST /regions/NAME/kill     the same, afterwards
//! POST /regions/NAME/revive   the same, afterwards
//! POST /regions/NAME/wipe     the same, afterwards
//! ```
//!
//! `ways` are the region's addresses for who is in each region.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::regions::{Region, Regions};
use crate::base::run::say;

const HEAD_BYTES_MAX: usize = 8 * 1024;
const HEAD_MAX: Duration = Duration::from_secs(2);

/// Answers the page of that origin, as long as this process lives.
pub fn serve(listener: TcpListener, page: String, regions: Arc<Regions>) {
    let host = listener.local_addr().expect("it listens").to_string();
    let control = Arc::new(Control { page, host, regions });
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let control = Arc::clone(&control);
            // Whoever goes away unanswered has no need of the answer.
            thread::spawn(move || control.talk(stream).ok());
        }
    });
}

struct Control {
    page: String,
    host: String,
    regions: Arc<Regions>,
}

impl Control {
    fn talk(&self, mut stream: TcpStream) -> io::Result<()> {
        let head = read_head(&mut stream)?;
        let Answer(status, body) = match head.as_deref().and_then(Request::parse) {
            Some(request) => self.answer(&request),
            None => Answer("400 Bad Request", String::new()),
        };
        let (page, length) = (&self.page, body.len());
        let head = format!(
            "HTTP/1.1 {status}\r\naccess-control-allow-origin: {page}\r\nvary: origin\r\ncache-control: no-store\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all((head + &body).as_bytes())?;
        stream.shutdown(Shutdown::Write)
    }

    fn answer(&self, request: &Request<'_>) -> Answer {
        if request.origin != Some(&self.page) || request.host != self.host {
            return Answer("403 Forbidden", String::new());
        }
        let path: Vec<_> = request.path.split('/').skip(1).collect();
        match (request.method, &path[..]) {
            ("GET", ["regions"]) => Answer("200 OK", self.list()),
            ("POST", ["regions", name, what @ ("kill" | "revive" | "wipe")]) => self.switch(name, what),
            _ => Answer("404 Not Found", String::new()),
        }
    }

    fn switch(&self, name: &str, what: &str) -> Answer {
        let mut regions = self.regions.lock();
        let Some(region) = regions.iter_mut().find(|region| region.name == name) else {
            return Answer("404 Not Found", String::new());
        };
        say(format!("{what} {name}"));
        let done = match what {
            "kill" => {
                region.kill();
                Ok(())
            }
            "wipe" => region.wipe(),
            _ => region.revive(),
        };
        if let Err(error) = done {
            say(format!("{error:#}"));
            return Answer("500 Internal Server Error", String::new());
        }
        drop(regions);
        Answer("200 OK", self.list())
    }

    fn list(&self) -> String {
        let mut regions = self.regions.lock();
        let each: Vec<_> = regions
            .iter_mut()
            .map(|region| {
                let up = region.is_up();
                let ways: Vec<_> =
                    region.ways.iter().map(|(from, url)| format!(r#""{from}":"{url}""#)).collect();
                let Region { name, url, .. } = region;
                format!(r#"{{"region":"{name}","url":"{url}","up":{up},"ways":{{{}}}}}"#, ways.join(","))
            })
            .collect();
        format!("[{}]", each.join(","))
    }
}

/// A status and a body.
struct Answer(&'static str, String);

/// What is read of a request: its body, if it has one, is not.
#[derive(Debug, PartialEq)]
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    host: &'a str,
    origin: Option<&'a str>,
}

impl<'a> Request<'a> {
    fn parse(head: &'a [u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?.split("\r\n");
        let first: Vec<_> = lines.next()?.split(' ').collect();
        let [method, path, "HTTP/1.1"] = first[..] else { return None };
        let (mut host, mut origin) = (None, None);
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let place = match name {
                _ if name.eq_ignore_ascii_case("host") => &mut host,
                _ if name.eq_ignore_ascii_case("origin") => &mut origin,
                _ => continue,
            };
            if place.replace(value.trim()).is_some() {
                return None;
            }
        }
        Some(Self { method, path, host: host?, origin })
    }
}

/// All up to the empty line; nothing if that is not to be had.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let deadline = Instant::now() + HEAD_MAX;
    let mut head = Vec::new();
    let mut some = [0; 1024];
    loop {
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            head.truncate(end + 4);
            return Ok(Some(head));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > HEAD_BYTES_MAX {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut some)? {
            0 => return Ok(None),
            count => head.extend_from_slice(&some[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "http://127.0.0.1:7700";

    #[test]
    fn the_page_alone_is_answered() {
        let answer = |host: Option<&str>, origin: &str| ask("GET /regions HTTP/1.1", host, origin);
        assert!(answer(None, PAGE).starts_with("HTTP/1.1 200 "));
        assert!(answer(None, PAGE).ends_with("\r\n\r\n[]"));
        for foreign in ["http://127.0.0.1:7701", "https://127.0.0.1:7700", "http://elsewhere.example", "null"]
        {
            assert!(answer(None, foreign).starts_with("HTTP/1.1 403 "), "{foreign}");
        }
        // A foreign name that was made to lead to this machine.
        assert!(answer(Some("elsewhere.example"), PAGE).starts_with("HTTP/1.1 403 "));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for line in ["POST /regions/eu/kill HTTP/1.1", "GET / HTTP/1.1", "OPTIONS /regions HTTP/1.1"] {
            assert!(ask(line, None, PAGE).starts_with("HTTP/1.1 404 "), "{line}");
        }
    }

    #[test]
    fn malformed_requests_are_refused() {
        for line in ["", "GET", "GET /regions", "GET /regions HTTP/1.0", "GET /regions HTTP/1.1 x"] {
            assert!(ask(line, None, PAGE).starts_with("HTTP/1.1 400 "), "{line}");
        }
        let twice = b"GET / HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n";
        assert_eq!(Request::parse(twice), None);
        assert_eq!(Request::parse(b"GET / HTTP/1.1\r\n\r\n"), None);
        assert!(ask(&"x".repeat(2 * HEAD_BYTES_MAX), None, PAGE).starts_with("HTTP/1.1 400 "));
    }

    fn ask(line: &str, host: Option<&str>, origin: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        serve(listener, PAGE.to_owned(), Arc::new(Regions::none()));
        let host = host.unwrap_or(&address);
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "{line}\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n").unwrap();
        let mut answer = String::new();
        // What was too long to be read whole makes for a reset once the answer has come.
        let _ = stream.read_to_string(&mut answer);
        answer
    }
}
