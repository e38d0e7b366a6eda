use super::*;
use crate::sight::{Face, KeyPoint, Pose};
use proptest::prelude::*;

/// Detail everywhere: a pattern that changes from pixel to pixel.
fn detailed(width: u32, height: u32) -> Picture {
    let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 16) as u8;
    picture(width, height, (0..width * height * 3).map(noise).collect())
}

fn picture(width: u32, height: u32, rgb: Vec<u8>) -> Picture {
    Picture::new(width, height, rgb).unwrap()
}

fn face(x0: f32, y0: f32, x1: f32, y1: f32) -> Sight {
    let faces = vec![Face { bbox: Rect { x0, y0, x1, y1 }, score: 0.9 }];
    Sight { width: 160, height: 90, faces, ..Sight::default() }
}

fn pixel(rgb: &[u8], width: u32, x: u32, y: u32) -> [u8; 3] {
    let from = ((y * width + x) * 3) as usize;
    [rgb[from], rgb[from + 1], rgb[from + 2]]
}

/// Mean square difference of neighbours in a region: the energy of detail.
fn energy(rgb: &[u8], width: u32, area: (u32, u32, u32, u32)) -> f64 {
    let (x0, y0, x1, y1) = area;
    let (mut sum, mut n) = (0.0, 0.0);
    for y in y0..y1 {
        for x in x0 + 1..x1 {
            let (a, b) = (pixel(rgb, width, x - 1, y), pixel(rgb, width, x, y));
            sum += (0..3).map(|c| (f64::from(a[c]) - f64::from(b[c])).powi(2)).sum::<f64>();
            n += 3.0;
        }
    }
    sum / n
}

