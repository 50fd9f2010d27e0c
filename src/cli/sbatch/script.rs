//! The script: text from plain data.

use crate::error::{Error, Result};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Seconds before a time limit at which a part is told to stop.
const WARNING_S: u32 = 120;

/// What the script is made of.
pub struct Script {
    /// This program.
    pub program: PathBuf,
    /// The command.
    pub name: &'static str,
    /// Its words.
    pub words: Vec<String>,
    /// Number of parts.
    pub shards: u64,
    /// What the merge writes.
    pub output: PathBuf,
    /// CPUs of a job.
    pub threads: usize,
    /// `--memory` of the parts, where the words do not say it.
    pub memory: Option<String>,
    /// `--mem` of a job, bytes.
    pub job_memory: u64,
    /// Further flags of both jobs.
    pub slurm: String,
}

impl Script {
    /// The text.
    ///
    /// # Errors
    /// A path that no script can hold.
    pub fn render(&self) -> Result<String> {
        let (name, shards) = (self.name, self.shards);
        let program = quoted(text(&self.program)?)?;
        let words = self.words.iter().map(|word| quoted(word)).collect::<Result<Vec<_>>>()?.join(" ");
        let memory = self.memory.as_ref().map_or(String::new(), |limit| format!(" --memory {limit}"));
        let resume = if self.words.iter().any(|word| word == "--resume") { "" } else { " --resume" };
        let folder = match self.output.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let (folder, output) = (quoted(text(folder)?)?, quoted(text(&self.output)?)?);
        let force = if self.words.iter().any(|word| word == "--force") { " --force" } else { "" };
        let mut script = format!(
            "#!/bin/bash
# nissl {name} in {shards} parts: a job array, and the merge of what it leaves.
#   bash THIS_FILE               submits both and prints their numbers
#   ARRAY=3,7 bash THIS_FILE     only the parts 3 and 7, and the merge
set -euo pipefail
array=$(sbatch --parsable --array=\"${{ARRAY:-1-{shards}}}\" <<'END_OF_PART'
#!/bin/bash
"
        );
        let goes_on = format!("#SBATCH --requeue --signal=B:USR1@{WARNING_S}\n");
        self.directives(&mut script, ("", "%A_%a"), &goes_on)?;
        let _ = write!(
            script,
            "{program} {words}{memory}{resume} --shard \"$SLURM_ARRAY_TASK_ID/{shards}\" &
pid=$!
trap 'kill -TERM \"$pid\" 2>/dev/null' TERM USR1
while kill -0 \"$pid\" 2>/dev/null; do wait \"$pid\"; done
wait \"$pid\"
code=$?
if [[ $code -eq 75 ]]; then    # stopped with a checkpoint: goes on later
    scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"
    sleep 60                   # SLURM ends this script
fi
exit \"$code\"
END_OF_PART
)
merge=$(sbatch --parsable --dependency=\"afterany:$array\" <<'END_OF_MERGE'
#!/bin/bash
"
        );
        self.directives(&mut script, ("-merge", "%j"), "")?;
        let _ = write!(
            script,
            "exec {program} merge {folder} -o {output}{memory}{force} --resume
END_OF_MERGE
)
echo \"array $array merge $merge\"
"
        );
        Ok(script)
    }

    fn directives(&self, script: &mut String, (suffix, number): (&str, &str), more: &str) -> Result<()> {
        let mib = self.job_memory.div_ceil(1 << 20);
        let log = text(&self.output)?.trim_end_matches('/').replace('%', "%%");
        if log.contains(['"', '\\', '\n']) {
            return Err(Error::usage(format!("-o {log}: a job script cannot hold that name; give another")));
        }
        let _ = write!(
            script,
            "#SBATCH --job-name=nissl-{}{suffix} --cpus-per-task={} --mem={mib}M
#SBATCH --open-mode=append --output=\"{log}.{number}.log\"
{more}",
            self.name, self.threads
        );
        if self.slurm.contains('\n') {
            return Err(Error::usage("--slurm: expected one line"));
        }
        // The last line wins.
        if !self.slurm.is_empty() {
            let _ = writeln!(script, "#SBATCH {}", self.slurm);
        }
        Ok(())
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::usage(format!("{}: is no Unicode; rename it", path.display())))
}

/// Quoted for bash where it needs to be.
fn quoted(word: &str) -> Result<String> {
    if word.contains('\n') {
        return Err(Error::usage("a word with a line end has no place in a job script"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+=@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Ok(word.to_owned());
    }
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> Script {
        Script {
            program: "/usr/bin/nissl".into(),
            name: "convolve",
            words: ["convolve", "my dem.nc", "-o", "out/s.nc", "--kernel", "0 1 0; 1 1 1; 0 1 0"]
                .map(Into::into)
                .to_vec(),
            shards: 8,
            output: "out/s.nc".into(),
            threads: 4,
            memory: Some("512M".into()),
            job_memory: 640 << 20,
            slurm: "--time=1:00:00 --signal=B:USR1@50".into(),
        }
    }

    #[test]
    fn both_jobs_get_what_the_plan_needs_and_words_stay_whole() {
        let text = script().render().unwrap();
        for wanted in [
            "--array=\"${ARRAY:-1-8}\"",
            "--cpus-per-task=4 --mem=640M",
            "--open-mode=append --output=\"out/s.nc.%A_%a.log\"",
            "convolve 'my dem.nc' -o out/s.nc --kernel '0 1 0; 1 1 1; 0 1 0' --memory 512M --resume --shard \"$SLURM_ARRAY_TASK_ID/8\" &",
            "exec /usr/bin/nissl merge out -o out/s.nc --memory 512M --resume",
            "--dependency=\"afterany:$array\"",
            "#SBATCH --requeue --signal=B:USR1@120\n#SBATCH --time=1:00:00 --signal=B:USR1@50\n/usr/bin/nissl",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in\n{text}");
        }
        assert_eq!(text.matches("--mem=640M").count(), 2);
    }

    #[test]
    fn names_that_would_break_the_script_are_refused() {
        assert!(Script { output: "a\"b.nc".into(), ..script() }.render().is_err());
        assert!(Script { slurm: "a\nb".into(), ..script() }.render().is_err());
        assert_eq!(quoted("it's").unwrap(), r"'it'\''s'");
    }
}
