//! The layout of the result file.

use super::*;

fn sample() -> BenchResult {
    let stage = StageResult {
        name: "likelihood".into(),
        wall_s: 0.5,
        cpu_s: 1.0,
        spread: 0.01,
        items: 100,
        bytes_read: 8,
        bytes_written: 16,
        flop: 1_000_000,
        rate: Some(200.0),
        ceiling: Some("fma f32 avx2".into()),
        share: Some(0.25),
    };
    let latency = Latency {
        of: "work".into(),
        ticks: 1000,
        p50_s: 1e-5,
        p99_s: 2e-5,
        p999_s: 4e-5,
        max_s: 8e-5,
        missed: 0,
    };
    let work = WorkResult {
        work: "decode/tiny".into(),
        command: "decode".into(),
        about: "4 electrodes".into(),
        backend: "cpu".into(),
        threads: 2,
        items: 50,
        item: "time bins".into(),
        runs_s: vec![0.75, 1.0, 0.5],
        wall_s: 0.75,
        least_s: 0.5,
        most_s: 1.0,
        spread: 0.25,
        cpu_s: Some(1.25),
        peak_rss: Some(1 << 20),
        workers: Some(2),
        speedup: Some(1.5),
        first_call_s: Some(0.25),
        stages: vec![stage],
        latency: Some(latency),
        note: None,
    };
    let ceiling = Ceiling { name: "copy".into(), unit: "B/s".into(), threads: 2, value: 1e10 };
    let host = HostFacts {
        cpu: "Some CPU".into(),
        level: "avx2".into(),
        cores_allowed: 2,
        ram: Some(4 << 30),
        slurm: [("SLURM_JOB_ID".to_owned(), "7".to_owned())].into(),
    };
    BenchResult {
        argv: vec!["nissl".into(), "bench".into()],
        host,
        ceilings: vec![ceiling],
        works: vec![work],
        noise: Noise { spread: 0.03, noisy: false },
        warnings: vec!["mind the gap".into()],
        ..empty()
    }
}

/// Scripts write and read these names: one that changes its meaning or goes asks for another [`SCHEMA`].
#[test]
fn the_layout_of_schema_1_stays_as_it_is() {
    insta::assert_snapshot!(render(&sample()).unwrap(), @r#"
    {
      "kind": "nissl-bench",
      "schema": 1,
      "tool": "nissl 0.0.0",
      "argv": [
        "nissl",
        "bench"
      ],
      "size": "quick",
      "host": {
        "cpu": "Some CPU",
        "level": "avx2",
        "cores_allowed": 2,
        "ram": 4294967296,
        "slurm": {
          "SLURM_JOB_ID": "7"
        }
      },
      "backend": "cpu/avx2",
      "ceilings": [
        {
          "name": "copy",
          "unit": "B/s",
          "threads": 2,
          "value": 10000000000.0
        }
      ],
      "works": [
        {
          "work": "decode/tiny",
          "command": "decode",
          "about": "4 electrodes",
          "backend": "cpu",
          "threads": 2,
          "items": 50,
          "item": "time bins",
          "runs_s": [
            0.75,
            1.0,
            0.5
          ],
          "wall_s": 0.75,
          "least_s": 0.5,
          "most_s": 1.0,
          "spread": 0.25,
          "cpu_s": 1.25,
          "peak_rss": 1048576,
          "workers": 2,
          "speedup": 1.5,
          "stages": [
            {
              "name": "likelihood",
              "wall_s": 0.5,
              "cpu_s": 1.0,
              "spread": 0.01,
              "items": 100,
              "bytes_read": 8,
              "bytes_written": 16,
              "flop": 1000000,
              "rate": 200.0,
              "ceiling": "fma f32 avx2",
              "share": 0.25
            }
          ],
          "first_call_s": 0.25,
          "latency": {
            "of": "work",
            "ticks": 1000,
            "p50_s": 0.00001,
            "p99_s": 0.00002,
            "p999_s": 0.00004,
            "max_s": 0.00008,
            "missed": 0
          },
          "note": null
        }
      ],
      "noise": {
        "spread": 0.03,
        "noisy": false
      },
      "warnings": [
        "mind the gap"
      ]
    }
    "#);
}

#[test]
fn what_is_written_is_read_back_and_unknown_or_missing_fields_do_not_matter() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), render(&sample()).unwrap()).unwrap();
    assert_eq!(read(file.path()).unwrap(), sample());
    let peer = r#"{"kind": "nissl-bench", "schema": 1, "tool": "peer 1.0", "host": {"cpu": "A"}, "new": 1,
        "works": [{"work": "decode/tiny", "threads": 2, "wall_s": 3.5, "peak_rss": null, "newer": [2]}]}"#;
    std::fs::write(file.path(), peer).unwrap();
    let found = read(file.path()).unwrap();
    assert_eq!((found.tool.as_str(), found.works[0].wall_s), ("peer 1.0", 3.5));
    assert_eq!((found.works[0].peak_rss, found.works[0].speedup), (None, None));
}
