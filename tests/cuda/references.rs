//! Every reference of `decode` on the device, in both precisions and for sorted units.

use crate::common::{done, fixture};
use crate::driver::on_device;

#[test]
fn every_reference_of_decode_is_within_its_tolerance_on_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let reference = fixture("decode").display().to_string();
    let mut command =
        on_device(&["bench", "--verify", &reference, "--only", "*f32*,*f64*,*sorted*"], &[], folder.path());
    let said = String::from_utf8(done(command.args(["--progress", "none"])).stdout).unwrap();
    assert!(said.contains("all within tolerance"), "{said}");
}