/// Correlation of two pictures in a region, over all colours: 1 is the same detail, 0 none of it.
fn correlation(a: &[u8], b: &[u8], width: u32, area: (u32, u32, u32, u32)) -> f64 {
    let (x0, y0, x1, y1) = area;
    let values = |rgb: &[u8]| -> Vec<f64> {
        (y0..y1).flat_map(|y| (x0..x1).map(move |x| (x, y))).flat_map(|(x, y)| pixel(rgb, width, x, y)).map(f64::from).collect()
    };
    let (a, b) = (values(a), values(b));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(&a), mean(&b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(&b).map(|(x, y)| f(x - ma, y - mb)).sum::<f64>();
    let (ab, aa, bb) = (sum(&|x, y| x * y), sum(&|x, _| x * x), sum(&|_, y| y * y));
    if aa * bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

fn standing(score: f32) -> Person {
    let mut pose: Pose = [KeyPoint { x: 0.5, y: 0.6, score: 0.9 }; 17];
    for (n, x) in
        [(joint::NOSE, 0.5), (joint::LEFT_EYE, 0.505), (joint::RIGHT_EYE, 0.495), (joint::LEFT_EAR, 0.51), (joint::RIGHT_EAR, 0.49)]
    {
        pose[n] = KeyPoint { x, y: 0.3, score };
    }
    (pose[joint::LEFT_SHOULDER], pose[joint::RIGHT_SHOULDER]) =
        (KeyPoint { x: 0.53, y: 0.4, score: 0.8 }, KeyPoint { x: 0.47, y: 0.4, score: 0.8 });
    let bbox = Rect { x0: 0.42, y0: 0.2, x1: 0.58, y1: 0.9 };
    Person { bbox, score: 0.9, pose: Some(pose), posture: Posture::Standing }
}

#[test]
fn detail_is_gone_inside_and_untouched_outside() {
    let before = detailed(320, 180);
    let after = cover(&before, &face(0.4, 0.3, 0.6, 0.7));
    // The face alone, well within its margin.
    let inside = (128, 54, 192, 126);
    assert!(energy(after.rgb(), 320, inside) < energy(before.rgb(), 320, inside) / 200.0);
    assert!(correlation(before.rgb(), after.rgb(), 320, inside).abs() < 0.1);
    // Beyond the margin of 0.45 of a face 0.2 wide and 0.4 high: x 0.31 to 0.69, y 0.12 to 0.88.
    for y in 0..180 {
        for x in (0..98).chain(222..320) {
            assert_eq!(pixel(before.rgb(), 320, x, y), pixel(after.rgb(), 320, x, y), "{x} {y}");
        }
    }
    for x in 0..320 {
        for y in (0..21).chain(160..180) {
            assert_eq!(pixel(before.rgb(), 320, x, y), pixel(after.rgb(), 320, x, y), "{x} {y}");
        }
    }
}

#[test]
fn what_comes_out_knows_of_each_cell_only_its_rounded_mean() {
    let before = detailed(320, 180);
    let sight = face(0.4, 0.3, 0.6, 0.7);
    // The region in pixels as the margin makes it, cut into its cells; within each, the pixels change places.
    let (x0, y0, x1, y1) = (99, 21, 221, 159);
    let mut mixed = before.rgb().to_vec();
    for row in 0..CELLS {
        for column in 0..CELLS {
            let spots: Vec<usize> = (y0 + part(row, CELLS, y1 - y0)..y0 + part(row + 1, CELLS, y1 - y0))
                .flat_map(|y| (x0 + part(column, CELLS, x1 - x0)..x0 + part(column + 1, CELLS, x1 - x0)).map(move |x| (y * 320 + x) * 3))
                .collect();
            for (from, to) in spots.iter().zip(spots.iter().rev()) {
                mixed[*to..to + 3].copy_from_slice(&before.rgb()[*from..from + 3]);
            }
        }
    }
    assert_ne!(mixed, before.rgb());
    let (a, b) = (cover(&before, &sight), cover(&picture(320, 180, mixed), &sight));
    assert_eq!(a, b, "two different faces give the same picture");
}

#[test]
fn a_head_is_covered_with_its_hair_whatever_the_face_detector_says() {
    let before = detailed(320, 180);
    let sight = Sight { width: 320, height: 180, people: vec![standing(0.8)], ..Sight::default() };
    let after = cover(&before, &sight);
    // Crown to chin of a toddler of that height: a quarter of the box, 0.2 to 0.375.
    let inside = (152, 37, 168, 67);
    assert!(energy(after.rgb(), 320, inside) < energy(before.rgb(), 320, inside) / 200.0);
    assert_eq!(pixel(after.rgb(), 320, 160, 150), pixel(before.rgb(), 320, 160, 150), "legs stay");
}

#[test]
fn when_the_head_is_not_clear_more_is_covered() {
    let before = detailed(320, 180);
    let gone = |person: Person, area| {
        let after = cover(&before, &Sight { width: 320, height: 180, people: vec![person], ..Sight::default() });
        energy(after.rgb(), 320, area) < energy(before.rgb(), 320, area) / 200.0
    };
    let (upper, lower) = ((135, 37, 185, 95), (135, 105, 185, 161));
    let unseen = || standing(0.1);
    assert!(gone(unseen(), upper) && !gone(unseen(), lower), "upright: the upper half");
    let lying = Person { posture: Posture::Lying, ..unseen() };
    assert!(gone(lying.clone(), upper) && gone(lying, lower), "lying: either end may be the head");
    let boxed = |bbox| Person { pose: None, posture: Posture::Unknown, bbox, score: 0.5 };
    let tall = boxed(Rect { x0: 0.42, y0: 0.2, x1: 0.58, y1: 0.9 });
    assert!(gone(tall.clone(), upper) && !gone(tall, lower));
    let flat = boxed(Rect { x0: 0.2, y0: 0.4, x1: 0.8, y1: 0.7 });
    assert!(gone(flat, (70, 75, 250, 125)));
}

#[test]
fn a_face_that_a_look_misses_stays_covered() {
    let before = detailed(320, 180);
    let inside = (128, 54, 192, 126);
    let (mut veil, none) = (Veil::default(), Sight { width: 320, height: 180, ..Sight::default() });
    let mut left = |sight: &Sight| energy(veil.cover(&before, sight).rgb(), 320, inside) / energy(before.rgb(), 320, inside);
    assert!(left(&face(0.4, 0.3, 0.6, 0.7)) < 0.005);
    for _ in 1..REMEMBERED {
        assert!(left(&none) < 0.005);
    }
    assert_eq!(left(&none), 1.0, "it has gone");
}

#[test]
fn without_a_look_or_beyond_the_proven_number_everything_is_covered() {
    let before = detailed(320, 180);
    let all = (0, 0, 320, 180);
    let crowded = cover(&before, &Sight { width: 320, height: 180, at_least: true, ..Sight::default() });
    assert_eq!(crowded, whole(&before));
    assert!(energy(crowded.rgb(), 320, all) < energy(before.rgb(), 320, all) / 200.0);
    let nowhere = cover(&before, &face(f32::NAN, 0.3, 0.6, 0.7));
    assert!(energy(nowhere.rgb(), 320, all) < energy(before.rgb(), 320, all) / 200.0);
}

#[test]
fn a_jpeg_is_known_again_and_others_are_not() {
    let jpeg = cover(&detailed(64, 48), &Sight::default()).to_jpeg(80).unwrap();
    let decoded = image::load_from_memory(jpeg.bytes()).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (64, 48));
    assert_eq!(BlurredJpeg::again(jpeg.bytes().to_vec()), Some(jpeg.clone()));
    let mut plain = Vec::new();
    JpegEncoder::new_with_quality(&mut plain, 80).encode(detailed(64, 48).rgb(), 64, 48, ExtendedColorType::Rgb8).unwrap();
    assert_eq!(BlurredJpeg::again(plain), None, "a picture straight from a camera");
    assert_eq!(BlurredJpeg::again(Vec::new()), None);
}

fn coordinate() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -2.0f32..3.0, 1 => any::<f32>(), 1 => Just(f32::NAN), 1 => Just(f32::INFINITY), 1 => Just(0.0f32)]
}

