//! What the demangled name of a function tells: its crate, and the generic function that it is an instantiation of.

/// Beginnings of names that are not mangled; the first that fits counts. The rest are methods that JavaScript calls.
const UNMANGLED: &[(&str, &str)] = &[
    ("__wbindgen_describe", "(read and removed by the binding step)"),
    ("__wbindgen", "wasm_bindgen"),
    ("__wbg", "wasm_bindgen"),
    ("__externref", "wasm_bindgen"),
    ("__rust", "std"),
    ("__rdl", "std"),
    ("rust_", "std"),
    ("__", "compiler_builtins"),
    ("mem", "compiler_builtins"),
];

/// The crate of the outermost path. For a method of a trait this is the crate of the type. If the type is primitive, a
/// parameter or the standard library's, it is the crate of the trait, because the `impl` must be in one of these two.
pub fn crate_of(name: &str) -> &str {
    if let Some(qualified) = name.strip_prefix('<') {
        let inside = &qualified[..end_of_brackets(qualified)];
        let (of_type, of_trait) = match split_as(inside) {
            Some((self_type, implemented)) => (owner(self_type), owner(implemented)),
            None => (owner(inside), None),
        };
        return match (of_type, of_trait) {
            (Some(of_type), Some(of_trait)) if is_standard(of_type) && !is_standard(of_trait) => of_trait,
            (Some(of_type), _) => of_type,
            (None, Some(of_trait)) => of_trait,
            // `<[T]>::reverse`
            (None, None) => "core",
        };
    }
    if let Some(krate) = owner(name) {
        return krate;
    }
    UNMANGLED.iter().find(|(start, _)| name.starts_with(start)).map_or("(exported)", |(_, krate)| krate)
}

/// The name without generic arguments.
pub fn family_of(name: &str) -> String {
    let mut family = String::new();
    let mut rest = name;
    while let Some(open) = rest.find('<') {
        let before = &rest[..open];
        family.push_str(before);
        let inside = &rest[open + 1..];
        let end = end_of_brackets(inside);
        let are_arguments = before
            .ends_with(|char: char| char.is_alphanumeric() || char == '_' || char == ':')
            && !inside.starts_with("impl ");
        if are_arguments {
            // Both `f::<T>` and `f<T>` are instantiations of `f`.
            family.truncate(family.trim_end_matches("::").len());
        } else {
            family.push('<');
            family.push_str(&family_of(&inside[..end]));
            family.push('>');
        }
        rest = inside.get(end + 1..).unwrap_or("");
    }
    family.push_str(rest);
    family
}

fn is_standard(krate: &str) -> bool {
    matches!(krate, "core" | "alloc" | "std")
}

/// The first part of the path of a type or function, without `&`, `mut` and the like. `None` for a primitive type or a
/// parameter.
fn owner(path: &str) -> Option<&str> {
    let mut path = path;
    loop {
        let trimmed = path.trim_start_matches(['&', '*', '[', '(', ' ']);
        let words = ["const ", "mut ", "dyn ", "impl "];
        let trimmed = words.iter().find_map(|word| trimmed.strip_prefix(word)).unwrap_or(trimmed);
        if trimmed == path {
            break;
        }
        path = trimmed;
    }
    if path.starts_with('<') {
        return Some(crate_of(path));
    }
    let end = path.find(|char: char| !char.is_alphanumeric() && char != '_')?;
    (end > 0 && path[end..].starts_with("::")).then_some(&path[..end])
}

/// Splits `A as B` at the ` as ` that is in no brackets.
fn split_as(inside: &str) -> Option<(&str, &str)> {
    const AS: &str = " as ";
    let at = inside.match_indices(AS).map(|(at, _)| at).find(|&at| depth(&inside[..at]) == 0)?;
    Some((&inside[..at], &inside[at + AS.len()..]))
}

fn depth(text: &str) -> isize {
    brackets(text).map(|(_, step)| step).sum()
}

