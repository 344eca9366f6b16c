//! What a newer kilter left in a workspace is called so, and stays as it is.

use crate::lock::sandbox;

#[test]
fn a_lock_of_a_newer_kilter_is_called_so_and_left_alone() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    let newer = sandbox.read("pipeline.lock").replace("format = 1", "format = 2");
    sandbox.write("pipeline.lock", &newer);
    let words = "a newer kilter wrote `pipeline.lock`: its format is 2, and this kilter reads 1";
    for command in
        [&["run", "--locked"][..], &["verify"], &["lock"], &["lock", "--resolve"], &["diff", "pipeline.lock"]]
    {
        sandbox.kilter(command).exits(2).says(words).says("use a newer kilter").says_not("delete it");
    }
    for more in [&[][..], &["--force"], &["first"], &["--set", "word=two"]] {
        sandbox.run(more).success();
        assert_eq!(sandbox.read("pipeline.lock"), newer);
    }
    sandbox.run(&["--force"]).says("the lock was not written").says(words);
}

/// Which files a newer kilter's results need is not known, so none goes.
#[test]
fn what_a_newer_kilter_wrote_is_called_so_and_kept() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    let key =
        sandbox.kilter(&["runs", "last", "--json"]).json()["stages"][0]["key"].as_str().expect("a key").to_owned();
    let entry = sandbox.path(&format!(".kilter/store-v1/index/{}/{}.json", &key[..2], &key[2..]));
    let text = std::fs::read_to_string(&entry).expect("a record");
    let newer = text.replace(r#""format":1"#, r#""format":2"#);
    assert_ne!(newer, text);
    std::fs::remove_file(&entry).expect("removed");
    std::fs::write(&entry, newer).expect("written");
    sandbox.kilter(&["gc"]).exits(3).says("a newer kilter wrote 1 result of the store").says("use a newer kilter");
    sandbox.kilter(&["cache", "--check"]).success().prints("1 more result of a newer kilter").prints("sound");
    sandbox.kilter(&["plan"]).success().prints("a newer kilter wrote its record, in format 2; this kilter reads 1");
}
