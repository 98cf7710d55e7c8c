//! The steps as they landed.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

/// What landed steps are. One that has landed is never edited, not even in its comments: databases have taken it as it
/// was, and nobody can tell the two apart. What must change is a new step, with a line of its own here and a golden
/// database of the step before it.
const STEPS: [(&str, &str); 4] = [
    (
        "m20261122_000001_chat.rs",
        "f5b1bb0315b97ec0b514fa3bd6fd1bc72f9da2d1f4229fde64912971ef07f3e1",
    ),
    (
        "m20261123_000002_signals.rs",
        "8ed9f282f0f75ee5c45c6bdf49d8068b966c46deac12dbceaaa15859300577bb",
    ),
    (
        "m20261124_000003_since.rs",
        "fe8bd7ce1f4168bf6da384f7314f2d8aa5bdc16027eaacd5daa9c8e6a8e26c7a",
    ),
    (
        "m20261127_000004_one_time_links.rs",
        "745a83445f915f2384133d6bc380591c972463884443aa8ff81ec87c12954de9",
    ),
];

#[test]
fn a_step_that_has_landed_is_never_edited() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = home.join("migrations/src");
    let all = fs::read_dir(&folder).expect("it is there").flatten();
    let all = all.map(|file| file.file_name().into_string().expect("UTF-8"));
    let mut steps: Vec<_> = all.filter(|name| name.starts_with("m2")).collect();
    steps.sort();
    let known: Vec<_> = STEPS.iter().map(|(name, _)| *name).collect();
    assert_eq!(steps, known, "each step has its checksum here");
    for (name, sum) in STEPS {
        let bytes = fs::read(folder.join(name)).expect("a step");
        let real: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(real, sum, "{name} has landed: write a new step instead");
    }
}
