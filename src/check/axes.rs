//! Axes along references, by name, as the dimensions of labelled arrays: a stage that takes the result of a stage with
//! axes has them too, two inputs with one axis are paired on it, and inputs with different axes are crossed. A list of
//! inputs gathers: it takes all of them, at the stage's own point of the axes that the stage has.

use super::decode::{Decoded, Decoder};
use super::names::{Found, Names};
use super::order::order;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::digest::Segment;
use crate::manifest::{Data, Manifest, Node, Point, Reference, StageEntry, Target, with_uses};
use crate::span::SourceMap;
use std::collections::BTreeMap;

/// More stages than this come only from axes that multiply each other.
const MOST_STAGES: usize = 200_000;

/// A reference of a stage: what it takes, and how.
struct Take {
    path: Vec<Segment>,
    text: String,
    /// The number of the family that it names.
    family: usize,
    /// The values of axes that the reference says.
    pinned: Point,
    /// It stands in a list of inputs.
    gathers: bool,
}

/// The stages of one name.
struct Family {
    /// As the manifest has them: indices in [`Manifest::stages`].
    members: Vec<usize>,
    /// With all axes: the member that each is made from, and where it stands. None after a mistake.
    points: Vec<(usize, Point)>,
}

/// Makes of every stage as many as it has points, once the axes of what it takes are known.
pub(super) fn expand(
    manifest: &mut Manifest,
    sources: &SourceMap,
    decoder: &mut Decoder<'_>,
    diagnostics: &mut Diagnostics,
) {
    if manifest.stages.iter().all(|entry| entry.point.is_empty()) {
        return;
    }
    // Mistakes are told when the stages are decoded for good.
    let decoded = decoder.decode_all(&manifest.stages, &mut Diagnostics::default());
    let (mut families, family_of) = families(manifest);
    let takes: Vec<Vec<Take>> = manifest
        .stages
        .iter()
        .zip(&decoded)
        .map(|(entry, decoded)| takes_of(entry, decoded, manifest, sources, &family_of))
        .collect();
    let needs = |family: &Family| -> Vec<usize> {
        family.members.iter().flat_map(|member| takes[*member].iter().map(|take| take.family)).collect()
    };
    let needs: Vec<Vec<usize>> = families.iter().map(needs).collect();
    let mut count = 0;
    for family in order(&needs).order {
        let members = families[family].members.clone();
        let joined = members.iter().flat_map(|member| {
            let entry = &manifest.stages[*member];
            let points = points_of(entry, &takes[*member], &families, sources, diagnostics);
            points.into_iter().map(|point| (*member, point)).collect::<Vec<_>>()
        });
        let points: Vec<(usize, Point)> = joined.take(MOST_STAGES).collect();
        count += points.len();
        if count > MOST_STAGES {
            let message = format!("the axes make more than {MOST_STAGES} stages");
            let place = manifest.stages[members[0]].header;
            diagnostics.push(Diagnostic::new(codes::AXIS, message).at(place).label("too many here"));
            return;
        }
        families[family].points = points;
    }
    rebuild(manifest, &families, &family_of, &takes);
}

/// The families in the order of the manifest, and the family of each stage.
fn families(manifest: &Manifest) -> (Vec<Family>, Vec<usize>) {
    let mut numbers: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let mut families: Vec<Family> = Vec::new();
    let mut family_of = Vec::with_capacity(manifest.stages.len());
    for (index, entry) in manifest.stages.iter().enumerate() {
        let number = *numbers.entry((entry.scope, entry.family.as_str())).or_insert(families.len());
        if number == families.len() {
            families.push(Family { members: Vec::new(), points: Vec::new() });
        }
        families[number].members.push(index);
        families[number].points.push((index, entry.point.clone()));
        family_of.push(number);
    }
    (families, family_of)
}

fn takes_of(
    entry: &StageEntry,
    decoded: &Decoded,
    manifest: &Manifest,
    sources: &SourceMap,
    family_of: &[usize],
) -> Vec<Take> {
    let mut takes = Vec::new();
    let Some(spec) = &decoded.spec else { return takes };
    spec.tree().visit_refs(&mut |path, text| {
        let place = entry.value_span(sources, path);
        let (first, pinned) = match Names::default().look_up(manifest, entry.scope, text, place) {
            Ok(Found::Stage { index, .. }) => (index, Point::default()),
            Ok(Found::Points { members, pinned, .. }) if !members.is_empty() => (members[0], pinned),
            // What is wrong is told by the walk.
            _ => return,
        };
        let gathers = matches!(path.last(), Some(Segment::Index(_)));
        takes.push(Take { path: path.to_vec(), text: text.to_owned(), family: family_of[first], pinned, gathers });
    });
    takes
}

