//! Built-in electrode positions: 10-20, 10-05 and BioSemi caps, metres, head frame.
//!
//! The numbers are those that MNE 1.13 leaves in a recording after `set_montage`; the table was
//! written by `fixtures/autoreject/make_montages.py`.

use crate::error::{Error, Result};

const TABLE: &str = include_str!("montages.tsv");

/// Names that `--montage` takes.
pub const NAMES: [&str; 8] = [
    "standard_1005",
    "standard_1020",
    "biosemi16",
    "biosemi32",
    "biosemi64",
    "biosemi128",
    "biosemi160",
    "biosemi256",
];

/// Later names of the same tables.
const ALIASES: [(&str, &str); 2] = [("colin27_1005", "standard_1005"), ("colin27_1020", "standard_1020")];

/// One electrode of a montage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Electrode {
    /// Its name.
    pub name: &'static str,
    /// (x, y, z) in metres, head frame.
    pub position: [f64; 3],
}

/// The electrodes of the montage called `name` (any case), in MNE's order.
///
/// # Errors
/// [`Error::Usage`] that lists the montages there are.
pub fn electrodes(name: &str) -> Result<Vec<Electrode>> {
    let wanted = name.to_ascii_lowercase();
    let wanted = ALIASES.iter().find(|(alias, _)| *alias == wanted).map_or(wanted.as_str(), |(_, name)| name);
    if !NAMES.contains(&wanted) {
        return Err(Error::usage(format!("--montage {name}: not known here; one of {}", NAMES.join(", "))));
    }
    Ok(TABLE.lines().skip(1).filter_map(|line| electrode(line, wanted)).collect())
}

fn electrode(line: &'static str, montage: &str) -> Option<Electrode> {
    let mut cells = line.split('\t');
    if cells.next()? != montage {
        return None;
    }
    let name = cells.next()?;
    let mut number = || cells.next()?.parse().ok();
    Some(Electrode { name, position: [number()?, number()?, number()?] })
}

/// The position of the electrode called `name`, exactly so or, failing that, in any case.
pub fn find<'a>(electrodes: &'a [Electrode], name: &str) -> Option<&'a Electrode> {
    let exact = electrodes.iter().find(|electrode| electrode.name == name);
    exact.or_else(|| electrodes.iter().find(|electrode| electrode.name.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_montage_is_whole() {
        let sizes = [343, 94, 16, 32, 64, 128, 160, 256];
        for (name, size) in NAMES.iter().zip(sizes) {
            let electrodes = electrodes(name).unwrap();
            assert_eq!(electrodes.len(), size, "{name}");
            for (at, electrode) in electrodes.iter().enumerate() {
                let radius = electrode.position.iter().map(|v| v * v).sum::<f64>().sqrt();
                assert!((0.05..0.2).contains(&radius), "{name} {electrode:?}");
                assert!(electrodes[..at].iter().all(|e| e.name != electrode.name), "{name} {electrode:?}");
            }
        }
        assert_eq!(TABLE.lines().count(), 1 + sizes.iter().sum::<usize>());
    }

    #[test]
    fn positions_are_the_peers() {
        for (montage, name, position) in [
            ("standard_1005", "Fp1", [-0.03090258833242555, 0.11458517879242798, 0.02786657432908913]),
            ("colin27_1005", "t3", [-0.08598207795805729, 0.014871638175652204, 0.031173373739044698]),
            ("standard_1020", "Cz", [-0.0013741334028190722, 0.027617093595102737, 0.14019949417439556]),
            ("BioSemi64", "Oz", [5.813528692679268e-18, -0.0949421285668141, 0.03683328267862884]),
            ("biosemi256", "A1", [0.0, 0.0, 0.13514873486536644]),
        ] {
            let electrodes = electrodes(montage).unwrap();
            assert_eq!(find(&electrodes, name).unwrap().position, position, "{montage} {name}");
        }
    }

    #[test]
    fn unknown_montages_are_usage_errors() {
        let error = electrodes("standard_1010").unwrap_err();
        assert!(matches!(error, Error::Usage(_)));
        assert_eq!(
            error.to_string(),
            "--montage standard_1010: not known here; one of standard_1005, standard_1020, biosemi16, \
             biosemi32, biosemi64, biosemi128, biosemi160, biosemi256"
        );
    }
}
