//! Compiles the `.proto` files without protoc: protox parses them, tonic-prost-build generates the Rust code, and the
//! encoded descriptor set is kept for server reflection.

use std::path::PathBuf;

use prost::Message;

/// Every file, each a versioned package of its own.
const PROTO_FILES: &[&str] = &[
    "tallystick/receipt/v1/receipt.proto",
    "tallystick/issuer/v1/issuer.proto",
    "tallystick/ledger/v1/ledger.proto",
    "tallystick/peer/v1/peer.proto",
    "tallystick/admin/v1/admin.proto",
    "tallystick/verifier/v1/verifier.proto",
    "tallystick/portal/v1/portal.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=tallystick");
    let descriptors = protox::compile(PROTO_FILES, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("tallystick_descriptor.bin"), descriptors.encode_to_vec())?;
    let mut config = tonic_prost_build::Config::new();
    // By its name a message finds its fields in the descriptors: see `src/strict.rs`.
    config.enable_type_names();
    // `bytes::Bytes` for every bytes field: a batch's records are slices of the request, not copies.
    let builder = tonic_prost_build::configure().bytes(".").codec_path("crate::strict::StrictCodec");
    builder.compile_fds_with_config(descriptors, config)?;
    Ok(())
}
