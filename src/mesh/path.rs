//! The path of a request, taken apart only where nobody could take it apart in another way (`edges.md` §6).
//!
//! Nothing is normalised here: what the server behind reads may be normalised by its own rules or not at all, and what is
//! judged must be what is done. So whatever two programs could read as two paths is refused.

/// The longest path, in bytes.
const LONGEST: usize = 4096;
/// What an encoded byte must not be: some servers take it for the separator, the dot or the end that it is decoded to.
const NEVER: &[u8] = b"/\\.\0";

/// Why a path is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It does not begin with a slash.
    #[error("the path does not begin with `/`")]
    NoSlash,
    /// It is longer than anything that is looked at.
    #[error("the path is longer than {LONGEST} bytes")]
    Long,
    /// Two slashes follow each other.
    #[error("the path holds `//`")]
    DoubleSlash,
    /// A step is `.` or `..`.
    #[error("the path holds a step of dots")]
    Dots,
    /// A character that some take for more than it is.
    #[error("the path holds `;`, `\\`, `#`, a space or a character outside ASCII")]
    Character,
    /// `%` and no two hexadecimal digits.
    #[error("the path holds a `%` that encodes nothing")]
    Escape,
    /// What must not be encoded.
    #[error("the path encodes `/`, `\\`, `.` or a control character")]
    Hidden,
    /// What needs not be encoded, so that it can be written in two ways.
    #[error("the path encodes a character that stands for itself")]
    Needless,
    /// What is decoded is no text.
    #[error("the path is not UTF-8")]
    Utf8,
}

/// Cuts off the query and returns the decoded steps of what is before it; none for `/` alone.
///
/// A slash at the end makes a last step that is empty.
pub fn steps(target: &str) -> Result<Vec<String>, BadPath> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let inside = path.strip_prefix('/').ok_or(BadPath::NoSlash)?;
    if path.len() > LONGEST {
        return Err(BadPath::Long);
    }
    if path.contains("//") {
        return Err(BadPath::DoubleSlash);
    }
    if path.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b';' | b'\\' | b'#')) {
        return Err(BadPath::Character);
    }
    if inside.is_empty() {
        return Ok(Vec::new());
    }
    inside.split('/').map(step).collect()
}

fn step(raw: &str) -> Result<String, BadPath> {
    if matches!(raw, "." | "..") {
        return Err(BadPath::Dots);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let (byte, after) = escape(rest).ok_or(BadPath::Escape)?;
        if NEVER.contains(&byte) || byte.is_ascii_control() {
            return Err(BadPath::Hidden);
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            return Err(BadPath::Needless);
        }
        decoded.push(byte);
        rest = after;
    }
    // Encoded twice: whoever decodes twice would find it.
    let twice = decoded.iter().enumerate().any(|(at, byte)| {
        let inner = decoded.get(at + 1..).and_then(escape);
        *byte == b'%' && inner.is_some_and(|(byte, _)| NEVER.contains(&byte))
    });
    if twice {
        return Err(BadPath::Hidden);
    }
    String::from_utf8(decoded).map_err(|_| BadPath::Utf8)
}

/// Reads the two digits behind a `%`.
fn escape(digits: &[u8]) -> Option<(u8, &[u8])> {
    let (pair, after) = digits.split_at_checked(2)?;
    let digit = |at: usize| pair.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    Some((byte, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_its_steps_without_the_query() {
        let steps = |target| steps(target).unwrap();
        assert_eq!(steps("/v1/users/7?x=/../%2F;#"), ["v1", "users", "7"]);
        assert_eq!(steps("/v1/users/"), ["v1", "users", ""]);
        assert_eq!(steps("/"), [""; 0]);
        assert_eq!(steps("/?"), [""; 0]);
        assert_eq!(steps("/a%20b/c%C3%A9/d%25"), ["a b", "cé", "d%"]);
        assert_eq!(steps("/.well-known/a..b/...")[2], "...");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for (bad, why) in [
            ("", BadPath::NoSlash),
            ("v1/users", BadPath::NoSlash),
            ("http://host/v1", BadPath::NoSlash),
            ("*", BadPath::NoSlash),
            ("?/v1", BadPath::NoSlash),
            ("//v1", BadPath::DoubleSlash),
            ("/v1//users", BadPath::DoubleSlash),
            ("/v1/./users", BadPath::Dots),
            ("/v1/../users", BadPath::Dots),
            ("/v1/..", BadPath::Dots),
            ("/v1/users;a=b", BadPath::Character),
            ("/v1\\users", BadPath::Character),
            ("/v1/users#x", BadPath::Character),
            ("/v1/us ers", BadPath::Character),
            ("/v1/usérs", BadPath::Character),
            ("/v1/users%2fx", BadPath::Hidden),
            ("/v1/users%2Fx", BadPath::Hidden),
            ("/v1/users%5Cx", BadPath::Hidden),
            ("/v1/users%5cx", BadPath::Hidden),
            ("/v1/%2E%2e/x", BadPath::Hidden),
            ("/v1/%2e", BadPath::Hidden),
            ("/v1/x%00", BadPath::Hidden),
            ("/v1/x%0A", BadPath::Hidden),
            ("/v1/x%252F", BadPath::Hidden),
            ("/v1/x%252e%252E", BadPath::Hidden),
            ("/v1/%61dmin", BadPath::Needless),
            ("/v1/%2D", BadPath::Needless),
            ("/v1/%", BadPath::Escape),
            ("/v1/%2", BadPath::Escape),
            ("/v1/%+1", BadPath::Escape),
            ("/v1/%zz", BadPath::Escape),
            ("/v1/%ff", BadPath::Utf8),
            ("/v1/%C3", BadPath::Utf8),
        ] {
            assert_eq!(steps(bad), Err(why), "{bad}");
        }
        assert_eq!(steps(&format!("/{}", "x".repeat(LONGEST))), Err(BadPath::Long));
    }
}
