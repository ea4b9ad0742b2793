//! Every bound of what is stripped, met; and every error, got.

use eyot_core::automerge::transaction::{CommitOptions, Transactable};
use eyot_core::automerge::{ActorId, AutoCommit, Change, ROOT};
use eyot_core::base::id::{AuthorId, CommitId};
use eyot_core::commit::header::After;
use eyot_core::document::stripped::changes::Changes;
use eyot_core::document::stripped::limits::{ACTOR_SOURCES_MAX, COMMITS_LOOKED_AT_MAX, Limits};
use eyot_core::document::stripped::strip::{Context, RebuildError, rebuild, strip};

const ME: AuthorId = AuthorId([200; 16]);

fn writer(author: AuthorId) -> AutoCommit {
    AutoCommit::new().with_actor(ActorId::from(&author.0[..]))
}

fn put(doc: &mut AutoCommit, key: &str, value: i64) -> Change {
    doc.put(ROOT, key, value).unwrap();
    doc.commit_with(CommitOptions::default().with_time(0)).unwrap();
    doc.get_last_local_change().unwrap()
}

fn context(seq: u64, after: &[After]) -> Context<'_> {
    let prev = (seq > 1).then(|| CommitId([seq as u8 - 1; 32]));
    Context { author: ME, seq, prev, after, time: 999 }
}

/// A change after those of so many others, of each of whom it replaces a value; with its causes.
fn merge_of(others: u8) -> (Change, Vec<After>, Changes) {
    let mut doc = writer(ME);
    let mut changes = Changes::new();
    let mut after = Vec::new();
    for number in 0..others {
        let author = AuthorId([number; 16]);
        let change = put(&mut writer(author), &format!("key {number}"), 1);
        let id = CommitId([number; 32]);
        changes.insert(author, 1, &id, [&change]);
        after.push(After { author, seq: 1, short: id.short() });
        doc.apply_changes([change]).unwrap();
    }
    for number in 0..others {
        doc.put(ROOT, format!("key {number}"), 2).unwrap();
    }
    doc.commit_with(CommitOptions::default().with_time(0)).unwrap();
    (doc.get_last_local_change().unwrap(), after, changes)
}

#[test]
fn each_limit_is_the_most_that_is_stripped_and_rebuilt() {
    let (change, after, changes) = merge_of(3);
    let context = context(1, &after);
    let exact = Limits { dependencies_max: 3, other_actors_max: 3, columns_max: 8 };
    let item = strip(&change, &context, &changes, &exact).unwrap();
    assert_eq!(rebuild(&item, &context, &changes, &exact).as_deref(), Ok(change.raw_bytes()));
    for less in [Limits { dependencies_max: 2, ..exact }, Limits { other_actors_max: 2, ..exact }] {
        assert_eq!(strip(&change, &context, &changes, &less), None);
        let refused = rebuild(&item, &context, &changes, &less);
        assert!(matches!(refused, Err(RebuildError::Malformed(_))), "{refused:?}");
    }
    let less = Limits { columns_max: 7, ..exact };
    assert_eq!(strip(&change, &context, &changes, &less), None);
}

#[test]
fn actors_of_the_first_dependencies_are_named_by_number_and_others_by_id() {
    let others = ACTOR_SOURCES_MAX as u8 + 2;
    let (change, after, changes) = merge_of(others);
    let item = strip(&change, &context(1, &after), &changes, &Limits::default()).unwrap();
    let by_id = (0..others).filter(|number| item.windows(16).any(|id| id == [*number; 16])).count();
    assert_eq!(by_id, 2);
}

#[test]
fn the_last_change_is_looked_for_in_so_many_commits() {
    let mut doc = writer(ME);
    let first = put(&mut doc, "k", 1);
    let mut clone = doc.fork().with_actor(ActorId::from(&ME.0[..]));
    let (ours, theirs) = (put(&mut doc, "k", 2), put(&mut clone, "k", 3));
    for other_commits in [COMMITS_LOOKED_AT_MAX - 1, COMMITS_LOOKED_AT_MAX] {
        let mut changes = Changes::new();
        changes.insert(ME, 1, &CommitId([1; 32]), [&first]);
        for number in 0..other_commits {
            changes.insert(ME, 2 + number as u64, &CommitId([0xee; 32]), [&theirs]);
        }
        let item = strip(&ours, &context(100, &[]), &changes, &Limits::default());
        assert_eq!(item.is_some(), other_commits < COMMITS_LOOKED_AT_MAX, "{other_commits}");
    }
}

