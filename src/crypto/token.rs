//! The secrets of API tokens and of sessions: `chy_<kind>_`, 36 random characters of 0-9A-Za-z, and six that are the
//! checksum of all before them (`model.md` §9).
//!
//! The checksum lets scanners, and us, tell a token from a word without asking the store. At rest there is only a keyed hash, so that
//! whoever reads the store signs in as nobody, and whoever writes it plants no token (`edges.md` §5).

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::KeyRing;
use super::keys::mac;
use super::secret::{NoRandomness, Redacted};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH: usize = 36;
const CHECKSUM_LENGTH: usize = 6;
/// How long a token's text is, in characters, all of them ASCII.
pub const LENGTH: usize = "chy_pat_".len() + RANDOM_LENGTH + CHECKSUM_LENGTH;

/// Whose token it is; told by its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `pat`: of a user who is a person.
    Pat,
    /// `svc`: of a service user.
    Svc,
    /// `ref`: goes on with a session. It is no credential for anything else.
    Ref,
    /// `rst`: in a message, for setting a password once.
    Rst,
}

impl TokenKind {
    /// Every kind that there is.
    pub const ALL: &[Self] = &[Self::Pat, Self::Svc, Self::Ref, Self::Rst];

    /// Returns the three letters that stand for it in a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pat => "pat",
            Self::Svc => "svc",
            Self::Ref => "ref",
            Self::Rst => "rst",
        }
    }
}

/// The text is no token. Says no more, for it may be half a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Wrong beginning, letters or length.
    #[error("this has not the form of a token: `chy_`, a kind, `_`, and 42 letters or digits")]
    Form,
    /// It was cut, changed or made up.
    #[error("this has the form of a token, and its checksum is wrong")]
    Checksum,
}

/// A token's secret, fresh from the mint: shown once, wiped when dropped, printed by no `Debug`.
pub struct Secret(SecretString);

impl Secret {
    /// Mints a secret of 36 characters, each of the 62 equally likely: some 214 bits.
    pub fn mint(
        kind: TokenKind,
        mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Self, NoRandomness> {
        // Room for all from the start: growing would leave a copy behind that nobody wipes.
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str("chy_");
        text.push_str(kind.name());
        text.push('_');
        draw(&mut text, LENGTH - CHECKSUM_LENGTH, &mut random)?;
        let checksum = checksum(text.as_bytes());
        text.extend(checksum.map(char::from));
        Ok(Self(SecretString::from(text.as_str())))
    }

    /// Returns the secret itself: for the one answer that shows it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns what the store keeps instead of it.
    pub fn digest(&self, keys: &KeyRing) -> [u8; 32] {
        digest(keys, self.expose())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&Redacted).finish()
    }
}

/// Fills `text` up to `length` with random letters of the alphabet.
fn draw(
    text: &mut String,
    length: usize,
    random: &mut impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
) -> Result<(), NoRandomness> {
    // One round gives 62 letters of 64 on average; a source that is still short after 16 is none.
    for _ in 0..16 {
        let mut drawn = Zeroizing::new([0; 64]);
        random(drawn.as_mut_slice())?;
        // Six bits make 0..64. The two numbers without a letter are passed over, not folded in,
        // else two letters would be likelier than the others.
        let letters = drawn.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
        text.extend(letters.take(length.saturating_sub(text.len())).map(|byte| char::from(*byte)));
        if text.len() >= length {
            return Ok(());
        }
    }
    Err(NoRandomness)
}

/// Writes the CRC-32 (IEEE) of `head` in base 62, highest digit first, zero-padded.
fn checksum(head: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(head);
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for place in digits.iter_mut().rev() {
        let digit = usize::try_from(rest % 62).unwrap_or_default();
        *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

/// A text that has the form of a token. Whether it is one, the store knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ParsedToken<'a> {
    kind: TokenKind,
    text: &'a str,
}

impl ParsedToken<'_> {
    /// Returns the kind that it says it is.
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// Returns what the store would keep of it.
    pub fn digest(&self, keys: &KeyRing) -> [u8; 32] {
        digest(keys, self.text)
    }
}

impl fmt::Debug for ParsedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParsedToken").field("kind", &self.kind).field("text", &Redacted).finish()
    }
}

/// Reads a token's text, which must be one to the letter: no space around it, nothing after it.
pub fn parse(text: &str) -> Result<ParsedToken<'_>, Malformed> {
    let parts = text.split_at_checked(LENGTH - CHECKSUM_LENGTH);
    let (head, tail) = parts.ok_or(Malformed::Form)?;
    let named = head.strip_prefix("chy_").and_then(|rest| rest.split_once('_'));
    let (kind, letters) = named.ok_or(Malformed::Form)?;
    let kind = TokenKind::ALL.iter().copied().find(|known| known.name() == kind);
    let kind = kind.ok_or(Malformed::Form)?;
    let alphabet = |text: &str| text.bytes().all(|letter| letter.is_ascii_alphanumeric());
    let lengths = letters.len() == RANDOM_LENGTH && tail.len() == CHECKSUM_LENGTH;
    if !lengths || !alphabet(letters) || !alphabet(tail) {
        return Err(Malformed::Form);
    }
    // The checksum is no secret: whoever sent the text could have computed it.
    if tail.as_bytes() != checksum(head.as_bytes()) {
        return Err(Malformed::Checksum);
    }
    Ok(ParsedToken { kind, text })
}

