//! Choices that depend on a seed and a step alone.

pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64, step: u64) -> Random {
        let mut random = Random { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (step + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9) };
        for _ in 0..3 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub fn version(&mut self, from: i16, to: i16) -> i16 {
        from + self.below((to - from + 1) as usize) as i16
    }
}
