//! The signature of a post: HMAC-SHA-256 over its body, as several forges make it.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Whether `hex` is the signature that one of `secrets` makes of `body`.
///
/// All secrets are tried, each in time that does not depend on where the signatures differ:
/// there are two of them while one takes the place of the other.
pub(super) fn is_signed(secrets: &[SecretString], body: &[u8], hex: &str) -> bool {
    let Some(presented) = bytes(hex) else {
        return false;
    };
    let made_it = |secret: &&SecretString| {
        let secret = secret.expose_secret().as_bytes();
        // Anybody can sign with nothing.
        !secret.is_empty()
            && mac(secret, body).is_some_and(|mac| mac.verify_slice(&presented).is_ok())
    };
    secrets.iter().filter(made_it).count() > 0
}

/// The signature that `secret` makes of `body`, in lower-case hexadecimal digits.
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    use std::fmt::Write;
    let made = mac(secret.expose_secret().as_bytes(), body);
    let bytes = made.map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a text does not fail.
        if write!(hex, "{byte:02x}").is_err() {
            break;
        }
    }
    hex
}

/// What `secret` makes of `body`, to be compared or read.
pub(super) fn mac(secret: &[u8], body: &[u8]) -> Option<Hmac<Sha256>> {
    // A key of any length is good; the error is the interface's.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(body);
    Some(mac)
}

/// The 32 bytes that 64 hexadecimal digits say, in either case.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn the_example_of_the_documentation_is_signed() {
        let known = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = secret("It's a Secret to Everybody");
        assert_eq!(sign(&secret, b"Hello, World!"), known);
        assert!(is_signed(&[secret], b"Hello, World!", known));
    }

    #[test]
    fn while_a_secret_is_replaced_both_are_good() {
        let secrets = [secret("old"), secret("new")];
        for by in &secrets {
            assert!(is_signed(&secrets, b"{}", &sign(by, b"{}")));
            assert!(is_signed(&secrets, b"{}", &sign(by, b"{}").to_uppercase()));
        }
        assert!(!is_signed(&secrets, b"{}", &sign(&secret("other"), b"{}")));
        assert!(!is_signed(&secrets, b"{ }", &sign(&secrets[0], b"{}")));
    }

    #[test]
    fn what_is_no_signature_signs_nothing() {
        let secrets = [secret("points")];
        let good = sign(&secrets[0], b"{}");
        let short = good.strip_suffix(|_: char| true).unwrap();
        for hex in ["", "00", short, &format!("{good}00"), &"g".repeat(64), &"é".repeat(32)] {
            assert!(!is_signed(&secrets, b"{}", hex), "{hex}");
        }
        assert!(!is_signed(&[], b"{}", &good));
        assert!(!is_signed(&[secret("")], b"{}", &sign(&secret(""), b"{}")));
    }
}
