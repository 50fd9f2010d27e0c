//! Arrays, their merges, and what happens to them.

use crate::common::{done, fixture, nissl, splitmix, write_npy};
use crate::slurm_common::{self, Cluster, Held, logs, numbers};
use std::path::{Path, PathBuf};

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}\n{}", logs(folder)))
}

fn raster(folder: &Path, rows: usize, columns: usize) {
    let bytes: Vec<u8> = splitmix(9, rows * columns).flat_map(f64::to_le_bytes).collect();
    write_npy(&folder.join("in.npy"), "<f8", &[rows, columns], &bytes);
}

/// One run here, without a cluster.
fn whole(folder: &Path, words: &[&str]) {
    done(nissl(words).args(["-q", "--threads", "2"]).current_dir(folder));
}

#[test]
fn an_array_and_its_merge_give_the_raster_of_one_run() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    raster(folder.path(), 2000, 80);
    let words = ["convolve", "in.npy", "--kernel", "circle:4", "--boundary", "reflect"];
    whole(folder.path(), &[&words[..], &["-o", "whole.nc"]].concat());
    let (_, merge) = cluster
        .submit(folder.path(), &[&words[..], &["-o", "out.nc", "--threads", "1", "--shards", "4"]].concat());
    cluster.wait(&merge);
    assert!(read(folder.path(), "out.nc") == read(folder.path(), "whole.nc"));
    assert!(cluster.job(&merge).contains("JobState=COMPLETED"));
}

#[test]
fn an_array_and_its_merge_give_the_subjects_of_one_run() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (1..=4).map(|i| format!("sub-{i:02}.h5")).collect();
    for name in &names {
        std::fs::copy(fixture("autoreject/real14/epochs.h5"), folder.path().join(name)).unwrap();
    }
    let mut words = vec!["autoreject"];
    words.extend(names.iter().map(String::as_str));
    words.extend(["--cv", "3", "--n-interpolate", "1,2", "--consensus", "0.2,0.5"]);
    whole(folder.path(), &[&words[..], &["-o", "whole"]].concat());
    let (_, merge) = cluster.submit(
        folder.path(),
        &[&words[..], &["-o", "cleaned", "--memory", "500M", "--threads", "1", "--shards", "4"]].concat(),
    );
    cluster.wait(&merge);
    for name in names.iter().map(|name| name.trim_end_matches(".h5")) {
        for file in ["epochs.h5", "reject_log.npz", "autoreject.h5", "summary.json", "loss.svg"] {
            let (one, other) = (format!("whole/{name}/{file}"), format!("cleaned/{name}/{file}"));
            assert!(read(folder.path(), &one) == read(folder.path(), &other), "{other}");
        }
    }
}

#[test]
fn a_failed_part_is_named_by_the_merge_and_done_alone() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    raster(folder.path(), 1000, 80);
    let words = ["convolve", "in.npy", "--kernel", "circle:4"];
    whole(folder.path(), &[&words[..], &["-o", "whole.npy"]].concat());
    // Somebody's file stands where the third part would go: that element refuses and fails.
    let in_the_way = folder.path().join("out.shard-003-of-004.npy");
    std::fs::write(&in_the_way, "not ours").unwrap();
    let script = [&["sbatch"], &words[..], &["-o", "out.npy", "--threads", "1", "--shards", "4"]].concat();
    let script = done(nissl(&script).current_dir(folder.path())).stdout;
    std::fs::write(folder.path().join("job.sh"), script).unwrap();
    let (array, merge) = numbers(&cluster.done(cluster.command("bash", folder.path()).arg("job.sh")));
    cluster.wait(&merge);
    let third = cluster.job(&format!("{array}_3"));
    assert!(third.contains("JobState=FAILED") && third.contains("ExitCode=2:0"), "{third}");
    let merged = cluster.job(&merge);
    assert!(merged.contains("JobState=FAILED") && merged.contains("ExitCode=65:0"), "{merged}");
    assert_eq!(std::fs::read(&in_the_way).unwrap(), b"not ours");
    // Made away with, the merge misses just that part and says how to ask for it.
    std::fs::remove_file(&in_the_way).unwrap();
    let said = nissl(&["merge", ".", "-o", "out.npy"]).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("missing: 3") && said.contains("--array=3"), "{said}");
    let mut again = cluster.command("bash", folder.path());
    let (_, merge) = numbers(&cluster.done(again.arg("job.sh").env("ARRAY", "3")));
    cluster.wait(&merge);
    assert!(read(folder.path(), "out.npy") == read(folder.path(), "whole.npy"));
}

