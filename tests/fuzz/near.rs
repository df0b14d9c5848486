//! Inputs that are like those of a corpus, and a little beside them.

/// Foreseeable chance: `SplitMix64` from zero.
#[derive(Default)]
pub(crate) struct Chance(u64);

/// What decoders stumble over.
const WORDS: [&[u8]; 20] = [
    b"\0",
    b"\n",
    b"\"",
    b"\\",
    b"%",
    b"/",
    b"-",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"&a ",
    b"*a",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"1e400",
    b"\xff",
    "\u{202e}".as_bytes(),
];
/// The longest input that is made.
const LONGEST: usize = 1 << 14;

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// Where something begins and ends in so many bytes.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let [one, other] = [self.below(length + 1), self.below(length + 1)];
        one.min(other)..one.max(other)
    }

    /// Changes one of `files` in one to four ways.
    pub(crate) fn near(&mut self, files: &[Vec<u8>]) -> Vec<u8> {
        let all: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        let mut input = self.of(&all).to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut input, &all);
            input.truncate(LONGEST);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, all: &[&[u8]]) {
        let range = self.range(input.len());
        match self.below(6) {
            // A bit is flipped,
            0 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] ^= 1 << self.below(8);
            }
            // something is left out,
            1 => drop(input.drain(range)),
            // repeated,
            2 => {
                let part = input[range.clone()].repeat(1 + self.below(3));
                input.splice(range.end..range.end, part);
            }
            // put in from another file,
            3 => {
                let other = self.of(all);
                let part = self.range(other.len());
                input.splice(range, other[part].iter().copied());
            }
            // cut off,
            4 => input.truncate(range.end),
            // or a word is put in.
            _ => {
                let word = self.of(&WORDS);
                input.splice(range.start..range.start, word.iter().copied());
            }
        }
    }
}
