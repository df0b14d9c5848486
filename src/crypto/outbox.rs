//! The token in a message: worked out when it is sent, and hashed where it is checked (`edges.md` §5).
//!
//! It is an HMAC of all that the row says, under a key that is not in the store. Whoever reads the store cannot work it out, and
//! whoever writes it plants no row: the digest beside it would have to be that of a token that he does not know.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::KeyRing;
use super::chain::hex;
use super::keys::mac;
use super::secret::NoRandomness;
use super::token::{Secret, TokenKind};

/// Works out the token of a message from what its row says, joined by [`super::seal::context`].
pub fn token(keys: &KeyRing, said: &[u8]) -> Result<Secret, NoRandomness> {
    let mut block = 0_u32;
    // The MAC of a number and the text gives as many bytes as are wanted, and nobody else can tell them from random ones.
    Secret::mint(TokenKind::Rst, |bytes| {
        for chunk in bytes.chunks_mut(32) {
            let made = mac(&keys.outbox, &[&block.to_be_bytes(), said]);
            for (to, from) in chunk.iter_mut().zip(made) {
                *to = from;
            }
            block = block.checked_add(1).ok_or(NoRandomness)?;
        }
        Ok(())
    })
}

/// Signs what is sent to a program of the operator's, under a secret that both know.
pub fn signature(secret: &str, body: &[u8]) -> String {
    // An HMAC takes a key of any length; what is no key signs nothing.
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mac = mac.map(|mac| mac.chain_update(body).finalize().into_bytes());
    mac.map(|mac| format!("sha256={}", hex(&mac))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_rfc_4231() {
        let signed = signature("Jefe", b"what do ya want for nothing?");
        assert_eq!(
            signed,
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_token_is_the_same_each_time_and_another_for_another_row_or_key() {
        let [one, other] = [1, 2].map(|seed| KeyRing::from_master(&[seed; 32]));
        let first = token(&one, b"row").unwrap();
        assert_eq!(first.expose(), token(&one, b"row").unwrap().expose());
        assert_ne!(first.expose(), token(&one, b"rox").unwrap().expose());
        assert_ne!(first.expose(), token(&other, b"row").unwrap().expose());
        let parsed = super::super::token::parse(first.expose()).unwrap();
        assert_eq!(parsed.kind(), TokenKind::Rst);
    }
}
