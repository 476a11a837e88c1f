//! Whether a mail is from whom it claims, as a mail server says that the operator trusts.
//!
//! `Authentication-Results` (RFC 8601) can be written by anybody.  A server puts its own above all
//! that was there before, so the first that bears the trusted server's name is its own.

/// What may stand in a mail once at most.
///
/// A signature is of the lowest header of a name, and others read the topmost: whoever sends on a
/// mail that somebody else has signed could put another sender, or another thread, above it.
const ONCE: [&str; 3] = ["from", "in-reply-to", "references"];

/// Whether `server` says that a mail is from `email`; `all` finds the headers of a name, which it
/// is told in lower case, the topmost first.
///
/// The first `Authentication-Results` that is `server`'s has to say so: by DMARC, or by a signature
/// (DKIM) of the domain of the address, or of one that it is below.
pub fn is_vouched<'m>(
    all: impl Fn(&'static str) -> Vec<&'m str>,
    server: &str,
    email: &str,
) -> bool {
    let Some((_, domain)) = email.rsplit_once('@') else { return false };
    if ONCE.iter().any(|name| all(name).len() > 1) {
        return false;
    }
    // A list that puts its own address there proves its own only.
    let from = all("from").first().copied().and_then(address);
    if from.is_none_or(|from| !from.eq_ignore_ascii_case(email)) {
        return false;
    }
    let results = all("authentication-results");
    let mut own = results.iter().map(|result| statements(result)).filter(|statements| {
        let first = statements.first().and_then(|words| words.split_whitespace().next());
        first.is_some_and(|name| name.eq_ignore_ascii_case(server))
    });
    let own = own.next().unwrap_or_default();
    own.iter().skip(1).any(|statement| proves(statement, domain))
}

/// The address of a `From`, which has to be the only one.
fn address(from: &str) -> Option<&str> {
    let from = from.trim();
    let address = match from.rsplit_once('<') {
        Some((name, rest)) => {
            let (address, behind) = rest.split_once('>')?;
            // With a second address in it, nobody can say which is meant.
            let is_one = behind.trim().is_empty() && !name.contains(['<', '>']);
            is_one.then_some(address)?
        }
        None => from,
    };
    let is_address = address.matches('@').count() == 1
        && !address.contains(|c: char| c.is_whitespace() || ",;:()\"".contains(c));
    is_address.then_some(address)
}

/// Whether a statement such as `dkim=pass header.d=points.example` is about `domain`.
fn proves(statement: &str, domain: &str) -> bool {
    let mut words = statement.split_whitespace();
    let Some((method, "pass")) = words.next().and_then(|word| word.split_once('=')) else {
        return false;
    };
    let properties = words.filter_map(|word| word.split_once('='));
    let mut values = properties.filter_map(|(name, value)| match (method, name) {
        ("dkim", "header.d") | ("dmarc", "header.from") => Some(value),
        ("dkim", "header.i") => value.rsplit_once('@').map(|(_, domain)| domain),
        _ => None,
    });
    values.any(|signer| is_within(domain, signer))
}

/// Whether `domain` is `signer`, or below it; nobody signs for a whole top-level domain.
fn is_within(domain: &str, signer: &str) -> bool {
    let (domain, signer) = (domain.to_ascii_lowercase(), signer.to_ascii_lowercase());
    domain == signer
        || (signer.contains('.')
            && domain.strip_suffix(&signer).is_some_and(|rest| rest.ends_with('.')))
}

