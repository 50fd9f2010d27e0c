//! Pictures of few colours as one byte a pixel: a third of the bytes to filter and compress.

use super::colours::Rgb;

/// Colours of a picture and, for every pixel, which one it has.
pub(super) struct Indexed {
    /// At most 256 colours, red, green and blue of each.
    pub palette: Vec<u8>,
    pub pixels: Vec<u8>,
}

/// Slots of the search table: a power of two well above 256.
const SLOTS: usize = 1024;

/// `rgb`, three bytes a pixel, by indices; nothing where it has more than 256 colours.
pub(super) fn indexed(rgb: &[u8]) -> Option<Indexed> {
    let mut found = Indexed { palette: Vec::new(), pixels: Vec::with_capacity(rgb.len() / 3) };
    let mut slots: Vec<Option<(Rgb, u8)>> = vec![None; SLOTS];
    let mut last: Option<(Rgb, u8)> = None;
    for pixel in rgb.chunks_exact(3) {
        let colour = [pixel[0], pixel[1], pixel[2]];
        let index = match last {
            Some((same, index)) if same == colour => index,
            _ => find(colour, &mut slots, &mut found.palette)?,
        };
        last = Some((colour, index));
        found.pixels.push(index);
    }
    Some(found)
}

/// The index of `colour`, given to it at its first appearance.
fn find(colour: Rgb, slots: &mut [Option<(Rgb, u8)>], palette: &mut Vec<u8>) -> Option<u8> {
    let [r, g, b] = colour.map(usize::from);
    let mut at = (r * 31 + g * 57 + b * 101) % slots.len();
    loop {
        match slots[at] {
            Some((known, index)) if known == colour => return Some(index),
            Some(_) => at = (at + 1) % slots.len(),
            None => {
                let index = u8::try_from(palette.len() / 3).ok()?;
                slots[at] = Some((colour, index));
                palette.extend(colour);
                return Some(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_are_found_again_and_many_are_left_alone() {
        let colours: Vec<[u8; 3]> = (0..256u32).map(|i| [i as u8, (i * 7) as u8, (i % 3) as u8]).collect();
        let rgb: Vec<u8> = colours.iter().chain(colours.iter().rev()).flatten().copied().collect();
        let found = indexed(&rgb).unwrap();
        assert_eq!(found.palette.len(), 768);
        let back = found.pixels.iter().flat_map(|i| found.palette[usize::from(*i) * 3..][..3].to_vec());
        assert_eq!(back.collect::<Vec<_>>(), rgb);
        let more: Vec<u8> = rgb.iter().copied().chain([255, 1, 200]).collect();
        assert!(indexed(&more).is_none());
        assert!(indexed(&[]).unwrap().palette.is_empty());
    }
}
