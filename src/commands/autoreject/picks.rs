//! Which channels are fitted: by default, by name, or by type (spec autoreject 1).

use super::channels::{Channel, ChannelKind};
use crate::error::{Error, Result};

/// Names listed in one message.
const LISTED: usize = 8;

/// Data channels that are not marked bad, ascending.
pub fn default_picks(channels: &[Channel]) -> Vec<usize> {
    (0..channels.len()).filter(|&at| channels[at].kind.is_data() && !channels[at].bad).collect()
}

/// The channels that `words` name, ascending, each once. A name keeps a channel that is marked
/// bad, a type leaves it out, as the peer does.
///
/// # Errors
/// [`Error::Usage`] for a word that is neither a name nor a type of the recording.
pub fn named_picks(words: &[String], channels: &[Channel]) -> Result<Vec<usize>> {
    let mut taken = vec![false; channels.len()];
    for word in words {
        let found = find("--picks", word, channels)?;
        for at in found.channels {
            taken[at] |= found.by_name || !channels[at].bad;
        }
    }
    Ok((0..channels.len()).filter(|&at| taken[at]).collect())
}

/// Marks the channels that `words` name as bad.
///
/// # Errors
/// As [`named_picks`].
pub fn mark_bads(words: &[String], channels: &mut [Channel]) -> Result<()> {
    for word in words {
        for at in find("--bads", word, channels)?.channels {
            channels[at].bad = true;
        }
    }
    Ok(())
}

struct Found {
    channels: Vec<usize>,
    by_name: bool,
}

fn find(flag: &str, word: &str, channels: &[Channel]) -> Result<Found> {
    if let Some(at) = channels.iter().position(|channel| channel.name == word) {
        return Ok(Found { channels: vec![at], by_name: true });
    }
    let Some(kinds) = kinds_called(word) else {
        return Err(Error::usage(format!(
            "{flag} {word}: no channel and no type of this name; {}",
            suggestion(word, channels)
        )));
    };
    let of_type: Vec<usize> = (0..channels.len()).filter(|&at| kinds.contains(&channels[at].kind)).collect();
    if of_type.is_empty() {
        let mut there: Vec<&str> = Vec::new();
        for channel in channels {
            if !there.contains(&channel.kind.name()) {
                there.push(channel.kind.name());
            }
        }
        return Err(Error::usage(format!(
            "{flag} {word}: no channel of this type; the recording has {}",
            there.join(", ")
        )));
    }
    Ok(Found { channels: of_type, by_name: false })
}

/// The types a word stands for.
fn kinds_called(word: &str) -> Option<Vec<ChannelKind>> {
    match word.to_ascii_lowercase().as_str() {
        "meg" => Some(vec![ChannelKind::Mag, ChannelKind::Grad]),
        "fnirs" => Some(vec![ChannelKind::Hbo, ChannelKind::Hbr]),
        "misc" => Some(vec![ChannelKind::Other]),
        word => match ChannelKind::parse(word) {
            ChannelKind::Other => None,
            kind => Some(vec![kind]),
        },
    }
}

/// Names near `word`, or some of those there are.
pub fn suggestion(word: &str, channels: &[Channel]) -> String {
    let wanted = word.to_lowercase();
    let most = if wanted.chars().count() <= 2 { 1 } else { 2 };
    let mut near: Vec<(usize, &str)> = channels
        .iter()
        .map(|channel| (distance(&channel.name.to_lowercase(), &wanted), channel.name.as_str()))
        .filter(|&(far, _)| far <= most)
        .collect();
    near.sort_by_key(|&(far, _)| far);
    if near.is_empty() {
        let names: Vec<&str> = channels.iter().take(LISTED).map(|channel| channel.name.as_str()).collect();
        let more = if channels.len() > LISTED { ", ..." } else { "" };
        return format!("the recording has {}{more}", names.join(", "));
    }
    let names: Vec<&str> = near.iter().take(LISTED).map(|&(_, name)| name).collect();
    format!("near it: {}", names.join(", "))
}

/// Number of letters to insert, delete or change on the way from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, &other) in b.iter().enumerate() {
            let changed = corner + usize::from(letter != other);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Vec<Channel> {
        let channel = |name: &str, kind, bad| Channel { name: name.into(), kind, position: None, bad };
        vec![
            channel("Fp1", ChannelKind::Eeg, false),
            channel("Fp2", ChannelKind::Eeg, true),
            channel("VEOG", ChannelKind::Eog, false),
            channel("M1", ChannelKind::Mag, false),
            channel("trigger", ChannelKind::Other, false),
        ]
    }

    fn picked(words: &[&str]) -> Result<Vec<usize>> {
        named_picks(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>(), &recording())
    }

    #[test]
    fn the_default_leaves_out_eye_movements_others_and_bads() {
        assert_eq!(default_picks(&recording()), [0, 3]);
    }

    #[test]
    fn names_keep_bads_and_types_do_not() {
        assert_eq!(picked(&["Fp2"]).unwrap(), [1]);
        assert_eq!(picked(&["meg", "eeg"]).unwrap(), [0, 3]);
        assert_eq!(picked(&["EEG", "Fp2", "Fp1", "eog"]).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn bads_are_marked_by_name_or_type() {
        let mut channels = recording();
        mark_bads(&["eeg".into(), "M1".into()], &mut channels).unwrap();
        assert_eq!(channels.iter().map(|c| c.bad).collect::<Vec<_>>(), [true, true, false, true, false]);
    }

    #[test]
    fn unknown_words_are_usage_errors_that_list_near_names() {
        let message = |word: &str| picked(&[word]).unwrap_err();
        assert!(matches!(message("Fp3"), Error::Usage(_)));
        assert_eq!(
            message("Fp3").to_string(),
            "--picks Fp3: no channel and no type of this name; near it: Fp1, Fp2"
        );
        assert_eq!(
            message("fp2").to_string(),
            "--picks fp2: no channel and no type of this name; near it: Fp2, Fp1"
        );
        assert_eq!(
            message("nonsense").to_string(),
            "--picks nonsense: no channel and no type of this name; \
             the recording has Fp1, Fp2, VEOG, M1, trigger"
        );
        assert_eq!(
            message("grad").to_string(),
            "--picks grad: no channel of this type; the recording has eeg, eog, mag, misc"
        );
    }

    #[test]
    fn distances_count_letters() {
        assert_eq!((distance("", "abc"), distance("cz", "cz"), distance("fcz", "cz")), (3, 0, 1));
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
