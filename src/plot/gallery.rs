//! One of each plot: well-formed always, and written into the folder that `KILTER_PLOTS` names, to look at them.

use super::*;

/// Every element that is opened is closed, in order.
fn well_formed(svg: &str) -> bool {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or(tag));
        }
    }
    open.is_empty()
}

/// `KILTER_PLOTS=/tmp/plots cargo test --lib plot::gallery`
#[test]
fn draw_one_of_each() {
    let folder = std::env::var_os("KILTER_PLOTS").map(std::path::PathBuf::from);
    let save = |name: &str, svg: String| {
        assert!(well_formed(&svg), "{name}");
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(name), svg).unwrap();
        }
    };
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let counts: Vec<Vec<u64>> =
        (0..10).map(|r| (0..10).map(|p| if r == p { 930 + r * 3 } else { (r * 7 + p * 3) % 11 }).collect()).collect();
    save("confusion.svg", confusion("Confusion matrix", &digits, &counts));
    let species = ["Adelie", "Chinstrap", "Gentoo"].map(str::to_owned);
    save("confusion3.svg", confusion("Confusion matrix", &species, &[vec![28, 2, 0], vec![5, 9, 1], vec![0, 0, 25]]));
    let bins: Vec<ReliabilityBin> = (0..12)
        .map(|i| 0.2 + f64::from(i) / 15.0)
        .map(|p| ReliabilityBin { probability: p, frequency: p * p.sqrt(), rows: (p.powi(4) * 4000.0) as u64 + 3 })
        .collect();
    save("reliability.svg", reliability("Calibration", "probability of the predicted class", &bins, 0.0483));
    let line = |name: &str, power: f64| {
        let points = (0..=200).map(|i| f64::from(i) / 200.0).map(|x| (x, x.powf(power))).collect();
        RocLine { name: name.to_owned(), points, area: 1.0 / (1.0 + power) }
    };
    save("roc.svg", roc("ROC", &[line("late", 0.2), line("cancelled", 0.5)]));
    let curve = |name: &str, rate: f64, floor: f64| Curve {
        name: name.to_owned(),
        points: (1..=12).map(f64::from).map(|x| (x, floor + (-rate * x).exp())).collect(),
    };
    let lines = [curve("loss", 0.5, 0.02), curve("val_loss", 0.45, 0.11), curve("val_loss_2", 0.2, 0.2)];
    save("curves.svg", curves("Training", "epoch", "loss", &lines, Some((9.0, "best epoch"))));
    let points: Vec<(f64, f64)> = (0..1500)
        .map(|i| (f64::from(i % 157) - 40.0, f64::from((i * 7919) % 101) - 50.0))
        .map(|(x, y)| (x, y * (0.3 + x.abs() / 100.0)))
        .collect();
    save(
        "scatter.svg",
        scatter(&Scatter { title: "Residuals", x: "predicted", y: "right − predicted", points: &points, guide: 0.0 }),
    );
}
