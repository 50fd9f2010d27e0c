//! Runs a Python script where an interpreter is at hand; used by the interop tests.

use std::path::Path;
use std::process::Command;

/// Runs `script` with `arguments` under `NISSL_PYTHON` and returns what it printed; `None` where
/// there is no interpreter, which is said aloud and is a failure under `NISSL_REQUIRE_ALL=1`.
pub fn python(test: &str, script: &str, arguments: &[&Path]) -> Option<String> {
    let Some(interpreter) = std::env::var_os("NISSL_PYTHON").filter(|value| !value.is_empty()) else {
        assert!(
            std::env::var("NISSL_REQUIRE_ALL").as_deref() != Ok("1"),
            "{test}: NISSL_PYTHON is not set, and NISSL_REQUIRE_ALL=1 allows no skip"
        );
        eprintln!("skipped: {test} (NISSL_PYTHON names no interpreter)");
        return None;
    };
    let output = Command::new(interpreter).arg("-c").arg(script).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test}: {errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}
