//! Who may look into the data: only the account that the program runs as.
//!
//! Files and directories are made without rights for others, whatever the umask; what an older version, an unpacked
//! backup or a service manager made with other rights is mended at start.

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

/// What the program makes in its data directory begins so. Whatever else lies there is not ours to change.
const OURS: [&str; 6] = ["tertulia", "before-", "backup", "tls", "acme", "keys"];
/// Rights of the group and of everybody.
const OTHERS: u32 = 0o077;
/// `/tmp` and its like, where everybody may make files: their rights are the system's.
const STICKY: u32 = 0o1000;

/// With less room than this SQLite cannot even open a database: it makes an index of its log of this size.
const ROOM: u64 = 64 * 1024;

/// Makes the directory of a database file if there is none, and the file itself, empty: what SQLite makes beside it
/// gets the same rights and owner.
///
/// # Errors
/// A sentence for the operator.
pub(super) fn make_room_for(file: &Path) -> Result<(), String> {
    make_directory_of(file)?;
    if file.exists() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    let made = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file);
    made.map_err(|err| {
        let words = who_may_write(file);
        format!(
            "cannot create the database {}: {err}{words}",
            file.display()
        )
    })?;
    give_to_the_owner_of_its_directory(file);
    Ok(())
}

/// Makes the directory of a database file if there is none.
///
/// # Errors
/// A sentence for the operator.
pub(super) fn make_directory_of(file: &Path) -> Result<(), String> {
    let Some(dir) = directory_of(file).filter(|dir| !dir.is_dir()) else {
        return Ok(());
    };
    let above = dir.ancestors().find(|it| it.is_dir());
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    made.map_err(|err| {
        let words = who_may_write(dir);
        format!(
            "cannot create the directory {}: {err}{words}",
            dir.display()
        )
    })?;
    for dir in dir.ancestors().take_while(|it| Some(*it) != above) {
        give_to_the_owner_of_its_directory(dir);
        reach_the_disk(dir);
    }
    Ok(())
}

/// A directory that was just made survives a loss of power once the one above it has been written out.
fn reach_the_disk(dir: &Path) {
    let Some(above) = directory_of(dir) else {
        return;
    };
    let synced = fs::File::open(above).and_then(|above| above.sync_all());
    if let Err(err) = synced {
        tracing::warn!(error = %err, "{} may be gone after a loss of power", dir.display());
    }
}

/// Takes the rights of others away: from the data directory and everything of ours in it, and from the database's own
/// files where they lie elsewhere. Says so in one line of the log; what belongs to somebody else stays as it is.
pub(super) fn mend(data: &Path, database: Option<&Path>) {
    let mut found = Vec::new();
    if data.is_dir() {
        found.push(data.to_path_buf());
        found.extend(entries(
            data,
            &|name| OURS.iter().any(|it| name.starts_with(it)),
            true,
        ));
    }
    if let Some((dir, name)) = database.and_then(|file| directory_of(file).zip(file.file_name())) {
        let own = name.to_string_lossy().into_owned();
        found.extend(entries(dir, &|name| name.starts_with(&own), false));
    }
    let (mended, kept): (Vec<_>, Vec<_>) = found
        .into_iter()
        .filter_map(|path| Some((close(&path).transpose()?, path)))
        .partition(|(done, _)| done.is_ok());
    if let Some((_, first)) = mended.first() {
        let more = match mended.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more files beside the database"),
        };
        tracing::info!(
            "other people of this machine could read or write {}{more}: now only its owner can",
            first.display()
        );
    }
    if let Some((Err(err), first)) = kept.first() {
        tracing::warn!(
            error = %err,
            "other people of this machine may read or write {}{}",
            first.display(),
            who_may_write(first)
        );
    }
}

/// Whether something had to be done, and was.
fn close(path: &Path) -> io::Result<Option<()>> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(None);
    };
    let mode = metadata.mode();
    if metadata.is_symlink() || mode & OTHERS == 0 {
        return Ok(None);
    }
    if mode & STICKY != 0 {
        return Err(io::Error::other("this directory is everybody's"));
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7777 & !OTHERS))?;
    Ok(Some(()))
}

/// What lies in a directory under names of ours, with everything below if asked for.
fn entries(dir: &Path, is_ours: &dyn Fn(&str) -> bool, deep: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_ours(&entry.file_name().to_string_lossy()) || (is_dir && !deep) {
            continue;
        }
        found.push(entry.path());
        if is_dir {
            found.extend(entries(&entry.path(), &|_| true, true));
        }
    }
    found
}

/// What root makes belongs to whom the directory belongs, or the server could not open it afterwards. Nobody else may
/// give files away.
pub(super) fn give_to_the_owner_of_its_directory(path: &Path) {
    let Some(dir) = directory_of(path) else {
        return;
    };
    let (Ok(dir), Ok(file)) = (fs::metadata(dir), fs::metadata(path)) else {
        return;
    };
    if !rustix::process::geteuid().is_root() || dir.uid() == file.uid() {
        return;
    }
    if let Err(err) = std::os::unix::fs::chown(path, Some(dir.uid()), Some(dir.gid())) {
        tracing::warn!(error = %err, "{} could not be given to the owner of its directory", path.display());
    }
}

/// Why this process may not write here, to stand behind an error; nothing where rights are no reason.
pub(super) fn who_may_write(path: &Path) -> String {
    let is_there = |path: &&Path| fs::metadata(path).is_ok();
    let ways = path.ancestors().filter(|path| !path.as_os_str().is_empty());
    let Some(metadata) = ways
        .clone()
        .find(is_there)
        .and_then(|it| fs::metadata(it).ok())
    else {
        return String::new();
    };
    let (owner, we) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == we || we == 0 {
        return String::new();
    }
    let place = ways.clone().find(is_there).unwrap_or(path);
    format!(
        ". {} belongs to user {owner} and this process runs as user {we}: run it as that user, or give the directory to \
         this one (chown -R {we} {})",
        place.display(),
        place.display()
    )
}

/// Whether the disk on which a file lies has no room left for ordinary accounts.
pub(super) fn disk_is_full(file: &Path) -> bool {
    let dir = directory_of(file).unwrap_or(file);
    rustix::fs::statvfs(dir).is_ok_and(|disk| disk.f_bavail * disk.f_frsize < ROOM)
}

fn directory_of(file: &Path) -> Option<&Path> {
    file.parent().map(|dir| match dir.as_os_str().is_empty() {
        true => Path::new("."),
        false => dir,
    })
}
