//! Archives built in memory, honest and hostile.

use super::*;
use crate::stage::testing::Bench;
use std::io::Cursor;

/// What is put into an archive.
enum Put<'a> {
    File(&'a str, &'a [u8]),
    Link(&'a str, &'a str),
    Hard(&'a str, &'a str),
    Device(&'a str),
}
use Put::{Device, File, Hard, Link};

fn tar_of(entries: &[Put<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        let (name, target, kind, data): (_, _, _, &[u8]) = match entry {
            File(name, data) => (name, "", tar::EntryType::Regular, *data),
            Link(name, target) => (name, *target, tar::EntryType::Symlink, &[]),
            Hard(name, target) => (name, *target, tar::EntryType::Link, &[]),
            Device(name) => (name, "", tar::EntryType::Char, &[]),
        };
        // Written past the builder's own checks: these are what it would refuse to write.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, data).expect("a tar in memory");
    }
    builder.into_inner().expect("a tar in memory")
}

fn zip_of(entries: &[Put<'_>]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for entry in entries {
        match entry {
            File(name, data) => {
                writer.start_file(*name, options).expect("a zip in memory");
                writer.write_all(data).expect("a zip in memory");
            }
            Link(name, target) => writer.add_symlink(*name, *target, options).expect("a zip in memory"),
            Hard(..) | Device(_) => unreachable!("a zip has none"),
        }
    }
    writer.finish().expect("a zip in memory").into_inner()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).expect("in memory");
    encoder.finish().expect("in memory")
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(data).expect("in memory");
    encoder.finish().expect("in memory")
}

fn zst(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 1).expect("in memory")
}

fn deb_of(data: &[u8], name: &str) -> Vec<u8> {
    let mut builder = ar::Builder::new(Vec::new());
    for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), ("control.tar.gz", &gzip(&tar_of(&[]))[..]), (name, data)] {
        builder.append(&ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64), bytes).expect("an ar in memory");
    }
    builder.into_inner().expect("an ar in memory")
}

/// Takes a member out of an archive; gives the files and their bytes.
fn take(name: &str, archive: &[u8], member: &str) -> Result<Vec<(String, String)>, StageError> {
    take_limited(name, archive, member, 1 << 20)
}

fn take_limited(name: &str, archive: &[u8], member: &str, limit: u64) -> Result<Vec<(String, String)>, StageError> {
    let bench = Bench::default();
    let path = bench.file(name, archive);
    let member = Member::parse(member).expect("a member");
    bench.with_cx(|cx| {
        let out = cx.out("file")?;
        extract_limited(&Source { path: &path, name }, &member, &out, cx, limit, DEPTH)
    })?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(bench.output("file").into_iter().map(|(name, bytes)| (name, text(bytes))).collect())
}

