//! Which electrodes there are.

/// From an electrode's number to its place in the order of the engine, and back.
#[derive(Debug, Clone)]
pub(super) struct Electrodes {
    ids: Vec<u16>,
    /// `[number]`: place, [`NONE`] where nobody has it.
    places: Vec<u16>,
}

/// No electrode. Numbers are 16-bit, so no place of distinct ones but the last could be this.
const NONE: u16 = u16::MAX;

impl Electrodes {
    /// In this order; of a number that is there twice the first place holds, and places beyond
    /// 65534 are none.
    pub(super) fn new(ids: &[u16]) -> Self {
        let most = ids.iter().max().map_or(0, |&id| usize::from(id) + 1);
        let mut places = vec![NONE; most];
        for (place, &id) in ids.iter().enumerate().take(usize::from(NONE)).rev() {
            places[usize::from(id)] = place as u16;
        }
        Electrodes { ids: ids.to_vec(), places }
    }

    /// The place of a number.
    pub(super) fn index(&self, id: u16) -> Option<usize> {
        self.places.get(usize::from(id)).filter(|&&place| place != NONE).map(|&place| usize::from(place))
    }

    /// The number of a place.
    pub(super) fn id(&self, place: usize) -> Option<u16> {
        self.ids.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_places_go_both_ways() {
        let electrodes = Electrodes::new(&[7, 0, 65535, 7]);
        let found = [7, 0, 65535, 1, 8].map(|id| electrodes.index(id));
        assert_eq!(found, [Some(0), Some(1), Some(2), None, None]);
        assert_eq!((electrodes.id(2), electrodes.id(4)), (Some(65535), None));
        assert_eq!(Electrodes::new(&[]).index(0), None);
    }
}
