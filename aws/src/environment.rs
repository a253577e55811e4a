//! Where settings come from: environment variables, and files that they name.

use std::fmt::Debug;
use std::io::Read;

/// Most bytes of a file that are read; a token has two or three thousand.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// Variables and files. A test has its own, so that none needs the environment of the process.
pub trait Environment: Debug + Send + Sync {
    /// An environment variable.
    fn var(&self, name: &str) -> Option<String>;

    /// The content of a small text file, read anew each time: tokens are replaced while the process runs.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// The environment and the files of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process;

impl Environment for Process {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_MAX_BYTES).read_to_string(&mut text))
            .map_err(|error| error.to_string())?;
        Ok(text)
    }
}

/// A variable that says something: one that is empty counts as unset.
pub(crate) fn setting(environment: &dyn Environment, name: &str) -> Option<String> {
    environment.var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Whether a variable says `true`.
pub(crate) fn is_true(environment: &dyn Environment, name: &str) -> bool {
    setting(environment, name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The token in a file that a variable names, without the line's end.
pub(crate) fn token(environment: &dyn Environment, variable: &str, path: &str) -> Result<String, String> {
    let text = environment.file(path).map_err(|error| format!("{path} of {variable}: {error}"))?;
    match text.trim() {
        "" => Err(format!("{path} of {variable} is empty")),
        // It becomes a header or a field: what breaks a line would be more than a token.
        token if token.chars().any(char::is_control) => {
            Err(format!("{path} of {variable} has more than one line"))
        }
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_variables_and_files() {
        assert!(Process.var("PATH").is_some() && Process.var("STEPGATE_NO_SUCH_VARIABLE").is_none());
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(Process.file(manifest).is_ok_and(|text| text.contains("name = \"aws\"")));
        assert!(Process.file("/no/such/file").is_err_and(|error| error.contains("No such file")));
    }
}