fn refused(name: &str, archive: &[u8], member: &str) -> String {
    let error = take(name, archive, member).expect_err("refused");
    format!("{}; {}; {}", error.message, error.notes.join("; "), error.hints.join("; "))
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

const FILES: &[Put<'static>] =
    &[File("d/a.csv", b"1,2\n"), File("d/b.txt", b"b"), File("d/deep/c.csv", b"3\n"), File("README", b"r")];

#[test]
fn every_format_gives_files_folders_and_patterns() {
    let tar = tar_of(FILES);
    let dotted = tar_of(&[File("./d/a.csv", b"1,2\n"), File("./d/deep/c.csv", b"3\n"), File("./d/b.txt", b"b")]);
    let archives = [
        ("x.zip", zip_of(FILES)),
        ("x.tar", tar.clone()),
        ("x.tar.gz", gzip(&tar)),
        ("x.tar.xz", xz(&tar)),
        ("x.tar.zst", zst(&tar)),
        ("x.deb", deb_of(&xz(&dotted), "data.tar.xz")),
        ("y.deb", deb_of(&zst(&dotted), "data.tar.zst")),
        ("no-ending", gzip(&tar)),
    ];
    for (name, archive) in &archives {
        assert_eq!(take(name, archive, "d/a.csv").expect(name), pairs(&[("a.csv", "1,2\n")]));
        let folder = pairs(&[("a.csv", "1,2\n"), ("b.txt", "b"), ("deep/c.csv", "3\n")]);
        assert_eq!(take(name, archive, "d/").expect(name), folder, "{name}");
        assert_eq!(take(name, archive, "d/*.csv").expect(name), pairs(&[("a.csv", "1,2\n")]), "{name}");
        let deep = pairs(&[("a.csv", "1,2\n"), ("deep/c.csv", "3\n")]);
        assert_eq!(take(name, archive, "d/**/*.csv").expect(name), deep, "{name}");
    }
}

#[test]
fn a_single_packed_file_is_a_member_of_itself() {
    for (name, data) in [("a.csv.gz", gzip(b"1\n")), ("a.csv.xz", xz(b"1\n")), ("a.csv.zst", zst(b"1\n"))] {
        assert_eq!(take(name, &data, "a.csv").expect(name), pairs(&[("a.csv", "1\n")]));
        assert!(refused(name, &data, "b.csv").contains("it holds 1 file: `a.csv`"));
    }
    let two_parts = [gzip(b"1\n"), gzip(b"2\n")].concat();
    assert_eq!(take("a.csv.gz", &two_parts, "a.csv").expect("both"), pairs(&[("a.csv", "1\n2\n")]));
}

#[test]
fn a_path_goes_on_inside_an_archive_in_an_archive() {
    let inner = gzip(&tar_of(FILES));
    let outer = zip_of(&[File("res/data.tar.gz", &inner), File("res/x", b"x")]);
    assert_eq!(take("o.zip", &outer, "res/data.tar.gz/d/a.csv").expect("nested"), pairs(&[("a.csv", "1,2\n")]));
    let globbed = take("o.zip", &outer, "res/data.tar.gz/d/*.csv");
    assert_eq!(globbed.expect("nested"), pairs(&[("a.csv", "1,2\n")]));
    let packed = tar_of(&[File("d/rows.csv.gz", &gzip(b"1\n"))]);
    assert_eq!(take("o.tar", &packed, "d/rows.csv.gz/rows.csv").expect("nested"), pairs(&[("rows.csv", "1\n")]));
    assert!(refused("o.zip", &outer, "res/data.tar.gz/gone").contains("`data.tar.gz` has no member `gone`"));
    assert!(refused("o.zip", &outer, "res/x/a.csv").contains("`x` is not an archive"));
}

#[test]
fn a_missing_member_is_told_what_there_is() {
    let zip = zip_of(FILES);
    assert!(refused("x.zip", &zip, "a.csv").contains("did you mean `d/a.csv`?"));
    assert!(refused("x.zip", &zip, "d/a.cvs").contains("did you mean `d/a.csv`?"));
    let none = refused("x.zip", &zip, "d/*.png");
    assert!(none.contains("`x.zip` has no member `d/*.png`; it holds 4 files: `d/a.csv`, `d/b.txt`"), "{none}");
    assert!(refused("x.csv", b"a,b\n1,2\n", "a.csv").contains("leave `member` out"));
}

#[test]
fn names_that_lead_out_are_refused_whatever_is_asked_for() {
    for name in ["../evil", "d/../../evil", "/etc/evil"] {
        let entries = [File("d/a.csv", b"1\n"), File(name, b"x")];
        let tar = refused("x.tar", &tar_of(&entries), "d/a.csv");
        assert!(tar.starts_with("the archive `x.tar` is refused") && tar.contains(name), "{tar}");
        let zip = refused("x.zip", &zip_of(&entries), "d/a.csv");
        assert!(zip.starts_with("the archive `x.zip` is refused") && zip.contains(name), "{zip}");
    }
}

#[test]
fn links_give_what_they_lead_to_inside_and_nothing_outside() {
    for outside in ["/etc/passwd", "../../etc/passwd"] {
        let tar = tar_of(&[File("d/a", b"a"), Link("d/l", outside)]);
        assert!(refused("x.tar", &tar, "d/").contains("outside of the archive"));
        assert_eq!(take("x.tar", &tar, "d/a").expect("not asked for"), pairs(&[("a", "a")]));
        let zip = zip_of(&[File("d/a", b"a"), Link("d/l", outside)]);
        assert!(refused("x.zip", &zip, "d/").contains("outside of the archive"));
    }
    assert!(refused("x.tar", &tar_of(&[Hard("d/l", "../x")]), "d/").contains("outside of the archive"));
    let inside = tar_of(&[File("d/a", b"a"), Link("d/l", "../d/a"), Hard("d/h", "d/a")]);
    assert_eq!(take("x.tar", &inside, "d/").expect("inside"), pairs(&[("a", "a"), ("h", "a"), ("l", "a")]));
    assert!(refused("x.tar", &inside, "d/l").contains("select that: `member = \"d/a\"`"));
    // A link to a folder, with a file that would be written through it.
    let through = tar_of(&[Link("d/up", ".."), File("d/up/evil", b"x")]);
    assert!(refused("x.tar", &through, "d/").contains("is a link"), "{}", refused("x.tar", &through, "d/"));
}

#[test]
fn devices_and_names_that_come_twice_are_refused() {
    assert!(refused("x.tar", &tar_of(&[Device("d/null")]), "d/").contains("is a device"));
    let twice = [File("d/a", b"1"), File("d/a", b"2")];
    assert!(refused("x.tar", &tar_of(&twice), "d/a").contains("more than once"));
    let dotted = [File("d/a", b"1"), File("d/./a", b"2")];
    assert!(refused("x.tar", &tar_of(&dotted), "d/a").contains("more than once"));
}

#[test]
fn bombs_are_refused() {
    let zeros = vec![0; 4 << 20];
    let tar = gzip(&tar_of(&[File("other", &zeros), File("a", b"a")]));
    for (name, archive) in [("z.gz", gzip(&zeros)), ("z.xz", xz(&zeros)), ("z.zst", zst(&zeros)), ("z.tar.gz", tar)] {
        let member = if name == "z.tar.gz" { "a" } else { "z" };
        assert!(refused(name, &archive, member).contains("far more than"), "{name}");
    }
    assert!(refused("z.zip", &zip_of(&[File("a", &zeros)]), "a").contains("far more than"));
    assert!(take_limited("z.gz", &gzip(&zeros), "z", 4 << 20).is_ok());
    // A bomb in the archive in the archive.
    assert!(refused("z.zip", &zip_of(&[File("a.gz", &gzip(&zeros))]), "a.gz/a").contains("far more than"));
}

#[test]
fn a_tar_that_does_not_say_where_it_ends_is_told() {
    let tar = tar_of(&[File("a", b"1"), File("b", b"2")]);
    for (length, told) in [(1024, 1), (2048, 1), (tar.len(), 0)] {
        let bench = Bench::default();
        let path = bench.file("x.tar", &tar[..length]);
        let member = Member::parse("a").expect("a member");
        bench
            .with_cx(|cx| extract(&Source { path: &path, name: "x.tar" }, &member, &cx.out("file")?, cx))
            .expect("taken");
        let warnings = bench.warnings.lock().expect("no panic").clone();
        assert_eq!(warnings.len(), told, "{length}: {warnings:?}");
        assert!(warnings.iter().all(|words| words.starts_with("`x.tar` has no end mark")), "{warnings:?}");
    }
}

#[test]
fn a_changed_byte_in_a_packed_tar_is_damage() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(&tar_of(&[File("a.csv", b"payload")])).expect("in memory");
    let mut bytes = encoder.finish().expect("in memory");
    assert_eq!(take("x.tar.gz", &bytes, "a.csv").expect("taken"), pairs(&[("a.csv", "payload")]));
    let at = bytes.windows(7).position(|part| part == b"payload").expect("as it is");
    bytes[at] ^= 1;
    assert!(refused("x.tar.gz", &bytes, "a.csv").contains("`x.tar.gz` is damaged"));
}

#[test]
fn damaged_archives_are_told_from_missing_members() {
    let whole = gzip(&tar_of(&[File("d/a.csv", &[b'x'; 60_000]), File("d/b", b"b")]));
    assert!(refused("x.tar.gz", &whole[..whole.len() / 2], "d/b").contains("`x.tar.gz` is damaged"));
    // So little of it is left that it is not seen to be a tar.
    let whole = gzip(&tar_of(&[File("a.csv", b"a")]));
    assert!(refused("x.tar.gz", &whole[..30], "a.csv").contains("`x.tar.gz` is damaged"));
    let zip = zip_of(FILES);
    assert!(refused("x.zip", &zip[..zip.len() - 30], "d/b.txt").contains("`x.zip` is damaged"));
    let mut flipped = zip_of(&[File("a", b"some text that is packed, some text that is packed")]);
    flipped[40] ^= 0xff;
    assert!(refused("x.zip", &flipped, "a").contains("damaged"));
    assert!(refused("x.deb", &deb_of(b"BZh", "data.tar.bz2"), "a").contains("its content is `data.tar.bz2`"));
    assert!(refused("x.deb", &deb_of(b"", "other"), "a").contains("no `data.tar`"));
}
