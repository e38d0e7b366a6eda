//! How sure a rate is that was counted: events that come independently of each other.

/// The 95 % interval of the mean of a Poisson count: exact (Garwood 1936) up to [`EXACT`], beyond it by Byar's approximation (Breslow & Day
/// 1987, p. 69), whose error there is below one in a thousand.
pub fn interval(count: u64) -> (f64, f64) {
    if count > EXACT {
        return byar(count);
    }
    let low = if count == 0 { 0.0 } else { root(|mean| 1.0 - at_most(count - 1, mean) - TAIL, count) };
    (low, root(|mean| TAIL - at_most(count, mean), count))
}

const EXACT: u64 = 200;
/// Each side.
const TAIL: f64 = 0.025;
/// Of the normal distribution.
const Z: f64 = 1.959_963_985;

/// P(N <= count).
fn at_most(count: u64, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut sum = term;
    for k in 1..=count {
        term *= mean / k as f64;
        sum += term;
    }
    sum.min(1.0)
}

/// Where the rising `f` is zero, between 0 and far beyond the count.
fn root(f: impl Fn(f64) -> f64, count: u64) -> f64 {
    let n = count as f64;
    let (mut low, mut high) = (0.0, n + 10.0 + 6.0 * n.sqrt());
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if f(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

fn byar(count: u64) -> (f64, f64) {
    let bound = |n: f64, z: f64| n * (1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt())).powi(3);
    let n = count as f64;
    (bound(n, -Z), bound(n + 1.0, Z))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.chi2.ppf([0.025, 0.975], [2n, 2n + 2]) / 2, SciPy 1.17.
    #[test]
    fn agrees_with_published_limits() {
        for (n, low, high) in [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (5, 1.6235, 11.6683), (10, 4.7954, 18.3904), (100, 81.3640, 121.6268)]
        {
            let (l, h) = interval(n);
            assert!((l - low).abs() < 2e-4 && (h - high).abs() < 2e-4, "{n}: {l} {h}");
        }
    }
    #[test]
    fn both_ways_meet() {
        let (a, b) = (interval(EXACT), byar(EXACT));
        assert!((a.0 - b.0).abs() / a.0 < 1e-3 && (a.1 - b.1).abs() / a.1 < 1e-3, "{a:?} {b:?}");
    }
}
