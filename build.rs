//! Compiles `proto/` with a compiler written in Rust, so that no `protoc` has to be installed.
//!
//! Writes to `OUT_DIR`: the generated code, `chancery.bin` (every file of the API with all it imports, as raw bytes) and
//! `redacted.rs` (`Debug` for messages that hold a secret).

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use prost::Message as _;
use protox::prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

const PACKAGE: &str = "chancery.v1";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    // Comments are the API reference that reflection shows, so they stay in the descriptors.
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(ours(Path::new("proto/chancery/v1"))?)?;

    // Raw bytes: a `FileDescriptorSet` of `prost_types` would lose the custom options (rules, paths, field rules).
    let raw = compiler.encode_file_descriptor_set();
    std::fs::write(out.join("chancery.bin"), &raw)?;

    let secret = secretive(&compiler.descriptor_pool());
    std::fs::write(out.join("redacted.rs"), redacted(&secret)?)?;

    let mut files = tonic_prost_build::FileDescriptorSet::decode(raw.as_slice())?;
    // The HTTP annotations are for proxies; nothing here reads them as Rust.
    files.file.retain(|file| file.package() != "google.api");
    tonic_prost_build::configure()
        .skip_debug(secret.iter().map(|message| format!(".{}", message.full_name())))
        .compile_fds(files)?;
    Ok(())
}

/// The proto files of one directory, named as imports name them, in a fixed order.
fn ours(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Our messages with a field marked `debug_redact`.
fn secretive(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    let ours = pool.files().filter(|file| file.package_name() == PACKAGE);
    let messages = ours.flat_map(|file| file.messages().collect::<Vec<_>>());
    messages.filter(|message| message.fields().any(|field| is_redacted(&field.options()))).collect()
}

/// Whether the options of a field mark it as secret.
fn is_redacted(options: &DynamicMessage) -> bool {
    options.get_field_by_name("debug_redact").and_then(|value| value.as_bool()).unwrap_or(false)
}

/// `Debug` that says a message's name and nothing of what it holds, so that no log line can.
fn redacted(messages: &[MessageDescriptor]) -> Result<String, std::fmt::Error> {
    let signature = "fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result";
    let mut code = String::new();
    for name in messages.iter().map(MessageDescriptor::name) {
        writeln!(code, "impl ::core::fmt::Debug for {name} {{")?;
        writeln!(code, "    {signature} {{")?;
        writeln!(code, "        f.debug_struct(\"{name}\").finish_non_exhaustive()")?;
        writeln!(code, "    }}\n}}")?;
    }
    Ok(code)
}
