//! When the program itself breaks: where, and nothing else. The message of a panic, a backtrace and a core file can hold
//! what was being read, and that can be a credential.

use super::output;
use std::panic::{Location, PanicHookInfo};
use std::process::ExitCode;

/// Runs the program; where it breaks it says so and ends as incomplete.
pub fn contained(program: impl FnOnce() -> ExitCode + std::panic::UnwindSafe) -> ExitCode {
    crate::platform::forbid_core_files();
    std::panic::set_hook(Box::new(tell));
    std::panic::catch_unwind(program).unwrap_or(ExitCode::from(2))
}

fn tell(info: &PanicHookInfo) {
    let place = info.location().map_or_else(|| "a place unknown".into(), place);
    output::say(&format!(
        "error: plainsight broke at {place}, version {}: this is an error in the program; please report this line. What \
         was being read is not shown",
        env!("CARGO_PKG_VERSION"),
    ));
}

/// File and line, from the source folder on: what stands before it is the machine's that built it.
fn place(at: &Location) -> String {
    let file = at.file();
    let from = file.rfind("src/").map_or(0, |src| {
        file[..src].trim_end_matches('/').rfind('/').map_or(0, |n| n + 1)
    });
    format!("{}:{}", &file[from..], at.line())
}
