//! Calls by name, with bytes: for tests that walk every method of the descriptors.

use bytes::{Buf as _, BufMut as _, Bytes};
use chancery::proto;
use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage as _, Value};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

use crate::support::As;

/// Passes bytes through as they are.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}

/// Every method of our own services.
pub(crate) fn methods() -> Vec<MethodDescriptor> {
    let pool = proto::pool().unwrap();
    let ours = pool.services().filter(|service| service.full_name().starts_with("chancery."));
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// The path of a method.
pub(crate) fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// Whether a method answers with a stream.
fn streams(of: &str) -> bool {
    methods().iter().any(|method| method.is_server_streaming() && path(method) == of)
}

/// Calls a method with bytes.
pub(crate) async fn call(by: As, path: &str, message: Vec<u8>) -> Result<Bytes, Status> {
    call_with(by, path, Request::new(Bytes::from(message))).await
}

/// Calls a method with a request that has its own headers.
pub(crate) async fn call_with(
    by: As,
    path: &str,
    request: Request<Bytes>,
) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(by);
    client.ready().await.unwrap();
    if streams(path) {
        // Of a stream the first message, which says that it has begun, or why it has not.
        let response = client.server_streaming(request, path.parse().unwrap(), Raw).await?;
        let first = response.into_inner().message().await?;
        return Ok(first.unwrap_or_default());
    }
    let response = client.unary(request, path.parse().unwrap(), Raw).await?;
    Ok(response.into_inner())
}

/// Sets a field by its dotted path, making the messages on the way.
pub(crate) fn set(message: &mut DynamicMessage, path: &str, value: Value) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = message.descriptor().get_field_by_name(name) else { return false };
    match rest {
        None => message.try_set_field(&field, value).is_ok(),
        Some(rest) => match message.get_field_mut(&field) {
            Value::Message(inner) => set(inner, rest, value),
            _ => false,
        },
    }
}
