//! The same pictures read by a decoder of another maker: zxing-cpp from PyPI, kept in the target directory by the hash of its versions.

use std::path::{Path, PathBuf};
use std::process::Command;

use receipt_core::hash::sha256;

use crate::decoding::{DEMANDED, PICTURES, pictures, symbols};

fn run(program: &Path, arguments: &[&str]) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(&directory)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|error| panic!("run {}: {error}", program.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {arguments:?}: {said}", program.display());
    String::from_utf8(output.stdout).unwrap()
}

/// Installs what `requirements.txt` names, unless it is there; gives the Python that has it.
fn python() -> PathBuf {
    let requirements = include_bytes!("../foreign/requirements.txt");
    let hash = sha256(&[requirements]).to_string();
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("read-codes").join(&hash[..16]);
    let python = venv.join("bin/python");
    run(Path::new("python3"), &["-m", "venv", venv.to_str().unwrap()]);
    run(&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"]);
    python
}

#[test]
fn a_foreign_decoder_reads_the_same_pictures() {
    let python = python();
    let directory = scratch::Directory::new();
    let mut failed = Vec::new();
    for printed in symbols() {
        for (kind, pixels_per_module, least, _) in DEMANDED {
            let pictures = pictures(&printed, kind, pixels_per_module);
            let paths = pictures.iter().enumerate().map(|(index, picture)| {
                let path = directory.path().join(format!("{index}.pgm"));
                let header = format!("P5\n{} {}\n255\n", picture.width, picture.height);
                std::fs::write(&path, [header.as_bytes(), &picture.luma()].concat()).unwrap();
                path.to_str().unwrap().to_owned()
            });
            let paths: Vec<String> = paths.collect();
            let mut arguments = vec!["read_codes.py"];
            arguments.extend(paths.iter().map(String::as_str));
            let said = run(&python, &arguments);
            let texts: Vec<&str> = said.lines().collect();
            assert_eq!(texts.len(), PICTURES);
            let read = texts.iter().filter(|text| !text.is_empty());
            let read =
                read.inspect(|text| assert_eq!(**text, printed.text, "a picture is read as another code")).count();
            let row = format!("{:?}: {kind:?} at {pixels_per_module}: {read} of {PICTURES}", printed.symbol);
            println!("{row}");
            if read < least {
                failed.push(row);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