/// The position of the bracket that closes the one just before the text.
fn end_of_brackets(text: &str) -> usize {
    let mut depth = 1;
    for (at, step) in brackets(text) {
        depth += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The positions of angle brackets, with 1 for an opening and -1 for a closing one. The `>` of `->` is not a bracket.
fn brackets(text: &str) -> impl Iterator<Item = (usize, isize)> {
    text.char_indices().filter_map(move |(at, char)| match char {
        '<' => Some((at, 1)),
        '>' if !text[..at].ends_with('-') => Some((at, -1)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_of_the_crate_its_path_begins_with() {
        assert_eq!(crate_of("eyot_core::log::Log::append"), "eyot_core");
        assert_eq!(
            crate_of("automerge::op_set2::<impl core::fmt::Debug for automerge::OpId>::fmt"),
            "automerge"
        );
        assert_eq!(crate_of("core::ptr::drop_in_place<automerge::Change>"), "core");
        assert_eq!(crate_of("alloc::vec::Vec<T,A>::push"), "alloc");
        assert_eq!(crate_of("<hexane::column::Column<T>>::splice"), "hexane");
    }

    #[test]
    fn an_implementation_is_of_its_types_crate() {
        assert_eq!(crate_of("<eyot_core::Frame as minicbor::encode::Encode<C>>::encode"), "eyot_core");
        assert_eq!(crate_of("<automerge::Change as core::clone::Clone>::clone"), "automerge");
        assert_eq!(crate_of("<&mut hexane::Cursor<T> as core::iter::Iterator>::next"), "hexane");
        assert_eq!(crate_of("<alloc::vec::Vec<automerge::Op> as core::ops::Drop>::drop"), "alloc");
    }

    #[test]
    fn an_implementation_for_a_standard_or_primitive_type_is_of_its_traits_crate() {
        assert_eq!(crate_of("<alloc::vec::Vec<T> as minicbor::encode::Encode<C>>::encode"), "minicbor");
        assert_eq!(crate_of("<[T] as hexane::Slice>::reverse"), "hexane");
        assert_eq!(crate_of("<T as core::any::Any>::type_id"), "core");
        assert_eq!(crate_of("<[u8]>::reverse"), "core");
    }

    #[test]
    fn an_implementation_within_an_implementation_is_of_the_outer_ones_crate() {
        let name = "<<alloc::vec::Vec<A> as eyot_core::Rows>::Iter as core::iter::Iterator>::next";
        assert_eq!(crate_of(name), "eyot_core");
        assert_eq!(crate_of("<fn(A) -> B as automerge::Apply>::apply::{{closure}}"), "automerge");
    }

    #[test]
    fn names_that_are_not_mangled_have_crates_too() {
        assert_eq!(crate_of("memcpy"), "compiler_builtins");
        assert_eq!(crate_of("__multi3"), "compiler_builtins");
        assert_eq!(crate_of("__wbindgen_malloc"), "wasm_bindgen");
        assert_eq!(crate_of("__wbindgen_describe_engine_new"), "(read and removed by the binding step)");
        assert_eq!(crate_of("engine_create"), "(exported)");
    }

    #[test]
    fn instantiations_with_other_types_are_one_family() {
        let family = "alloc::collections::btree::map::BTreeMap::insert";
        assert_eq!(family_of("alloc::collections::btree::map::BTreeMap<K,V,A>::insert"), family);
        assert_eq!(
            family_of("alloc::collections::btree::map::BTreeMap::<u8, fn(A) -> Vec<B>>::insert::<C>"),
            family
        );
    }

    #[test]
    fn a_family_keeps_the_type_and_the_trait_that_is_implemented() {
        assert_eq!(
            family_of("<alloc::vec::Vec<T> as core::iter::FromIterator<I>>::from_iter"),
            "<alloc::vec::Vec as core::iter::FromIterator>::from_iter"
        );
        assert_eq!(family_of("a::b::<impl a::T<A> for a::B>::f"), "a::b::<impl a::T for a::B>::f");
    }
}
