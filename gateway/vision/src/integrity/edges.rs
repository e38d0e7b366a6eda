//! Where the picture's edges are and which way they run. Directions are taken modulo 180 degrees: an edge stays an edge when the light that falls on it
//! comes from the other side, or when the infrared lamp turns dark into bright. Two pictures of the same place agree in their edges whatever the light, as
//! long as anything can be seen; two of different places agree by chance only, and that is 0 on the scale used here.

/// Gradient of brightness, levels a cell, of each cell (zero at the border).
#[derive(Debug, Clone)]
pub struct Gradients {
    pub width: usize,
    pub height: usize,
    pub x: Vec<f32>,
    pub y: Vec<f32>,
}

impl Gradients {
    /// Sobel's operator, divided by 8.
    pub fn of(cells: &[f32], width: usize, height: usize) -> Gradients {
        let (mut x, mut y) = (vec![0.0; cells.len()], vec![0.0; cells.len()]);
        if cells.len() == width * height && width >= 3 && height >= 3 {
            let rows = cells.windows(2 * width + 3);
            for (from, w) in rows.enumerate() {
                let column = from % width;
                if column + 2 >= width {
                    continue;
                }
                let (a, b, c) = (w[0], w[1], w[2]);
                let (d, f) = (w[width], w[width + 2]);
                let (g, h, i) = (w[2 * width], w[2 * width + 1], w[2 * width + 2]);
                let at = from + width + 1;
                x[at] = ((c + 2.0 * f + i) - (a + 2.0 * d + g)) / 8.0;
                y[at] = ((g + 2.0 * h + i) - (a + 2.0 * b + c)) / 8.0;
            }
        }
        Gradients { width, height, x, y }
    }

    pub fn size(&self, at: usize) -> f32 {
        self.x[at].hypot(self.y[at])
    }

    /// Of all cells.
    pub fn mean_size_above(&self, floor: f32) -> f32 {
        let sum: f32 = (0..self.x.len()).map(|i| (self.size(i) - floor).max(0.0)).sum();
        sum / self.x.len().max(1) as f32
    }

    /// How surely an edge is there and which way it runs: twice its angle, as long as it stands out of `noise` (levels a cell), 0 to 1.
    pub fn directions(&self, noise: f32) -> Directions {
        let floor = noise * noise;
        let (mut cos, mut sin) = (Vec::with_capacity(self.x.len()), Vec::with_capacity(self.x.len()));
        for (x, y) in self.x.iter().zip(&self.y) {
            let scale = 1.0 / (x * x + y * y + floor).max(f32::MIN_POSITIVE);
            cos.push((x * x - y * y) * scale);
            sin.push(2.0 * x * y * scale);
        }
        Directions { width: self.width, height: self.height, cos, sin }
    }
}

#[derive(Debug, Clone)]
pub struct Directions {
    width: usize,
    height: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// An edge of the reference.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    pub x: i32,
    pub y: i32,
    pub weight: f32,
    cos: f32,
    sin: f32,
}

/// An edge weaker than this, in levels a cell, is not relied upon.
const FAINT: f32 = 1.2;
/// A strong one counts at most so much: a window frame must not outvote a room.
const STRONG: f32 = 6.0;

/// The edges of `reference`.
pub fn edges(reference: &Gradients) -> Vec<Edge> {
    let mut found = Vec::new();
    for at in 0..reference.x.len() {
        let size = reference.size(at);
        if size >= FAINT {
            let (x, y) = (reference.x[at], reference.y[at]);
            let (cos, sin) = ((x * x - y * y) / (size * size), 2.0 * x * y / (size * size));
            found.push(Edge { x: (at % reference.width) as i32, y: (at / reference.width) as i32, weight: size.min(STRONG), cos, sin });
        }
    }
    found
}

/// At most `count` of them, evenly chosen.
pub fn thinned(edges: &[Edge], count: usize) -> Vec<Edge> {
    let step = edges.len().div_ceil(count.max(1)).max(1);
    edges.iter().step_by(step).copied().collect()
}

/// Turned about the picture's centre by `degrees` (clockwise as seen).
pub fn turned(edges: &[Edge], degrees: f32, width: usize, height: usize) -> Vec<Edge> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (sin2, cos2) = (2.0 * degrees).to_radians().sin_cos();
    let (cx, cy) = (width as f32 / 2.0, height as f32 / 2.0);
    let turn = |e: &Edge| {
        let (dx, dy) = (e.x as f32 - cx, e.y as f32 - cy);
        Edge {
            x: (cx + cos * dx - sin * dy).round() as i32,
            y: (cy + sin * dx + cos * dy).round() as i32,
            cos: cos2 * e.cos - sin2 * e.sin,
            sin: sin2 * e.cos + cos2 * e.sin,
            weight: e.weight,
        }
    };
    edges.iter().map(turn).collect()
}

/// How well `edges`, moved by `dx`, `dy` cells, are found in the picture: 1 all, 0 by chance. `None`: fewer than `least` of their weight is in the picture.
pub fn agreement(edges: &[Edge], picture: &Directions, dx: i32, dy: i32, least: f32) -> Option<f32> {
    let (mut sum, mut inside, mut all) = (0.0, 0.0, 0.0);
    for e in edges {
        all += e.weight;
        let (Ok(x), Ok(y)) = (usize::try_from(e.x + dx), usize::try_from(e.y + dy)) else { continue };
        if x == 0 || y == 0 || x + 1 >= picture.width || y + 1 >= picture.height {
            continue;
        }
        let at = y * picture.width + x;
        inside += e.weight;
        sum += e.weight * (picture.cos[at] * e.cos + picture.sin[at] * e.sin);
    }
    (inside > 0.0 && inside >= least * all).then(|| sum / inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(width: usize, height: usize, contrast: f32) -> Vec<f32> {
        (0..width * height).map(|i| 100.0 + contrast * (((i % width) / 7 + (i / width) / 5) % 2) as f32).collect()
    }

    #[test]
    fn edges_are_found_again_in_other_light_even_inverted_and_not_elsewhere() {
        let (w, h) = (80, 45);
        let reference = edges(&Gradients::of(&stripes(w, h, 40.0), w, h));
        assert!(reference.len() > 100);
        for contrast in [40.0, 8.0, -40.0] {
            let now = Gradients::of(&stripes(w, h, contrast), w, h).directions(0.5);
            assert!(agreement(&reference, &now, 0, 0, 0.5).unwrap() > 0.8, "{contrast}");
        }
        let flat = Gradients::of(&vec![90.0; w * h], w, h).directions(0.5);
        assert_eq!(agreement(&reference, &flat, 0, 0, 0.5), Some(0.0));
        assert_eq!(agreement(&reference, &flat, 70, 0, 0.5), None);
    }

    #[test]
    fn turning_there_and_back_changes_nothing() {
        let (w, h) = (80, 45);
        let reference = edges(&Gradients::of(&stripes(w, h, 40.0), w, h));
        let back = turned(&turned(&reference, 30.0, w, h), -30.0, w, h);
        for (a, b) in reference.iter().zip(&back) {
            assert!((a.x - b.x).abs() <= 1 && (a.y - b.y).abs() <= 1 && (a.cos - b.cos).abs() < 1e-3 && (a.sin - b.sin).abs() < 1e-3);
        }
    }

    #[test]
    fn small_or_wrong_sizes_have_no_edges() {
        for (n, w, h) in [(0, 0, 0), (4, 2, 2), (5, 3, 3), (9, 1, 9)] {
            assert!(edges(&Gradients::of(&vec![1.0; n], w, h)).is_empty());
        }
    }
}