#[test]
fn two_tasks_of_one_step_do_a_part_each() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    raster(folder.path(), 1000, 80);
    whole(folder.path(), &["convolve", "in.npy", "--kernel", "circle:4", "-o", "whole.npy"]);
    let task = format!(
        "{} convolve in.npy -q -o out.npy --kernel circle:4 --shard $((SLURM_PROCID + 1))/2",
        env!("CARGO_BIN_EXE_nissl")
    );
    for nodes in ["1", "2"] {
        let output = format!("out{nodes}.npy");
        let task = task.replace("out.npy", &output);
        let mut step = cluster.command("srun", folder.path());
        cluster.done(step.args(["-N", nodes, "-n", "2", "bash", "-c", &task]));
        done(nissl(&["merge", ".", "-q", "-o", &output]).current_dir(folder.path()));
        assert!(read(folder.path(), &output) == read(folder.path(), "whole.npy"));
    }
}

#[test]
fn two_arrays_in_one_folder_do_not_meet() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    raster(folder.path(), 1500, 80);
    let jobs: Vec<(String, PathBuf)> = ["gauss:2", "circle:5"]
        .iter()
        .enumerate()
        .map(|(i, kernel)| {
            let (one, out) = (format!("whole{i}.npy"), format!("out{i}.npy"));
            whole(folder.path(), &["convolve", "in.npy", "--kernel", kernel, "-o", &one]);
            let shards = if i == 0 { "4" } else { "3" };
            let words =
                ["convolve", "in.npy", "--kernel", kernel, "-o", &out, "--threads", "1", "--shards", shards];
            (cluster.submit(folder.path(), &words).1, out.into())
        })
        .collect();
    for (i, (merge, output)) in jobs.iter().enumerate() {
        cluster.wait(merge);
        let output = output.display().to_string();
        assert!(read(folder.path(), &output) == read(folder.path(), &format!("whole{i}.npy")), "{output}");
    }
}

#[test]
fn an_array_and_its_merge_give_the_posterior_of_one_run() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let session = fixture("decode/real/clusterless.h5").display().to_string();
    let words = [
        "decode",
        &session,
        "--encode-interval",
        "4397:4997",
        "--time",
        "4997:5027:0.0166666666666667",
        "--position-std",
        "12",
        "--bin-size",
        "6",
        "--movement-var",
        "36",
        "--save",
        "filter,map,hpd",
    ];
    whole(folder.path(), &[&words[..], &["-o", "whole.nc"]].concat());
    let flags = ["-o", "out.nc", "--memory", "200M", "--threads", "1", "--shards", "4"];
    let (_, merge) = cluster.submit(folder.path(), &[&words[..], &flags].concat());
    cluster.wait(&merge);
    assert!(read(folder.path(), "out.nc") == read(folder.path(), "whole.nc"), "{}", logs(folder.path()));
}

/// Waits until the first part keeps rows, and holds all parts there, in the middle of their work: they
/// have seconds of it, so that they are not done before they are seen, on a busy machine either.
fn in_mid_work(cluster: &Cluster, folder: &Path) -> Held {
    let end = std::time::Instant::now() + slurm_common::PATIENCE;
    let keeps = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.contains("shard-001-")
            && name.ends_with(".kept")
            && entry.metadata().is_ok_and(|m| m.len() > 100)
    };
    while !std::fs::read_dir(folder).unwrap().flatten().any(keeps) {
        assert!(std::time::Instant::now() < end, "no part came to work: {}", logs(folder));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    cluster.hold()
}