prop_compose! {
    fn rect()(x0 in coordinate(), y0 in coordinate(), x1 in coordinate(), y1 in coordinate()) -> Rect {
        Rect { x0, y0, x1, y1 }
    }
}

prop_compose! {
    fn person()(bbox in rect(), points in proptest::option::of(proptest::collection::vec((coordinate(), coordinate(), coordinate()), 17))) -> Person {
        let pose = points.map(|p| std::array::from_fn(|n| KeyPoint { x: p[n].0, y: p[n].1, score: p[n].2 }));
        Person { bbox, score: 0.5, pose, posture: Posture::Unknown }
    }
}

proptest! {
    #[test]
    fn hostile_boxes_never_panic_and_change_no_size(
        (width, height) in (1u32..70, 1u32..70),
        faces in proptest::collection::vec(rect(), 0..4),
        people in proptest::collection::vec(person(), 0..4),
        (told_width, told_height) in (any::<u32>(), any::<u32>()),
    ) {
        let before = detailed(width, height);
        let faces = faces.into_iter().map(|bbox| Face { bbox, score: 1.0 }).collect();
        let after = cover(&before, &Sight { width: told_width, height: told_height, faces, people, ..Sight::default() });
        prop_assert_eq!(after.rgb().len(), (width * height * 3) as usize);
    }

    #[test]
    fn a_face_box_is_covered_wherever_it_is((x, y, w, h) in (0.0f32..0.9, 0.0f32..0.9, 0.08f32..0.5, 0.08f32..0.5)) {
        let before = detailed(160, 90);
        let (x1, y1) = ((x + w).min(1.0), (y + h).min(1.0));
        let after = cover(&before, &face(x, y, x1, y1));
        let area = ((x * 160.0) as u32, (y * 90.0) as u32, (x1 * 160.0) as u32, (y1 * 90.0) as u32);
        prop_assert!(energy(after.rgb(), 160, area) < energy(before.rgb(), 160, area) / 50.0);
    }
}
