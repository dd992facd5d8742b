//! Writes what fuzzing begins from: `cargo run --example seeds -- FOLDER` makes a folder for each target.

#[path = "../tests/bodies/mod.rs"]
mod bodies;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or("corpus".into());
    for (name, _) in bodies::ALL {
        let folder = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder)?;
        let all = [bodies::seeds::of(name), bodies::seeds::regressions(name)].concat();
        for (n, seed) in all.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{n:04}")), seed)?;
        }
    }
    Ok(())
}
