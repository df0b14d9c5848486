//! What a new password must be: long enough, and hard to guess for whoever knows what people choose (`model.md` §9).
//!
//! There are no rules of composition. `zxcvbn` estimates how many guesses it takes; it knows thirty thousand common passwords,
//! names, words, dates, rows of keys, and is told what this user and account are called. One function is behind every
//! way to a new password.

use zxcvbn::{Score, zxcvbn};

use super::Blocklist;

/// The fewest characters.
pub const SHORTEST: usize = 8;
/// The most.
pub const LONGEST: usize = 256;
/// So many characters make a part of a name a word that is guessed.
const PART: usize = 3;
/// A hundred million guesses: slow ones, by what a guess costs here.
const ENOUGH: Score = Score::Three;

/// Why a password may not be one. Says nothing of the password itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Weak(String);

/// Refuses a password that is easily guessed. `names` are what its user and account are called, in any form.
///
/// It takes milliseconds, for a long one tens of them: call it on a [`super::Pool`].
pub fn check(password: &str, names: &[&str], blocklist: Option<&Blocklist>) -> Result<(), Weak> {
    let length = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        let why = format!("a password has {SHORTEST} to {LONGEST} characters, this one {length}");
        return Err(Weak(why));
    }
    if blocklist.is_some_and(|list| list.has(password)) {
        return Err(Weak("it is in a list of passwords that have become known".to_owned()));
    }
    let mut words = vec!["chancery".to_owned()];
    for name in names.iter().filter(|name| !name.is_empty()) {
        let parts: Vec<&str> = name.split(|letter: char| !letter.is_alphanumeric()).collect();
        words.extend([(*name).to_owned(), parts.concat()]);
        let parts = parts.into_iter().filter(|part| part.chars().count() >= PART);
        words.extend(parts.map(str::to_owned));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let estimate = zxcvbn(password, &words);
    if estimate.score() >= ENOUGH {
        return Ok(());
    }
    Err(Weak(advice(&estimate)))
}

/// Puts what the estimate found into words.
fn advice(estimate: &zxcvbn::Entropy) -> String {
    let mut text = String::from("it is easily guessed");
    if let Some(feedback) = estimate.feedback() {
        let warning = feedback.warning().map(|warning| warning.to_string());
        let others = feedback.suggestions().iter().map(ToString::to_string);
        for (n, said) in warning.into_iter().chain(others).enumerate() {
            text.push_str(if n == 0 { ": " } else { " " });
            text.push_str(&said);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(password: &str) -> String {
        let names = ["Acme Phones", "acme", "maria.keller", "maria.keller@acme.example", ""];
        check(password, &names, None).err().map(|weak| weak.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_length_is_counted_in_characters_and_nothing_else_is_asked_of_a_form() {
        assert!(why("xkq7vzp").contains("this one 7"));
        assert!(why(&"пароль".repeat(43)).contains("this one 258"));
        for good in ["kaufhaus tiger lampe", "zqjmvxkwpt", "4917360285179", "ξάνθη ουρανός λύχνος"]
        {
            assert_eq!(why(good), "", "{good}");
        }
        let long: String = ('a'..='z').cycle().step_by(7).take(LONGEST).collect();
        assert_eq!(why(&long), "");
    }

    #[test]
    fn what_many_people_choose_is_refused_in_any_disguise() {
        for common in [
            "password",
            "Password1!",
            "p@ssw0rd",
            "12345678",
            "qwertyuiop",
            "iloveyou1",
            "letmein123",
            "aaaaaaaaaa",
            "abcdefgh",
            "19871987",
            "drowssap",
            "football1",
            "trustno1",
        ] {
            assert!(why(common).starts_with("it is easily guessed"), "{common}: {}", why(common));
        }
        assert!(why("password").contains("common password"), "{}", why("password"));
    }

    #[test]
    fn what_user_and_account_are_called_makes_no_password() {
        for named in
            ["maria.keller", "MariaKeller1", "acmephones", "acme2024", "chancery1", "Keller-Acme"]
        {
            assert_ne!(why(named), "", "{named}");
        }
        assert_eq!(check("Keller-Acme-lampe-7", &[], None), Ok(()));
    }

    #[test]
    fn a_reason_repeats_nothing_of_the_password() {
        for weak in ["sesame99", "dragon42", "monkey77"] {
            assert!(!why(weak).is_empty() && !why(weak).contains(weak), "{weak}");
        }
    }
}
