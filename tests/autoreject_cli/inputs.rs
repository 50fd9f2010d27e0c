//! Inputs: missing, bad, several, with tables beside them; and the plan of them.

use crate::common::{done, fixture, nissl, read};
use crate::desk::{Desk, SMALL, error_lines, json};

#[test]
fn results_of_several_inputs_never_share_a_folder() {
    let desk = Desk::new();
    desk.refused(&["a/epochs.h5", "a/epochs.npy", "-o", "out"], 2, &["a/epochs.h5", "a/epochs.npy"]);
    desk.refused(&["epochs.h5", "epochs.h5", "-o", "out"], 2, &["out/epochs"]);
    std::fs::create_dir_all(desk.path("study/b")).unwrap();
    std::fs::write(desk.path("study/b/x"), "").unwrap();
    let output = desk.run(&["a.h5", "b.h5", "-o", "study"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error_lines(&output)[0].contains("study/b: exists already"), "{:?}", error_lines(&output));
}

#[test]
fn a_missing_input_is_told_by_name() {
    let desk = Desk::new();
    desk.refused(&["absent.h5", "-o", "out"], 1, &["absent.h5", "cannot open"]);
    desk.refused(&["epochs.h5:/nothing/here", "-o", "out"], 65, &["epochs.h5", "nothing/here"]);
}

#[test]
fn of_several_inputs_a_bad_one_does_not_stop_the_rest() {
    let desk = Desk::new();
    desk.copy("sub-01/epochs.h5");
    desk.copy("sub-03/epochs.h5");
    std::fs::create_dir(desk.path("sub-02")).unwrap();
    std::fs::write(desk.path("sub-02/epochs.h5"), "no HDF5 at all").unwrap();
    let inputs = ["sub-01/epochs.h5", "sub-02/epochs.h5", "sub-03/epochs.h5", "-o", "out"];
    let output = desk.run(&[&inputs[..], &SMALL[..]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let errors = error_lines(&output);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("sub-02/epochs.h5"), "{errors:?}");
    assert_eq!(desk.names("out"), ["report.json", "sub-01_epochs", "sub-03_epochs"]);
    let summaries = ["out/sub-01_epochs", "out/sub-03_epochs"].map(|out| desk.summary(out));
    assert!(summaries[0]["loss"] == summaries[1]["loss"] && summaries[0]["input"] != summaries[1]["input"]);
    let outcome = &json(&desk.path("out/report.json"))["outcome"];
    assert_eq!((&outcome["status"], &outcome["exit_code"]), (&"partial".into(), &4.into()));
    assert!(outcome["failures"][0].as_str().unwrap().contains("sub-02/epochs.h5"), "{outcome}");
}

#[test]
fn where_all_inputs_fail_each_is_told_and_the_code_is_the_first_ones() {
    let desk = Desk::new();
    std::fs::write(desk.path("bad.h5"), "no HDF5 at all").unwrap();
    let output = desk.run(&["bad.h5", "absent.h5", "-o", "out"]);
    assert_eq!(output.status.code(), Some(65), "{}", String::from_utf8_lossy(&output.stderr));
    let errors = error_lines(&output);
    assert!(
        errors.len() == 2 && errors[0].contains("bad.h5") && errors[1].contains("absent.h5"),
        "{errors:?}"
    );
    let output = desk.run(&["absent.h5", "bad.h5", "-o", "out"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!desk.path("out/report.json").exists());
}

#[test]
fn npy_with_bids_tables_gives_the_numbers_of_hdf5() {
    let desk = Desk::new();
    let first = desk.clean("out", &SMALL);
    let names = ["Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2"];
    let at = read(&fixture("autoreject/tiny/ch_pos.npy"), "");
    let mut channels = String::from("name\ttype\tunits\tstatus\n");
    let mut electrodes = String::from("name\tx\ty\tz\n");
    for (index, name) in names.iter().enumerate() {
        let [x, y, z] = at.values[index * 3..][..3] else { panic!("positions are [channel, 3]") };
        channels += &format!("{name}\tEEG\tV\tgood\n");
        electrodes += &format!("{name}\t{x:?}\t{y:?}\t{z:?}\n");
    }
    std::fs::write(desk.path("channels.tsv"), channels).unwrap();
    std::fs::write(desk.path("electrodes.tsv"), electrodes).unwrap();
    std::fs::copy(fixture("autoreject/tiny/epochs.npy"), desk.path("epochs.npy")).unwrap();
    let sides = ["--channels", "channels.tsv", "--electrodes", "electrodes.tsv"];
    let mut command = nissl(&["autoreject", "--progress", "none", "epochs.npy", "-o", "npy"]);
    done(command.args(SMALL).args(sides).current_dir(desk.folder.path()));
    let second = desk.summary("npy");
    for key in ["thresholds", "loss", "bad_epochs", "interpolated"] {
        assert_eq!(second[key], first[key], "{key}");
    }
    let (h5, npy) =
        (read(&desk.path("out/epochs.h5"), "/epochs/data"), read(&desk.path("npy/epochs.npy"), ""));
    assert_eq!(h5.values, npy.values);
}

#[test]
fn a_dry_run_prints_the_plan_and_leaves_nothing() {
    let desk = Desk::new();
    let output = desk.run(&[&["epochs.h5", "-o", "out", "--dry-run"], &SMALL[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plan = String::from_utf8(output.stdout).unwrap();
    for word in ["20", "10", "50", "epochs.h5", "out"] {
        assert!(plan.contains(word), "{word} in {plan}");
    }
    assert!(!desk.path("out").exists());
}

#[test]
fn a_dry_run_ends_as_the_run_itself_would_where_inputs_are_refused() {
    let desk = Desk::new();
    std::fs::write(desk.path("bad.h5"), "no HDF5 at all").unwrap();
    for (inputs, code, errors) in [
        (&["epochs.h5"][..], 0, 0),
        (&["epochs.h5", "bad.h5"], 4, 1),
        (&["absent.h5", "epochs.h5"], 4, 1),
        (&["bad.h5", "absent.h5"], 65, 2),
        (&["absent.h5", "bad.h5"], 1, 2),
        (&["bad.h5"], 65, 1),
    ] {
        let all = [inputs, &["-o", "out"], &SMALL].concat();
        let dry = desk.run(&[&all[..], &["--dry-run"]].concat());
        let text = String::from_utf8_lossy(&dry.stderr);
        assert_eq!(dry.status.code(), Some(code), "{inputs:?}: {text}");
        assert_eq!(error_lines(&dry).len(), errors, "{inputs:?}: {text}");
        let plan = String::from_utf8_lossy(&dry.stdout);
        let told = if inputs.len() > 1 { errors } else { 0 };
        assert_eq!(plan.matches("\nrefused ").count(), told, "{inputs:?}: {plan}");
        assert!(!desk.path("out").exists(), "{inputs:?}");
        let real = desk.run(&all);
        assert_eq!((real.status.code(), error_lines(&real)), (dry.status.code(), error_lines(&dry)));
        if desk.path("out").exists() {
            std::fs::remove_dir_all(desk.path("out")).unwrap();
        }
    }
}
