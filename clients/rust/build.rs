//! Generates the contract from the protos of this repository.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let compiler = protoc_bin_vendored::protoc_bin_path()?;
    // Read by prost-build; nothing else runs yet in this process.
    unsafe { std::env::set_var("PROTOC", compiler) };
    let protos = "../../protos";
    tonic_prost_build::configure()
        .build_server(false)
        .compile_protos(
            &[
                format!("{protos}/slotline/v1/inference_service.proto"),
                format!("{protos}/slotline/v1/model_service.proto"),
            ],
            &[protos.to_string()],
        )?;
    println!("cargo:rerun-if-changed={protos}/slotline/v1");
    Ok(())
}
