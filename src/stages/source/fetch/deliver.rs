//! Writes the outputs: the file as it came, or what is taken out of it.

use super::archive::{self, Extracted};
use super::member::Member;
use super::{Got, Spec};
use crate::digest::Segment;
use crate::numbers;
use crate::path;
use crate::stage::{Produced, RunCx, StageError};
use crate::types::ArtifactType;

/// Writes every output of a fetch.
pub(super) fn deliver(got: &Got, spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
    let verified = if got.verified { ", sha256 verified" } else { "" };
    if let Some(members) = &spec.members {
        let mut produced = Produced::default();
        let (mut files, mut bytes) = (0, 0);
        for (port, text) in members {
            let (ty, extracted) = take(got, text, |_| port, path!["members", port], cx)?;
            files += extracted.files;
            bytes += extracted.bytes;
            produced = produced.port(port.as_str(), ty);
        }
        produced.summary = format!("{} files, {}{verified}", numbers::count(files), numbers::bytes(bytes));
        return Ok(produced);
    }
    let Some(text) = &spec.member else { return whole(got, verified, cx) };
    let port_of = |ty: &ArtifactType| if matches!(ty, ArtifactType::Dir) { "dir" } else { "file" };
    let (ty, Extracted { files, bytes }) = take(got, text, port_of, path!["member"], cx)?;
    let counted = match ty {
        ArtifactType::Dir => format!("{} files, {}{verified}", numbers::count(files), numbers::bytes(bytes)),
        _ => format!("{}{verified}", numbers::bytes(bytes)),
    };
    Ok(Produced::new(counted).port(port_of(&ty), ty))
}

/// Takes one member out of the archive, into the folder of its port.
fn take<'p>(
    got: &Got,
    text: &str,
    port_of: impl Fn(&ArtifactType) -> &'p str,
    at: Vec<Segment>,
    cx: &RunCx<'_>,
) -> Result<(ArtifactType, Extracted), StageError> {
    let member = Member::parse(text).map_err(|wrong| StageError::bug(wrong.message))?;
    let ty = if member.is_dir() { ArtifactType::Dir } else { ArtifactType::File };
    let archive = archive::Source { path: &got.path, name: &got.name };
    let extracted = archive::extract(&archive, &member, &cx.out(port_of(&ty))?, cx).map_err(|error| error.at(at))?;
    Ok((ty, extracted))
}

/// The file as it came.
fn whole(got: &Got, verified: &str, cx: &RunCx<'_>) -> Result<Produced, StageError> {
    let to = cx.out("file")?.join(&got.name);
    if got.path.starts_with(cx.scratch) {
        std::fs::rename(&got.path, &to).or_else(|_| std::fs::copy(&got.path, &to).map(drop))
    } else {
        reflink_copy::reflink_or_copy(&got.path, &to).map(drop)
    }
    .map_err(|error| StageError::io("copy", &got.path, &error))?;
    let summary = format!("{}{verified}", numbers::bytes(got.size));
    Ok(Produced::new(summary).port("file", ArtifactType::File))
}
