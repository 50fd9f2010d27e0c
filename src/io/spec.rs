//! (under construction)

/// What the user typed as input: a file and perhaps a dataset inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    /// The file.
    pub path: std::path::PathBuf,
    /// Dataset inside the file.
    pub dataset: Option<String>,
}