/// Returns what the store keeps of a secret: its HMAC-SHA-256 under the token key. Stores find tokens by it,
/// so that no secret is ever compared letter by letter.
pub fn digest(keys: &KeyRing, secret: &str) -> [u8; 32] {
    mac(&keys.token, &[secret.as_bytes()])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::crypto::secret::system;

    /// Foreseeable bytes: 0, 1, 2 …, going on from one draw to the next.
    fn counting() -> impl FnMut(&mut [u8]) -> Result<(), NoRandomness> {
        let mut next = 0_u8;
        move |bytes| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
            Ok(())
        }
    }

    #[test]
    fn the_crc_is_the_ieee_one_in_base_62() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        // 3 421 780 262 in base 62 has the digits 3 45 35 27 22 14.
        assert_eq!(&checksum(b"123456789"), b"3jZRME");
        assert_eq!(&checksum(b""), b"000000");
    }

    #[test]
    fn a_known_token_is_minted_from_known_bytes() {
        let secret = Secret::mint(TokenKind::Pat, counting()).unwrap();
        assert_eq!(secret.expose(), "chy_pat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ3dAOQ0");
    }

    #[test]
    fn every_letter_is_as_likely_as_any_other() {
        let mut seen: HashMap<char, u32> = HashMap::new();
        for _ in 0..4000 {
            let secret = Secret::mint(TokenKind::Svc, system).unwrap();
            for letter in secret.expose()[8..44].chars() {
                *seen.entry(letter).or_default() += 1;
            }
        }
        // 144 000 letters, 2323 of each, give or take 48 (one sigma): 300 is more than six of them.
        assert_eq!(seen.len(), 62);
        assert!(seen.values().all(|count| count.abs_diff(2323) < 300), "{seen:?}");
    }

    #[test]
    fn a_source_that_fails_or_is_stuck_mints_nothing() {
        assert!(Secret::mint(TokenKind::Pat, |_| Err(NoRandomness)).is_err());
        let stuck = |bytes: &mut [u8]| {
            bytes.fill(0xff);
            Ok(())
        };
        assert!(Secret::mint(TokenKind::Pat, stuck).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = Secret::mint(TokenKind::Pat, system).unwrap();
        let parsed = parse(secret.expose()).unwrap();
        let shown = format!("{secret:?} {parsed:?} {:?}", parse("chy_pat_half"));
        assert!(!shown.contains(&secret.expose()[8..14]), "{shown}");
        assert!(shown.contains("[redacted]"));
    }

    #[test]
    fn a_digest_hangs_on_the_key() {
        let [one, other] = [1, 2].map(|seed| KeyRing::from_master(&[seed; 32]));
        let secret = Secret::mint(TokenKind::Pat, system).unwrap();
        let parsed = parse(secret.expose()).unwrap();
        assert_eq!(secret.digest(&one), parsed.digest(&one));
        assert_ne!(secret.digest(&one), secret.digest(&other));
    }

    #[test]
    fn near_tokens_are_refused() {
        let secret = Secret::mint(TokenKind::Pat, system).unwrap();
        let text = secret.expose();
        for near in [
            String::new(),
            "chy_pat_".to_owned(),
            format!("{text} "),
            format!(" {text}"),
            format!("{text}0"),
            text[..49].to_owned(),
            text.replacen("chy_", "CHY_", 1),
            text.replacen("_pat_", "_svc_", 1),
        ] {
            assert!(parse(&near).is_err());
        }
        // A right checksum does not help a wrong kind or letter.
        for head in [format!("chy_xyz_{}", "0".repeat(36)), format!("chy_pat_{}-", "0".repeat(35))]
        {
            let tail = checksum(head.as_bytes()).map(char::from);
            assert!(parse(&head.chars().chain(tail).collect::<String>()).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_is_minted_is_read(service: bool) {
            let kind = if service { TokenKind::Svc } else { TokenKind::Pat };
            let secret = Secret::mint(kind, system).unwrap();
            prop_assert_eq!(secret.expose().len(), LENGTH);
            prop_assert_eq!(parse(secret.expose()).unwrap().kind(), kind);
        }

        #[test]
        fn a_flipped_bit_is_refused(at in 0..LENGTH, bit in 0_u32..7) {
            let secret = Secret::mint(TokenKind::Pat, system).unwrap();
            let mut bytes = secret.expose().as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(parse(&text).is_err());
        }

        #[test]
        fn no_text_panics(text in prop_oneof![
            ".*", "\\PC{50}", "chy_(pat|svc)_.{0,50}", "chy_pat_[0-9A-Za-z]{42}", "chy_[a-z]{3}_\\PC{42}",
        ]) {
            if parse(&text).is_ok() {
                prop_assert_eq!(text.len(), LENGTH);
            }
        }
    }
}