/// The statements of a header, without comments and quotes, in lower case but for its first word.
fn statements(header: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut depth = 0_usize;
    let mut is_quoted = false;
    let mut chars = header.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if is_quoted || depth > 0 => drop(chars.next()),
            '"' if depth == 0 => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            ';' if !is_quoted => all.push(String::new()),
            _ => {
                // What is quoted is one word.
                let c = if is_quoted && c.is_whitespace() { '_' } else { c };
                if let Some(last) = all.last_mut() {
                    last.push(c.to_ascii_lowercase());
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is from `email`, by these headers.
    fn is_by(headers: &[(&str, &'static str)], email: &str) -> bool {
        let all = |name: &'static str| {
            headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value).collect()
        };
        is_vouched(all, "mx.example", email)
    }

    fn is_vouched_by(results: &[&'static str], from: &'static str) -> bool {
        let results = results.iter().map(|result| ("authentication-results", *result));
        let headers: Vec<_> = results.chain([("from", from)]).collect();
        is_by(&headers, "ada@points.example")
    }

    fn says(results: &'static str) -> bool {
        is_vouched_by(&[results], "Ada <ada@points.example>")
    }

    #[test]
    fn a_signature_of_the_senders_domain_vouches() {
        assert!(says("mx.example; dkim=pass header.d=points.example header.s=k"));
        assert!(says(
            "MX.example 1; spf=fail; DKIM=pass (2048-bit key)\n\t header.i=@Points.Example"
        ));
        assert!(says("mx.example; dmarc=pass (p=none) header.from=points.example"));
        let (from, results) =
            ("ada@mail.points.example", "mx.example; dkim=pass header.d=points.example");
        assert!(is_by(&[("authentication-results", results), ("from", from)], from));
        assert!(!is_by(&[("authentication-results", results)], from));
    }

    #[test]
    fn what_stands_above_what_was_signed_is_nobodys() {
        let signed = [
            ("authentication-results", "mx.example; dkim=pass header.d=points.example"),
            ("from", "Ada <ada@points.example>"),
            ("in-reply-to", "<harmless@points.example>"),
            ("references", "<harmless@points.example>"),
        ];
        assert!(is_by(&signed, "ada@points.example"));
        for above in [
            ("from", "Ada <ada@points.example>"),
            ("in-reply-to", "<evil@mallory.example>"),
            ("references", "<evil@mallory.example>"),
        ] {
            let headers: Vec<_> = [above].into_iter().chain(signed).collect();
            assert!(!is_by(&headers, "ada@points.example"), "{above:?}");
        }
    }

    #[test]
    fn what_proves_something_else_does_not() {
        for results in [
            "mx.example; dkim=fail header.d=points.example",
            "mx.example; dkim=pass header.d=list.example",
            "mx.example; dkim=pass header.d=example",
            "mx.example; dkim=pass header.d=evilpoints.example",
            "mx.example; spf=pass smtp.mailfrom=points.example",
            "mx.example; dkim=pass",
            "mx.example; none",
            "",
            // Another server, although its name has the trusted one's in it.
            "mx.example.evil.example; dkim=pass header.d=points.example",
            "not-mx.example; dkim=pass header.d=points.example",
            // What the sender put into a property, a comment or a quote.
            "mx.example; dkim=fail header.i=\"@x; dkim=pass header.d=points.example\"",
            "mx.example; dkim=fail (; dkim=pass header.d=points.example)",
            "mx.example; dkim=fail (\\); dkim=pass header.d=points.example",
            "evil.example; x=\"; mx.example; dkim=pass header.d=points.example",
        ] {
            assert!(!says(results), "{results}");
        }
    }

    #[test]
    fn only_the_first_word_of_the_server_counts() {
        let forged = "mx.example; dkim=pass header.d=points.example";
        let own = "mx.example; dkim=none";
        let others = "list.example; dkim=pass header.d=list.example";
        let from = "Ada <ada@points.example>";
        assert!(!is_vouched_by(&[others, own, forged], from));
        assert!(is_vouched_by(&[others, forged, own], from));
    }

    #[test]
    fn a_sender_that_is_not_in_from_is_not_vouched_for() {
        let results = ["mx.example; dkim=pass header.d=points.example"];
        for from in [
            "Ada via list <list@points.example>",
            "<ada@points.example> <list@points.example>",
            "list@points.example, ada@points.example",
            "ada@points.example <mallory@points.example>",
            "",
        ] {
            assert!(!is_vouched_by(&results, from), "{from}");
        }
    }
}
