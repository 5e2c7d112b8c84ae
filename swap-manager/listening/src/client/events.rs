//! The stream of events: server-sent events (WHATWG HTML §9.2), read line by line.

use super::connection::{Target, broken};
use super::{ClientError, PATIENCE, runtime, understood};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Incoming;
use serde_json::Value as Json;
use std::time::Duration;
use tokio::runtime::Runtime;

/// No event is longer: a payload is 64 KiB at most, and its octets are written as digits.
const EVENT_MAX: usize = 1 << 20;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number; none for `missed`.
    pub id: Option<u64>,
    /// Its tag, such as `swap.commit`; or `missed`, when we read too slowly.
    pub tag: String,
    /// When, from whom, and what: `at`, `source`, `payload`; of `missed` the `count`.
    pub data: Json,
}

/// Events as they happen.
pub struct Events {
    runtime: Runtime,
    body: Incoming,
    read: Vec<u8>,
}

impl Events {
    pub(super) fn open(
        target: &Target,
        tag: Option<&str>,
        since: Option<u64>,
    ) -> Result<Self, ClientError> {
        let runtime = runtime()?;
        let mut path = "/v1/events".to_owned();
        let tag = tag.map(|tag| format!("tag={tag}"));
        let since = since.map(|since| format!("since={since}"));
        for (i, part) in tag.into_iter().chain(since).enumerate() {
            path.push(if i == 0 { '?' } else { '&' });
            path.push_str(&part);
        }
        let request = Request::builder().uri(&path).header("host", "service");
        let request = request
            .body(Full::default())
            .map_err(|why| ClientError::Unusable { what: path, why: why.to_string() })?;
        let opened = async {
            let answer = target.send(request).await?;
            let status = answer.status().as_u16();
            if status == 200 {
                return Ok(answer.into_body());
            }
            let octets = answer.into_body().collect().await.map_err(|why| broken(&why))?;
            understood(status, &octets.to_bytes())?;
            Err(ClientError::Broken(format!("status {status} instead of events")))
        };
        let body = runtime
            .block_on(async { tokio::time::timeout(PATIENCE, opened).await })
            .map_err(|_| ClientError::TooSlow(PATIENCE))??;
        Ok(Events { runtime, body, read: Vec::new() })
    }

    /// The next event, if it comes within this time.
    ///
    /// # Errors
    /// The stream ended: the service stops, or the connection broke.
    pub fn next_within(&mut self, time: Duration) -> Result<Option<Event>, ClientError> {
        let Events { runtime, body, read } = self;
        let next = next(body, read);
        match runtime.block_on(async { tokio::time::timeout(time, next).await }) {
            Ok(event) => event.map(Some),
            Err(_) => Ok(None),
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event, ClientError>;

    /// Waits for the next event. After an error there is none.
    fn next(&mut self) -> Option<Self::Item> {
        let Events { runtime, body, read } = self;
        Some(runtime.block_on(next(body, read)))
    }
}

/// What was read stays in `read` when nobody waits for this any more.
async fn next(body: &mut Incoming, read: &mut Vec<u8>) -> Result<Event, ClientError> {
    loop {
        while let Some(end) = read.windows(2).position(|octets| octets == b"\n\n") {
            let block: Vec<u8> = read.drain(..end + 2).collect();
            if let Some(event) = event(&block)? {
                return Ok(event);
            }
        }
        if read.len() > EVENT_MAX {
            return Err(ClientError::Broken("an event without an end".into()));
        }
        let frame = body.frame().await;
        let frame = frame.ok_or_else(|| ClientError::Broken("the stream ended".into()))?;
        if let Some(octets) = frame.map_err(|why| broken(&why))?.data_ref() {
            read.extend_from_slice(octets);
        }
    }
}

/// The event in a block of lines; none in a comment.
fn event(block: &[u8]) -> Result<Option<Event>, ClientError> {
    let unreadable = |why: String| ClientError::Broken(format!("an event that is none: {why}"));
    let text = std::str::from_utf8(block).map_err(|why| unreadable(why.to_string()))?;
    let (mut id, mut tag, mut data) = (None, String::new(), String::new());
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => id = value.parse().ok(),
            "event" => value.clone_into(&mut tag),
            "data" => data.push_str(value),
            _ => {}
        }
    }
    if data.is_empty() {
        return Ok(None);
    }
    let data = serde_json::from_str(&data).map_err(|why| unreadable(why.to_string()))?;
    Ok(Some(Event { id, tag, data }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_events_and_comments_are_not() {
        let block = b"id: 7\nevent: swap.commit\ndata: {\"at\":\"now\"}\n\n";
        let found = event(block).unwrap().unwrap();
        assert_eq!((found.id, found.tag.as_str()), (Some(7), "swap.commit"));
        assert_eq!(found.data["at"], "now");
        assert_eq!(event(b":\n\n").unwrap(), None);
        assert!(matches!(event(b"data: {\n\n"), Err(ClientError::Broken(_))));
        assert!(matches!(event(b"data: \xff\n\n"), Err(ClientError::Broken(_))));
    }
}
