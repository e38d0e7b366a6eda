//! Work and memory of the anomaly detector per sample and series: `cargo bench -p tuoan --bench anomaly`.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tuoan::anomaly::Detector;

const SAMPLES: u64 = 100_000;

/// A room at one sample a minute: a daily wave with the noise of a sensor that resolves 0.01.
fn room(i: u64) -> f64 {
    let hour = (i % 1440) as f64 / 60.0 - 12.0;
    let noise = (i.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 40) % 31;
    ((20.0 + 4.0 * (1.0 - hour * hour / 144.0)) * 100.0).round() / 100.0 + noise as f64 / 100.0
}

/// The worst case: no value comes twice, so that the set of known values is full and every sample is a novelty.
fn restless(i: u64) -> f64 {
    (i.wrapping_mul(6_364_136_223_846_793_005) >> 11) as f64
}

fn watch(c: &mut Criterion, name: &str, value: fn(u64) -> f64) {
    let values: Vec<f64> = (0..SAMPLES).map(value).collect();
    let mut detector = Detector::new();
    for (i, v) in values.iter().enumerate() {
        detector.observe(i as i64 * 60_000, *v);
    }
    println!("{name}: {} bytes of state after {SAMPLES} samples", detector.state_bytes());
    let mut group = c.benchmark_group("anomaly");
    group.throughput(Throughput::Elements(SAMPLES));
    group.sample_size(10);
    group.bench_function(name, |b| {
        b.iter(|| {
            let mut detector = Detector::new();
            for (i, v) in values.iter().enumerate() {
                black_box(detector.observe(i as i64 * 60_000, *v));
            }
        })
    });
    group.finish();
}

fn benches(c: &mut Criterion) {
    watch(c, "room", room);
    watch(c, "restless", restless);
}

criterion_group!(all, benches);
criterion_main!(all);