/// A part of many small strips, so that it can be held between two of them; one thread.
const LONG: [&str; 10] = [
    "convolve",
    "in.npy",
    "--kernel",
    "circle:40",
    "--algorithm",
    "direct",
    "--memory",
    "8M",
    "--threads",
    "1",
];

/// The array and its merge, disturbed by `disturb` while its parts are held in mid-work, which is given
/// the array's number: the merge has the bytes of one run, and a part went on instead of beginning anew.
fn disturbed(disturb: impl Fn(&Cluster, &Path, &str)) {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    raster(folder.path(), 8000, 600);
    whole(folder.path(), &[&LONG[..8], &["-o", "whole.npy"]].concat());
    let (array, merge) =
        cluster.submit(folder.path(), &[&LONG[..], &["-v", "-o", "out.npy", "--shards", "2"]].concat());
    let held = in_mid_work(&cluster, folder.path());
    disturb(&cluster, folder.path(), &array);
    held.until_told();
    held.go_on();
    cluster.wait(&merge);
    let logs = logs(folder.path());
    assert!(read(folder.path(), "out.npy") == read(folder.path(), "whole.npy"), "{logs}");
    assert!(logs.contains("resuming at row"), "{logs}");
}

#[test]
fn a_requeued_part_goes_on_and_ends_with_the_same_bytes() {
    disturbed(|cluster, folder, array| {
        cluster.done(cluster.command("scontrol", folder).args(["requeue", &format!("{array}_1")]));
    });
}

#[test]
fn preempted_parts_go_on_and_end_with_the_same_bytes() {
    disturbed(|cluster, folder, _| {
        let mut urgent = cluster.command("sbatch", folder);
        urgent.args(["-p", "urgent", "--nodes=2", "--cpus-per-task=2", "--mem=100", "-o", "urgent.txt"]);
        cluster.done(urgent.args(["--wrap", "sleep 1"]));
    });
}

#[test]
fn a_warning_before_the_time_limit_requeues_the_part() {
    disturbed(|cluster, folder, array| {
        // The signal that --signal=B:USR1@N sends, without the minutes that limits are made of.
        let element = format!("{array}_1");
        cluster.done(cluster.command("scancel", folder).args(["--batch", "--signal=USR1", &element]));
        cluster.done(cluster.command("scancel", folder).args(["--batch", "--signal=USR1", &element]));
    });
}

/// `--time=1 --signal=B:USR1@50`: SLURM looks every 30 s at the limits and sends the signal up to a
/// minute early, so that it comes within 30 s of the start.
#[test]
fn the_warning_that_slurm_itself_sends_requeues_the_parts() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    raster(folder.path(), 8000, 600);
    whole(folder.path(), &[&LONG[..6], &["-o", "whole.npy"]].concat());
    let words = [&["sbatch"], &LONG[..], &["-v", "-o", "out.npy", "--shards", "2"]].concat();
    let limits = ["--slurm", "--time=1", "--slurm", "--signal=B:USR1@50"];
    let script = done(nissl(&words).args(limits).current_dir(folder.path())).stdout;
    std::fs::write(folder.path().join("job.sh"), script).unwrap();
    let (_, merge) = numbers(&cluster.done(cluster.command("bash", folder.path()).arg("job.sh")));
    let held = in_mid_work(&cluster, folder.path());
    held.until_told();
    held.go_on();
    cluster.wait(&merge);
    let logs = logs(folder.path());
    assert!(read(folder.path(), "out.npy") == read(folder.path(), "whole.npy"), "{logs}");
    assert!(logs.contains("resuming at row"), "{logs}");
}

