//! Protos that are compiled in a test, and messages that are written by hand.

use prost_reflect::DescriptorPool;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

/// The rules in use, with the names and numbers of their public definition.
const VALIDATE: &str = r#"
    syntax = "proto2";
    package buf.validate;
    import "google/protobuf/descriptor.proto";
    extend google.protobuf.FieldOptions { optional FieldRules field = 1159; }
    extend google.protobuf.MessageOptions { optional MessageRules message = 1159; }
    extend google.protobuf.OneofOptions { optional OneofRules oneof = 1159; }
    message MessageRules { optional bool disabled = 1; }
    message OneofRules { optional bool required = 1; }
    enum Ignore { IGNORE_UNSPECIFIED = 0; IGNORE_IF_ZERO_VALUE = 1; IGNORE_ALWAYS = 3; }
    message FieldRules {
        optional bool required = 25;
        optional Ignore ignore = 27;
        oneof type {
            Int32Rules int32 = 3; Int64Rules int64 = 4; UInt32Rules uint32 = 5; UInt64Rules uint64 = 6;
            StringRules string = 14; BytesRules bytes = 15; EnumRules enum = 16; RepeatedRules repeated = 18;
        }
    }
    message Int32Rules { optional int32 lt = 2; optional int32 lte = 3; optional int32 gt = 4; optional int32 gte = 5; }
    message Int64Rules { optional int64 lt = 2; optional int64 lte = 3; optional int64 gt = 4; optional int64 gte = 5; }
    message UInt32Rules { optional uint32 lt = 2; optional uint32 lte = 3; optional uint32 gt = 4; optional uint32 gte = 5; }
    message UInt64Rules { optional uint64 lt = 2; optional uint64 lte = 3; optional uint64 gt = 4; optional uint64 gte = 5; }
    message StringRules {
        optional string const = 1; optional uint64 min_len = 2; optional uint64 max_len = 3;
        optional uint64 min_bytes = 4; optional uint64 max_bytes = 5; optional string pattern = 6;
        optional string prefix = 7; repeated string in = 10; optional bool email = 12;
        optional bool ip = 14; optional bool uuid = 22;
    }
    message BytesRules { optional uint64 min_len = 2; optional uint64 max_len = 3; }
    message EnumRules { optional bool defined_only = 2; }
    message RepeatedRules {
        optional uint64 min_items = 1; optional uint64 max_items = 2; optional bool unique = 3;
        optional FieldRules items = 4;
    }
"#;

struct Sources(Vec<(&'static str, String)>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// [`pool`], with another definition of the rules.
pub(super) fn pool_with(validate: &str, source: &str) -> DescriptorPool {
    let head = r#"
        syntax = "proto3";
        package test.v1;
        import "buf/validate/validate.proto";
        import "google/protobuf/field_mask.proto";
        import "google/protobuf/struct.proto";
        import "google/protobuf/timestamp.proto";
        service Service { rpc Call(Ask) returns (Answer); }
        message Answer {}
    "#;
    let mut resolver = ChainFileResolver::new();
    resolver.add(Sources(vec![
        ("buf/validate/validate.proto", validate.to_owned()),
        ("test.proto", format!("{head}{source}")),
    ]));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("test.proto").unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

/// A pool with the service `test.v1.Service`, whose one method `Call` takes an `Ask`.
pub(super) fn pool(source: &str) -> DescriptorPool {
    pool_with(VALIDATE, source)
}

/// The path of the method in [`pool`].
pub(super) const CALL: &str = "/test.v1.Service/Call";

/// Field `number` with a varint.
pub(super) fn number(number: u32, value: u64) -> Vec<u8> {
    let mut bytes = varint(u64::from(number) << 3);
    bytes.extend(varint(value));
    bytes
}

/// Field `number` with bytes, text or a message.
pub(super) fn bytes(number: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let mut bytes = varint(u64::from(number) << 3 | 2);
    bytes.extend(varint(u64::try_from(value.len()).unwrap()));
    bytes.extend(value);
    bytes
}

/// `value` as a varint, the shortest.
pub(super) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}
