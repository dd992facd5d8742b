//! Turns the TOML under `rules/` into JSON that the program embeds: it is read at every start, and JSON is read
//! several times faster. Puts style and script of the HTML report aside with their hashes, by which the page allows
//! them. Reads nothing outside the crate and fetches nothing.

use sha2::{Digest, Sha256};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (folder, key, name) in [
        ("rules", "rule", "rules.json"),
        ("rules/formats", "format", "formats.json"),
        ("rules/advice", "advice", "advice.json"),
        ("rules/agents", "agent", "agents.json"),
    ] {
        println!("cargo::rerun-if-changed={folder}");
        let mut all = Vec::new();
        for path in toml_files(Path::new(folder))? {
            println!("cargo::rerun-if-changed={}", path.display());
            let text = fs::read_to_string(&path)?;
            let mut table: toml::Table =
                toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            let entries = table
                .remove(key)
                .ok_or_else(|| format!("{}: no [[{key}]]", path.display()))?;
            let entries: Vec<serde_json::Value> = entries
                .try_into()
                .map_err(|e| format!("{}: {e}", path.display()))?;
            let family = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            for mut entry in entries {
                if let (Some(entry), "rule") = (entry.as_object_mut(), key) {
                    entry.insert("family".into(), family.clone().into());
                    let digest = Sha256::digest(serde_json::to_string(&entry)?);
                    let digest = data_encoding::HEXLOWER.encode(&digest[..16]);
                    entry.insert("digest".into(), digest.into());
                }
                all.push(entry);
            }
        }
        fs::write(out.join(name), serde_json::to_string(&all)?)?;
    }
    for (name, variable) in [
        ("style.css", "PLAINSIGHT_STYLE_SHA256"),
        ("script.js", "PLAINSIGHT_SCRIPT_SHA256"),
    ] {
        let path = Path::new("src/report/html").join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        // Browsers hash what stands in the page with line feeds, whatever the checkout has.
        let text = fs::read_to_string(&path)?.replace("\r\n", "\n");
        let hash = data_encoding::BASE64.encode(&Sha256::digest(&text));
        println!("cargo::rustc-env={variable}={hash}");
        fs::write(out.join(name), text)?;
    }
    Ok(())
}

fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    files.sort();
    Ok(files)
}