#[test]
fn the_part_of_a_lost_node_goes_on_elsewhere() {
    disturbed(|cluster, _, array| cluster.lose_node_of(&format!("{array}_1")));
}

#[test]
fn a_part_at_its_time_limit_goes_on_when_it_is_asked_for_again() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    raster(folder.path(), 8000, 600);
    whole(folder.path(), &[&LONG[..6], &["-o", "whole.npy"]].concat());
    let words = [&["sbatch"], &LONG[..], &["-v", "-o", "out.npy", "--shards", "2"]].concat();
    let script = done(nissl(&words).args(["--slurm", "--time=5"]).current_dir(folder.path())).stdout;
    std::fs::write(folder.path().join("job.sh"), script).unwrap();
    let submit = |parts: Option<&str>| {
        let mut command = cluster.command("bash", folder.path());
        command.arg("job.sh").envs(parts.map(|parts| ("ARRAY", parts)));
        numbers(&cluster.done(&mut command))
    };
    let (array, merge) = submit(None);
    // Held until its limit: SLURM lets a process go on before it is told to end.
    let held = in_mid_work(&cluster, folder.path());
    let limit = [format!("JobId={array}_1"), "EndTime=now+3".to_owned()];
    cluster.done(cluster.command("scontrol", folder.path()).arg("update").args(limit));
    held.until_told();
    held.go_on();
    cluster.wait(&merge);
    if !folder.path().join("out.npy").exists() {
        // The site ended the part for good; the merge names it, and it is asked for again.
        let said = logs(folder.path());
        assert!(said.contains("missing: 1"), "{said}");
        let (_, merge) = submit(Some("1"));
        cluster.wait(&merge);
    }
    let logs = logs(folder.path());
    assert!(read(folder.path(), "out.npy") == read(folder.path(), "whole.npy"), "{logs}");
    assert!(logs.contains("resuming at row"), "{logs}");
}

#[test]
fn the_scripts_to_copy_do_as_they_say() {
    let Some(cluster) = Cluster::with(&[("SLURM_UP_CPUS", "4"), ("SLURM_UP_MEM", "16000")]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    raster(folder.path(), 1000, 80);
    for subject in ["sub-01", "sub-02"] {
        std::fs::create_dir_all(at("data").join(subject)).unwrap();
        std::fs::copy(fixture("autoreject/real14/epochs.h5"), at("data").join(subject).join("epochs.h5"))
            .unwrap();
    }
    let laps = "--encode-interval 4397:4997 --time 4997:5012:0.0166666666666667 --position-std 12 --bin-size 6 \
                --movement-var 36";
    let session = fixture("decode/real/clusterless.h5").display().to_string();
    let run = |script: &str, settings: &[(&str, &str)]| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/slurm").join(script);
        let mut command = cluster.command("bash", folder.path());
        command.arg(path).env("NISSL", env!("CARGO_BIN_EXE_nissl")).env("PARTS", "2");
        let (_, merge) = numbers(&cluster.done(command.envs(settings.iter().copied())));
        cluster.wait(&merge);
    };
    run("convolve.sh", &[("INPUT", "in.npy"), ("OUTPUT", "./out.npy"), ("KERNEL", "gauss:3")]);
    whole(folder.path(), &["convolve", "in.npy", "--kernel", "gauss:3", "-o", "whole.npy"]);
    assert!(read(folder.path(), "out.npy") == read(folder.path(), "whole.npy"));
    run("autoreject.sh", &[("OUTPUT", "./cleaned")]);
    for subject in ["sub-01_epochs", "sub-02_epochs"] {
        read(folder.path(), &format!("cleaned/{subject}/epochs.h5"));
    }
    run("decode.sh", &[("SESSION", &session), ("OUTPUT", "./laps.nc"), ("FLAGS", laps)]);
    read(folder.path(), "laps.nc");
}
