//! Streams that are open to everybody: few to a source, and none for ever (`edges.md` §6).

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::Service;

use super::listen::source;
use super::phase::{Phase, Phases};
use crate::layers::status::DOMAIN;

/// Streams at once from one source.
const MOST: usize = 4;
/// A stream ends after this; who still wants it opens the next.
const LONGEST: Duration = Duration::from_mins(15);
/// The methods that are such streams; the others of their services answer once.
const STREAMS: [&str; 2] = ["/Watch", "/ServerReflectionInfo"];

/// How many such streams each source has open.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenStreams(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A stream's place among those of its source. Leaving is dropping.
#[derive(Debug)]
struct Place {
    streams: OpenStreams,
    source: IpAddr,
}

impl OpenStreams {
    fn take(&self, source: IpAddr) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(source).or_default();
        if *count >= MOST {
            return None;
        }
        *count += 1;
        Some(Place { streams: self.clone(), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.source);
            }
        }
    }
}

/// A service whose streams are bounded.
#[derive(Debug, Clone)]
pub(super) struct Open<S> {
    pub(super) service: S,
    pub(super) streams: OpenStreams,
    pub(super) phases: Phases,
}

impl<S: NamedService> NamedService for Open<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Open<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if !STREAMS.iter().any(|name| path.ends_with(name)) {
            return Box::pin(self.service.call(request));
        }
        let peer = request.extensions().get::<TcpConnectInfo>();
        // Without an address, which does not happen on TCP, all share one source.
        let peer = peer.and_then(|info| info.remote_addr).map_or([0; 4].into(), |peer| peer.ip());
        let Some(place) = self.streams.take(source(peer)) else {
            return Box::pin(async { Ok(too_many().into_http()) });
        };
        let phases = self.phases.clone();
        let answer = self.service.call(request);
        Box::pin(async move {
            let end = async move {
                let closing = phases.reached(Phase::Closing);
                let _ = tokio::time::timeout(LONGEST, closing).await;
            };
            let response = answer.await?;
            Ok(response
                .map(|inner| Body::new(Until { inner, end: Some(Box::pin(end)), _place: place })))
        })
    }
}

fn too_many() -> Status {
    let mut details = ErrorDetails::with_error_info("OVERLOADED", DOMAIN, HashMap::new());
    details.set_retry_info(Some(Duration::from_secs(10)));
    let text = "too many streams without a credential from one source";
    Status::with_error_details(Code::ResourceExhausted, text, details)
}

/// A stream that ends when its time is over, in such a way that its reader knows to come again.
struct Until {
    inner: Body,
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _place: Place,
}

impl http_body::Body for Until {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        if end.as_mut().poll(context).is_ready() {
            self.end = None;
            let mut trailers = HeaderMap::new();
            Status::unavailable("the stream has ended: open another").add_header(&mut trailers)?;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if frame.is_none() {
            self.end = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_four_streams_and_gets_them_back() {
        let streams = OpenStreams::default();
        let source: IpAddr = [10, 0, 0, 1].into();
        let held: Vec<_> = (0..MOST).map(|_| streams.take(source)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(streams.take(source).is_none());
        assert!(streams.take([10, 0, 0, 2].into()).is_some());
        drop(held);
        assert!(streams.take(source).is_some());
        assert!(streams.0.lock().unwrap().is_empty());
    }
}
