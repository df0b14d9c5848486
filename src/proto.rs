//! Code generated from `proto/`, and the descriptors of the whole API. Written by `build.rs`; never by hand.

use std::sync::OnceLock;

use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, Value};

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

/// [`DESCRIPTORS`] as something to walk. Decoded once; what is returned shares that.
///
/// Fails only if the embedded bytes are not what `build.rs` wrote.
pub fn pool() -> Result<DescriptorPool, DescriptorError> {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    if let Some(pool) = POOL.get() {
        return Ok(pool.clone());
    }
    let decoded = DescriptorPool::decode(DESCRIPTORS)?;
    Ok(POOL.get_or_init(|| decoded).clone())
}

/// [`DESCRIPTORS`] with the types of error details beside them: what a proxy or a generator of code has to know.
pub fn whole() -> Result<DescriptorPool, DescriptorError> {
    let mut pool = pool()?;
    pool.decode_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)?;
    Ok(pool)
}

/// [`whole`] as Envoy's transcoder takes it: it refuses to start on a path whose answer is one field (`response_body`).
///
/// `None` if the descriptors do not describe themselves, which the build would have to have broken.
pub fn for_envoy(whole: &DescriptorPool) -> Option<DynamicMessage> {
    let set = whole.get_message_by_name("google.protobuf.FileDescriptorSet")?;
    let http = whole.get_extension_by_name("google.api.http")?;
    let mut set = DynamicMessage::decode(set, whole.encode_to_vec().as_slice()).ok()?;
    for file in each(&mut set, "file") {
        for service in each(file, "service") {
            for method in each(service, "method") {
                let options =
                    method.get_field_by_name_mut("options").and_then(Value::as_message_mut);
                let Some(options) = options.filter(|options| options.has_extension(&http)) else {
                    continue;
                };
                if let Some(path) = options.get_extension_mut(&http).as_message_mut() {
                    path.clear_field_by_name("response_body");
                }
            }
        }
    }
    Some(set)
}

/// The messages of a list.
fn each<'m>(
    of: &'m mut DynamicMessage,
    list: &str,
) -> impl Iterator<Item = &'m mut DynamicMessage> {
    let list = of.get_field_by_name_mut(list).and_then(Value::as_list_mut);
    list.into_iter().flatten().filter_map(Value::as_message_mut)
}
