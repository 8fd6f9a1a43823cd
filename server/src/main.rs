//! The binary `sloburn`: reads the command line and runs one subcommand.

use std::process::ExitCode;

use clap::Parser as _;
use server::cli::{Cli, Command};
use server::store::OpenError;

/// Receiving allocates and frees from several threads at once, where glibc's allocator contends and keeps holes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit status of a bad configuration (`EX_CONFIG` of sysexits).
const EX_CONFIG: u8 = 78;
/// Exit status of a database that cannot be read (`EX_DATAERR`).
const EX_DATAERR: u8 = 65;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => server::serve::main(&args),
        Command::Demo(args) => server::demo::main(args),
        Command::Check(args) => server::check::main(&args),
        Command::Convert(args) => server::convert::main(&args),
        Command::Init(args) => server::init::main(&args),
        Command::Replay(args) => server::replay::main(&args),
        Command::Plan(args) => server::plan::main(&args),
        Command::Explain(args) => server::explain::main(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) if error.is::<server::config::Problems>() => fail(&error, EX_CONFIG),
        Err(error) => fail(&error, code(&error)),
    }
}

fn code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(OpenError::Damaged { .. }) => EX_DATAERR,
        Some(OpenError::NewerSchema { .. }) => EX_CONFIG,
        Some(_) | None => 1,
    }
}

/// Prints an error with its causes, once, on standard error.
#[expect(
    clippy::print_stderr,
    reason = "the last word of a process that could not run"
)]
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("sloburn: {error:#}");
    ExitCode::from(code)
}
