//! The page around the records: what a browser needs to show and to check them, and nothing from any network.
use crate::tree::Hash;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Stands between the page and the records, and nowhere else before it.
pub const OPEN: &str = "\n<script type=\"text/plain\" id=\"evidence\">\n";
/// Ends every bundle.
pub const TAIL: &str = "</script>\n</body>\n</html>\n";

const TEMPLATE: &str = include_str!("../page/page.html");
const STYLE: &str = include_str!("../page/page.css");
const SCRIPTS: [&str; 4] = [
    include_str!("../page/vendor/nacl-fast.min.js"),
    include_str!("../page/vendor/sha256.min.js"),
    include_str!("../page/check.js"),
    include_str!("../page/show.js"),
];
/// SHA-256 of the pages that earlier releases wrote, one a line in hexadecimal digits: their bundles stay good.
const EARLIER: &str = include_str!("../page/earlier.txt");

/// Everything before [`OPEN`].
pub static PAGE: LazyLock<String> = LazyLock::new(|| {
    let scripts: String = SCRIPTS.iter().map(|s| format!("<script>\n{}\n</script>\n", s.trim())).collect();
    TEMPLATE.replace("/*STYLE*/", STYLE.trim()).replace("<!--SCRIPTS-->\n", &scripts).trim_end().to_owned()
});

pub fn hash(page: &[u8]) -> Hash {
    Sha256::digest(page).into()
}

/// Whether it is a page that a release of Tuoan wrote: a bundle's own page must not be a stranger's programme.
pub fn is_known(hash: &Hash) -> bool {
    static CURRENT: LazyLock<Hash> = LazyLock::new(|| self::hash(PAGE.as_bytes()));
    let digits = hex::encode(hash);
    *hash == *CURRENT || EARLIER.lines().any(|l| l.trim() == digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_no_network_and_holds_no_mark_of_the_records() {
        assert!(PAGE.starts_with("<!doctype html>\n") && is_known(&hash(PAGE.as_bytes())));
        assert!(!PAGE.contains(OPEN) && !PAGE.contains("/*STYLE*/") && !PAGE.contains("<!--SCRIPTS-->"));
        assert!(!PAGE.contains('\r') && !PAGE.contains('\0'));
        for own in [STYLE, TEMPLATE, SCRIPTS[2], SCRIPTS[3]] {
            // The one address is the name of SVG's elements.
            let own = own.replace("http://www.w3.org/2000/svg", "");
            assert!(!own.contains("http:") && !own.contains("https:") && !own.contains("fetch("), "it must not reach out");
        }
        for script in SCRIPTS {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
        assert!(PAGE.contains("default-src 'none'"));
    }

    #[test]
    fn it_has_a_word_for_everything_that_a_days_ledger_can_say() {
        use tuoan_protocol::ledger::{Cause, Need};
        for (name, words) in [("sights", 4), ("why", Cause::ALL.len() + 1), ("needs", Need::ALL.len() + 1)] {
            let lists: Vec<&str> = SCRIPTS[3].split(&format!("{name}: [")).skip(1).filter_map(|t| t.split_once(']')).map(|t| t.0).collect();
            assert_eq!(lists.len(), 2, "{name} in both languages");
            assert!(lists.iter().all(|l| l.split("\", \"").count() == words), "{name}: {lists:?}");
        }
        assert!(
            Cause::ALL.iter().enumerate().all(|(n, c)| *c as usize == n + 1)
                && Need::ALL.iter().enumerate().all(|(n, c)| *c as usize == n + 1)
        );
    }
}