/// Where a stage stands: its own point, joined with the points of everything that it takes by itself.
fn points_of(
    entry: &StageEntry,
    takes: &[Take],
    families: &[Family],
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) -> Vec<Point> {
    let mut points = vec![entry.point.clone()];
    for take in takes.iter().filter(|take| !take.gathers) {
        let mut taken: Vec<Point> = Vec::new();
        for (_, point) in families[take.family].points.iter().filter(|(_, point)| point.agrees(&take.pinned)) {
            let left = point.without(&take.pinned);
            if !taken.contains(&left) {
                taken.push(left);
            }
        }
        if taken.is_empty() {
            // No such value; the walk says so.
            continue;
        }
        let pairs = points.iter().flat_map(|point| taken.iter().map(move |other| (point, other)));
        let joined: Vec<Point> =
            pairs.filter(|(point, other)| point.agrees(other)).map(|(point, other)| point.and(other)).collect();
        if joined.is_empty() {
            let axes: Vec<&str> = entry.point.axes().collect();
            let message = format!("`{}` and `{}` have no value in common on their axes", entry.name, take.text);
            let diagnostic = Diagnostic::new(codes::AXIS, message)
                .at(entry.value_span(sources, &take.path))
                .label(format!("stands at {}", list_points(&taken)))
                .hint(match axes.is_empty() {
                    true => "inputs with the same axis are paired on it".to_owned(),
                    false => format!("the stage itself has {}", entry.point),
                });
            diagnostics.push(with_uses(diagnostic, &entry.uses));
            return Vec::new();
        }
        points = joined;
    }
    points
}

fn list_points(points: &[Point]) -> String {
    let first: Vec<String> = points.iter().take(4).map(Point::to_string).collect();
    let more = if points.len() > 4 { ", …" } else { "" };
    format!("{}{more}", first.join(", "))
}

/// Puts the stages with all their axes in the place of those that the manifest has.
fn rebuild(manifest: &mut Manifest, families: &[Family], family_of: &[usize], takes: &[Vec<Take>]) {
    let mut stages = Vec::new();
    let mut new: Vec<Vec<usize>> = Vec::with_capacity(families.len());
    for family in families {
        let first = stages.len();
        for (member, point) in &family.points {
            let mut entry = manifest.stages[*member].clone();
            gather(&mut entry.node, point, &takes[*member], families);
            entry.stand_at(point.clone());
            stages.push(entry);
        }
        new.push((first..stages.len()).collect());
    }
    for target in manifest.scopes.iter_mut().flat_map(|scope| scope.names.values_mut()) {
        let family = match target {
            Target::Stage(index) => family_of[*index],
            Target::Points(members) => match members.first() {
                Some(first) => family_of[*first],
                None => continue,
            },
            _ => continue,
        };
        *target = match (new[family].as_slice(), families[family].points.first()) {
            ([], _) => Target::Broken,
            ([only], Some((_, point))) if point.is_empty() => Target::Stage(*only),
            (all, _) => Target::Points(all.to_vec()),
        };
    }
    manifest.stages = stages;
}

/// Writes every stage that a list takes into the list: `"judge"` becomes `"judge[fold=1]"`, `"judge[fold=2]"`, …
fn gather(node: &mut Node, point: &Point, takes: &[Take], families: &[Family]) {
    // From behind, so that the indices before stay what they were.
    for take in takes.iter().rev().filter(|take| take.gathers) {
        let wanted = take.pinned.and(point);
        let agree = families[take.family].points.iter().map(|(_, found)| found).filter(|found| found.agrees(&wanted));
        let found: Vec<&Point> = agree.collect();
        if found.iter().all(|found| found.axes().all(|axis| wanted.get(axis).is_some())) {
            continue;
        }
        let path = node.real_path(&take.path);
        let Some((Segment::Index(index), parent)) = path.split_last() else { continue };
        let Some(Node { data: Data::List(items), .. }) = node.at_mut(parent) else { continue };
        let Some(item) = items.get(*index).cloned() else { continue };
        let reference = Reference::parse(&take.text);
        let port = reference.port.map(|port| format!(".{port}")).unwrap_or_default();
        let written = |found: &Point| Node {
            data: Data::Str(format!("{}{found}{port}", reference.name)),
            origin: None,
            ..item.clone()
        };
        items.splice(*index..=*index, found.into_iter().map(written));
    }
}