#[test]
fn what_is_not_the_authors_next_change_at_the_commits_time_is_an_import() {
    let mut doc = writer(ME);
    let (first, second) = (put(&mut doc, "k", 1), put(&mut doc, "k", 2));
    let mut changes = Changes::new();
    let limits = Limits::default();
    assert!(strip(&first, &context(1, &[]), &changes, &limits).is_some());
    let later = Context { time: 1000, ..context(1, &[]) };
    assert_eq!(strip(&first, &later, &changes, &limits), None, "another time");
    let other = Context { author: AuthorId([1; 16]), ..context(1, &[]) };
    assert_eq!(strip(&first, &other, &changes, &limits), None, "another actor");
    assert_eq!(strip(&second, &context(2, &[]), &changes, &limits), None, "the first is not known");
    changes.insert(ME, 1, &CommitId([1; 32]), [&first]);
    assert!(strip(&second, &context(2, &[]), &changes, &limits).is_some());
    changes.insert(ME, 2, &CommitId([2; 32]), [&second]);
    assert_eq!(strip(&second, &context(3, &[]), &changes, &limits), None, "it is there already");
}

#[test]
fn the_last_of_several_own_changes_of_a_commit_is_the_one_that_counts() {
    let mut doc = writer(ME);
    let made: Vec<_> = (0..3).map(|value| put(&mut doc, "k", value)).collect();
    let foreign = put(&mut writer(AuthorId([1; 16])), "k", 1);
    let mut changes = Changes::new();
    changes.insert(ME, 1, &CommitId([1; 32]), [&made[0], &made[1], &foreign]);
    changes.insert(ME, 1, &CommitId([1; 32]), [&made[0], &made[1], &foreign]);
    changes.insert(ME, 2, &CommitId([2; 32]), [&foreign]);
    assert_eq!(changes.len(), 1);
    assert!(strip(&made[2], &context(2, &[]), &changes, &Limits::default()).is_some());
}

#[test]
fn each_error_says_what_to_do() {
    let (change, after, changes) = merge_of(2);
    let context = context(1, &after);
    let limits = Limits::default();
    let item = strip(&change, &context, &changes, &limits).unwrap();
    let get = |bytes: &[u8], changes: &Changes| rebuild(bytes, &context, changes, &limits).unwrap_err();
    let missing = get(&item, &Changes::new());
    assert!(matches!(missing, RebuildError::Missing(commit) if after.contains(&commit)));
    for later in [&[0x80][..], &[0x83, 1], &[3, 0], &[0, 99, 1, 2]] {
        assert_eq!(get(later, &changes), RebuildError::Unsupported, "{later:?}");
    }
    let malformed: [(&str, &[u8]); 9] = [
        ("nothing", &[]),
        ("no columns", &[0]),
        ("a number in two bytes", &[8, 0x85, 0, 16]),
        ("an older commit that is the one before", &[[2, 1].as_slice(), &[0; 16], &[16]].concat()),
        ("a change before the first", &[1, 16]),
        ("dependencies twice", &[4, 2, 2, 2, 16]),
        ("a cause that is not there", &[4, 1, 8, 16]),
        ("an empty message", &[32, 0, 16]),
        ("bytes after the end", &[0, 16, 1]),
    ];
    for (what, bytes) in malformed {
        assert!(matches!(get(bytes, &changes), RebuildError::Malformed(_)), "{what}");
    }
    assert!(rebuild(&[0, 16], &context, &changes, &limits).is_ok());
    for (what, bytes) in [
        ("dependencies that need not be there", &[4, 0, 16][..]),
        ("a start op that need not be there", &[8, 1, 16]),
        ("a start op of 0", &[8, 0, 16]),
        ("actors that need not be there", &[16, 0, 16]),
        ("an unknown actor", &[16, 1, 1, 16]),
    ] {
        assert!(matches!(get(bytes, &changes), RebuildError::Malformed(_)), "{what}");
    }
}
