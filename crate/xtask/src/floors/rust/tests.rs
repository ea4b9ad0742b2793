use super::*;

#[test]
fn a_use_is_of_the_deepest_file_it_names() {
    let found = imported_by(
        "a.rs",
        &[
            ("a.rs", "use crate::b::c::Thing;\nuse crate::b::d::Thing;\nuse crate::Thing;"),
            ("b/mod.rs", "pub mod c;\npub use self::c::d;"),
            ("b/c.rs", ""),
            ("lib.rs", ""),
        ],
    );
    assert_eq!(found, ["b/c.rs:1", "b/mod.rs:2", "lib.rs:3"]);
}

#[test]
fn grouped_and_renamed_uses_and_globs_are_read_with_the_line_of_each() {
    let text = "use crate::{\n    b::{self, Thing},\n    c::*,\n    d as other,\n};";
    let found = imported_by("a.rs", &[("a.rs", text), ("b.rs", ""), ("c.rs", ""), ("d.rs", "")]);
    assert_eq!(found, ["b.rs:2", "c.rs:3", "d.rs:4"]);
}

#[test]
fn super_leads_to_the_module_around_and_super_super_to_the_one_around_that() {
    let text = "use super::Thing;\nuse super::super::d::Other;\nfn f() { super::e::f() }";
    let sources =
        [("b/c/x.rs", text), ("b/c/mod.rs", ""), ("b/c/e.rs", ""), ("b/d.rs", ""), ("b/mod.rs", "")];
    assert_eq!(imported_by("b/c/x.rs", &sources), ["b/c/e.rs:3", "b/c/mod.rs:1", "b/d.rs:2"]);
}

#[test]
fn within_a_module_in_braces_super_is_the_file_itself() {
    let text = "mod inner {\n    use super::Thing;\n    use super::super::Other;\n}";
    assert_eq!(imported_by("b/c.rs", &[("b/c.rs", text), ("b/mod.rs", "")]), ["b/mod.rs:3"]);
}

#[test]
fn a_re_export_is_an_import_and_a_declaration_is_none() {
    let text = "mod c;\npub mod d;\npub use self::d::Thing;\npub use e::Thing as Other;";
    let sources = [("b/mod.rs", text), ("b/c.rs", ""), ("b/d.rs", ""), ("b/e.rs", "")];
    assert_eq!(imported_by("b/mod.rs", &sources), ["b/d.rs:3", "b/e.rs:4"]);
}

#[test]
fn paths_in_the_code_are_imports() {
    let text = "
        fn f(x: crate::b::Thing) -> Vec<super::c::Thing> { d::make(x) }
        impl crate::e::Able for () {}
    ";
    let sources = [("lib.rs", text), ("b.rs", ""), ("c.rs", ""), ("d.rs", ""), ("e.rs", "")];
    assert_eq!(imported_by("lib.rs", &sources), ["b.rs:2", "c.rs:2", "d.rs:2", "e.rs:3"]);
}

#[test]
fn paths_in_macros_and_attributes_are_imports() {
    let text = "
        #[given(by = crate::b::value)]
        struct A;
        fn f() { println!(\"{}\", [crate::c::f(1)]) }
        macro_rules! m { () => { $crate::d::f() } }
    ";
    let sources = [("a.rs", text), ("b.rs", ""), ("c.rs", ""), ("d.rs", "")];
    assert_eq!(imported_by("a.rs", &sources), ["b.rs:2", "c.rs:4", "d.rs:5"]);
}

#[test]
fn a_module_that_a_use_has_named_leads_further() {
    let text = "use crate::b;\nuse crate::b as other;\nuse b::d::Thing;\nfn f() { other::c::f() }";
    let sources = [("a.rs", text), ("b/mod.rs", ""), ("b/c.rs", ""), ("b/d.rs", "")];
    assert_eq!(imported_by("a.rs", &sources), ["b/c.rs:4", "b/d.rs:3", "b/mod.rs:1"]);
}

#[test]
fn what_is_compiled_for_tests_only_may_import_anything() {
    let text = "
        #[cfg(test)]
        use crate::b::Thing;
        #[cfg(all(test, unix))]
        fn f() { crate::b::f() }
        struct S;
        impl S {
            #[cfg(test)]
            fn g() { crate::b::f() }
        }
        #[cfg(test)]
        mod tests { use crate::b::Thing; mod deep { use crate::b::Thing; } }
    ";
    assert!(imported_by("a.rs", &[("a.rs", text), ("b.rs", "")]).is_empty());
}

#[test]
fn a_file_that_is_compiled_for_tests_only_may_import_anything() {
    let sources = [
        ("a.rs", "#[cfg(test)]\nmod tests;"),
        ("a/tests.rs", "use crate::b::Thing;\nmod more;"),
        ("b.rs", ""),
    ];
    assert!(imported_by("a/tests.rs", &sources).is_empty());
    let not_for_tests = [("a.rs", "mod tests;"), ("a/tests.rs", "use crate::b::Thing;"), ("b.rs", "")];
    assert_eq!(imported_by("a/tests.rs", &not_for_tests), ["b.rs:1"]);
}

#[test]
fn other_crates_comments_strings_and_visibilities_are_no_imports() {
    let text = "
        //! See [`crate::b::Thing`].
        use ::b::Thing;
        use std::b::Other;
        pub(in crate::b) fn f() -> &'static str { \"crate::b::f()\" }
        fn g() { std::b::f(); ::b::f(); m!(::b::f(), x.b::<T>()) }
    ";
    assert!(imported_by("lib.rs", &[("lib.rs", text), ("b.rs", "")]).is_empty());
}

/// The files that it imports, each with the first line that does.
fn imported_by(file: &str, sources: &[(&str, &str)]) -> Vec<String> {
    let sources = sources.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let imports = imports(&sources).unwrap();
    let of_file = imports.iter().filter(|import| import.from == file);
    of_file.map(|import| format!("{}:{}", import.to, import.line)).collect()
}
