//! Text as it is generated: `slotline-example [PROMPT]`.
//!
//! `SLOTLINE_TARGET` is the address, 127.0.0.1:50051 without it; `SLOTLINE_API_KEY` a key, if the server demands one.

use std::error::Error;
use std::io::Write;

use slotline::v1::generate_request::Prompt;
use slotline::v1::generate_response::Event;
use slotline::v1::inference_service_client::InferenceServiceClient;
use slotline::v1::{FinishReason, GenerateRequest, SamplingParams, StopParams};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt;

mod slotline {
    pub mod v1 {
        tonic::include_proto!("slotline.v1");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::var("SLOTLINE_TARGET").unwrap_or_else(|_| "127.0.0.1:50051".into());
    let prompt = std::env::args().nth(1).unwrap_or_else(|| "The capital of France is".into());
    let channel = Channel::from_shared(format!("http://{target}"))?.connect().await?;
    let mut client = InferenceServiceClient::new(channel).max_decoding_message_size(usize::MAX);

    if let Err(status) = stream(&mut client, prompt).await {
        return Err(describe(&status).into());
    }
    // A value that is not allowed, to show what errors tell.
    let request = GenerateRequest {
        prompt: Some(Prompt::Text("Hello".into())),
        model: "no-such-model".into(),
        ..Default::default()
    };
    match client.generate(with_key(request)?).await {
        Ok(answer) => match answer.into_inner().message().await {
            Err(status) => println!("{}", describe(&status)),
            Ok(_) => return Err("the server has a model of every name".into()),
        },
        Err(status) => println!("{}", describe(&status)),
    }
    Ok(())
}

/// Prints a generation as it comes. Dropping the stream early would end the request on the server.
async fn stream(client: &mut InferenceServiceClient<Channel>, prompt: String) -> Result<(), Status> {
    let request = GenerateRequest {
        prompt: Some(Prompt::Text(prompt)),
        sampling: Some(SamplingParams { temperature: Some(0.0), ..Default::default() }),
        stop: Some(StopParams { max_tokens: Some(32), ..Default::default() }),
        ..Default::default()
    };
    let mut messages = client.generate(with_key(request)?).await?.into_inner();
    while let Some(message) = messages.message().await? {
        match message.event {
            Some(Event::Delta(delta)) => {
                for piece in delta.pieces {
                    print!("{}", piece.text);
                }
                std::io::stdout().flush().ok();
            }
            Some(Event::Finished(finished)) => {
                let reason = FinishReason::try_from(finished.reason).unwrap_or_default();
                println!("\n{} after {} tokens", reason.as_str_name(), finished.tokens_predicted);
            }
            // Accepted, tokens of the prompt, and what newer servers may send.
            _ => {}
        }
    }
    Ok(())
}

/// A request with the API key, if there is one.
fn with_key<T>(message: T) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    if let Ok(key) = std::env::var("SLOTLINE_API_KEY") {
        let value = MetadataValue::try_from(format!("Bearer {key}"))
            .map_err(|_| Status::invalid_argument("SLOTLINE_API_KEY is no metadata value"))?;
        request.metadata_mut().insert("authorization", value);
    }
    Ok(request)
}

/// What a failed call says: its status, the stable reason, the field and the time after which to try again.
fn describe(status: &Status) -> String {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.as_str()).unwrap_or("no reason");
    let fields: Vec<_> = details
        .bad_request()
        .map(|bad| bad.field_violations.iter().map(|one| one.field.as_str()).collect())
        .unwrap_or_default();
    let retry = details.retry_info().and_then(|info| info.retry_delay);
    let retry = retry.map(|delay| format!(", try again in {delay:?}")).unwrap_or_default();
    format!("{:?} {reason} {fields:?}: {}{retry}", status.code(), status.message())
}
