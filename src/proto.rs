//! Code generated from `proto/`, and the descriptors of the whole API. Written by `build.rs`; never by hand.

use prost_reflect::{DescriptorError, DescriptorPool};

/// Messages, clients and servers of the API. The comments are those of the proto files.
pub mod v1 {
    #![expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::pedantic,
        reason = "generated"
    )]

    tonic::include_proto!("chancery.v1");

    // `Debug` of messages that hold a secret: their name alone.
    include!(concat!(env!("OUT_DIR"), "/redacted.rs"));
}

/// The field rules that the protos are annotated with, as types: what the check of forms is compiled from.
pub mod validate {
    #![expect(clippy::pedantic, reason = "generated")]

    tonic::include_proto!("buf.validate");
}

/// Every file of the API and all that it imports: an encoded `google.protobuf.FileDescriptorSet`, custom options and
/// comments included.
///
/// For reflection, for `chancery descriptor`, and for the layers, which read rules and field rules from it.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("chancery");

/// [`DESCRIPTORS`] as something to walk. Decoding takes milliseconds: do it once, at start.
///
/// Fails only if the embedded bytes are not what `build.rs` wrote.
pub fn pool() -> Result<DescriptorPool, DescriptorError> {
    DescriptorPool::decode(DESCRIPTORS)
}
