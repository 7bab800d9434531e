//! Mix-minus: each party hears all the others.

/// Samples of one turn of a mixer: 20 ms.
pub const TURN: usize = 160;

/// The sum of one turn, from which each party's own part is taken away again.
#[derive(Debug, Clone)]
pub struct Mixer {
    sum: [i32; TURN],
}

impl Default for Mixer {
    fn default() -> Mixer {
        Mixer { sum: [0; TURN] }
    }
}

impl Mixer {
    /// Forgets the last turn.
    pub fn clear(&mut self) {
        self.sum = [0; TURN];
    }

    /// Adds what one party says.
    pub fn add(&mut self, said: &[i16; TURN]) {
        for (sum, sample) in self.sum.iter_mut().zip(said) {
            *sum += i32::from(*sample);
        }
    }

    /// What a party hears: everything but what it said itself (`None`: a listener). Clipped, never wrapped.
    pub fn hear(&self, said: Option<&[i16; TURN]>, heard: &mut [i16; TURN]) {
        for (n, sample) in heard.iter_mut().enumerate() {
            let own = said.map_or(0, |s| i32::from(s[n]));
            *sample = (self.sum[n] - own).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_hears_the_others_and_loud_sums_are_clipped() {
        let parties = [[100; TURN], [-30; TURN], [32_767; TURN]];
        let mut mixer = Mixer::default();
        parties.iter().for_each(|p| mixer.add(p));
        let hears = |said: Option<&[i16; TURN]>| {
            let mut heard = [0; TURN];
            mixer.hear(said, &mut heard);
            heard[0]
        };
        assert_eq!(
            parties.each_ref().map(|p| hears(Some(p))),
            [32_737, 32_767, 70]
        );
        assert_eq!(hears(None), 32_767);
    }
}
