//! Parse, call, exit code: nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    plainsight::cli::main()
}
