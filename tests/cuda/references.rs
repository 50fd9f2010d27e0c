//! Every float64 reference of `decode` on the device (`benches/gpu.sh` takes the others, too).

use crate::common::{done, fixture};
use crate::driver::on_device;

#[test]
fn float64_references_of_decode_are_within_their_tolerances_on_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let reference = fixture("decode").display().to_string();
    let mut command = on_device(&["bench", "--verify", &reference, "--only", "*f64*"], &[], folder.path());
    let said = String::from_utf8(done(command.args(["--progress", "none"])).stdout).unwrap();
    assert!(said.contains("all within tolerance"), "{said}");
}
