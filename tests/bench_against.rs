//! `nissl bench --from --against`: tables from result files, nothing is run.

mod bench_common;
mod common;

use bench_common::Bench;
use serde_json::{Value, json};

fn result(tool: &str, works: Value) -> Value {
    json!({"kind": "nissl-bench", "schema": 1, "tool": tool, "size": "quick",
           "host": {"cpu": "Some CPU", "cores_allowed": 2, "more": "is ignored"}, "works": works})
}

#[test]
fn works_of_other_packages_stand_beside_ours() {
    let bench = Bench::new();
    let write = |name: &str, value: &Value| std::fs::write(bench.path(name), value.to_string()).unwrap();
    let work = |name: &str, threads: usize, wall_s: f64, rss: u64| {
        json!({"work": name, "command": "convolve", "threads": threads, "runs_s": [wall_s], "wall_s": wall_s,
               "least_s": wall_s, "most_s": wall_s, "peak_rss": rss})
    };
    let own = json!([
        work("convolve/box15_2000", 1, 0.1, 100 << 20),
        work("convolve/box15_2000", 2, 0.06, 90 << 20)
    ]);
    write("own.json", &result("nissl 0.1.0", own));
    write("peer.json", &result("OpenCV 5", json!([work("convolve/box15_2000", 2, 0.09, 150 << 20)])));
    write("slow.json", &result("scipy 1", json!([work("convolve/box15_2000", 4, 0.9, 1)])));
    let flags = ["--from", "own.json", "--against", "peer.json", "--against", "slow.json"];
    let told = bench.run(&flags);
    told.has(0, &["OpenCV 5", "60.0 ms", "90.0 ms", "150M", "1.50x"], &[]);
    told.has(0, &["scipy 1: left out convolve/box15_2000 (threads 4; here 1, 2)"], &[]);
    assert!(!told.out.contains("1.11x") && !told.out.contains("0.90x"), "other threads are not compared");
    let row = "| convolve/box15_2000 | 2 | 60.0 ms | 90M | OpenCV 5 | 90.0 ms | 150M | 1.50x |";
    bench.run(&[&flags[..], &["--markdown"]].concat()).has(0, &[row], &[]);
    write("bad.json", &json!({"kind": "other"}));
    bench.run(&["--from", "own.json", "--against", "bad.json"]).has(65, &[], &["bad.json", "another kind"]);
}
