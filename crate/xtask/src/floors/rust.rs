//! Finds the imports between the files of a Rust crate: `use` items, and paths such as `crate::a::b::f()` in code, in
//! attributes and in the arguments of macros. Code that is compiled only for tests is left out. `mod x;` is no import.
//!
//! An import leads to the file of the deepest module in its path: `crate::a::b::Thing` leads to `a/b.rs`. If there is no
//! such file, it leads to `a.rs` or `a/mod.rs`, even if that re-exports `b` from somewhere else.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, ImplItem, Item, Meta, Token, UseTree};

use super::import::{Import, Sources, first_of_each_pair};

pub fn imports(sources: &Sources) -> Result<Vec<Import>> {
    let mut modules = Modules::default();
    let mut mentions = Vec::new();
    for (file, text) in sources {
        let parsed = syn::parse_file(text).with_context(|| format!("parsing {file}"))?;
        if only_for_tests(&parsed.attrs) {
            continue;
        }
        let module = module_of(file);
        modules.files.entry(module.clone()).or_insert(file);
        let mut reader = Reader { file, module, modules: &mut modules, mentions: &mut mentions };
        reader.visit_file(&parsed);
    }
    Ok(resolve(&modules, &mentions))
}

type Path = Vec<String>;

#[derive(Default)]
struct Modules<'a> {
    /// The file of each module. For `mod x { … }` that is the file it is written in.
    files: BTreeMap<Path, &'a str>,
    only_for_tests: BTreeSet<Path>,
}

/// A path as it is written in a file.
struct Mention<'a> {
    file: &'a str,
    module: Path,
    path: Path,
    line: usize,
    /// For a `use`: the name it gives to the path.
    used_as: Option<String>,
}

fn module_of(file: &str) -> Path {
    let mut path: Path = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let last = path.last().map(String::as_str);
    if last == Some("mod") || (path.len() == 1 && matches!(last, Some("lib" | "main"))) {
        path.pop();
    }
    path
}

fn resolve(modules: &Modules<'_>, mentions: &[Mention<'_>]) -> Vec<Import> {
    let mut names: BTreeMap<(&[String], &str), Path> = BTreeMap::new();
    for mention in mentions {
        if let (Some(name), Some(path)) = (&mention.used_as, modules.absolute(mention)) {
            names.insert((&mention.module, name), path);
        }
    }
    let import = |mention: &Mention<'_>| {
        let path = modules.absolute(mention).or_else(|| {
            let named = names.get(&(&mention.module[..], &mention.path[0][..]))?;
            Some([&named[..], &mention.path[1..]].concat())
        })?;
        if modules.is_only_for_tests(&mention.module) {
            return None;
        }
        let to = (0..=path.len()).rev().find_map(|end| modules.files.get(&path[..end]))?;
        Some(Import { from: mention.file.to_owned(), to: (*to).to_owned(), line: mention.line })
    };
    first_of_each_pair(mentions.iter().filter_map(import).collect())
}

impl Modules<'_> {
    /// The path from the root of the crate. `None` if it begins with another crate, or with a name that a `use` gave.
    fn absolute(&self, mention: &Mention<'_>) -> Option<Path> {
        let mut at = mention.module.clone();
        let mut rest = &mention.path[..];
        match rest[0].as_str() {
            "crate" => {
                at.clear();
                rest = &rest[1..];
            }
            "self" | "super" => {
                while let Some(first @ ("self" | "super")) = rest.first().map(String::as_str) {
                    if first == "super" {
                        at.pop();
                    }
                    rest = &rest[1..];
                }
            }
            child => {
                at.push(child.to_owned());
                if !self.files.contains_key(&at) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        at.extend_from_slice(rest);
        Some(at)
    }

    fn is_only_for_tests(&self, module: &[String]) -> bool {
        (1..=module.len()).any(|end| self.only_for_tests.contains(&module[..end]))
    }
}

/// Collects the paths in one file.
struct Reader<'a, 'm> {
    file: &'a str,
    module: Path,
    modules: &'m mut Modules<'a>,
    mentions: &'m mut Vec<Mention<'a>>,
}

impl Reader<'_, '_> {
    fn mention(&mut self, path: Path, line: usize, used_as: Option<String>) {
        let (file, module) = (self.file, self.module.clone());
        self.mentions.push(Mention { file, module, path, line, used_as });
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |ident: &Ident| [before, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.use_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => {
                self.mention(before.to_vec(), line(&name.ident), before.last().cloned());
            }
            UseTree::Name(name) => {
                self.mention(with(&name.ident), line(&name.ident), Some(name.ident.to_string()));
            }
            UseTree::Rename(renamed) => {
                let path = if renamed.ident == "self" { before.to_vec() } else { with(&renamed.ident) };
                self.mention(path, line(&renamed.ident), Some(renamed.rename.to_string()));
            }
            UseTree::Glob(glob) => {
                self.mention(before.to_vec(), glob.star_token.spans[0].start().line, None);
            }
            UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(item, before)),
        }
    }

    /// Collects paths from tokens that are not parsed, such as the arguments of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let is_mark = |index: usize, mark: char| matches!(tokens.get(index), Some(TokenTree::Punct(found)) if found.as_char() == mark);
        let mut index = 0;
        while index < tokens.len() {
            let start = index;
            index += 1;
            match &tokens[start] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    while is_mark(index, ':') && is_mark(index + 1, ':') {
                        let Some(TokenTree::Ident(next)) = tokens.get(index + 2) else { break };
                        path.push(next.to_string());
                        index += 3;
                    }
                    let goes_on_from_another =
                        start > 0 && is_mark(start - 1, ':') && start > 1 && is_mark(start - 2, ':');
                    if path.len() > 1 && !goes_on_from_another {
                        self.mention(path, line(first), None);
                    }
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_, '_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !only_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        } else if let Item::Mod(module) = item {
            let path = [&self.module[..], &[module.ident.to_string()]].concat();
            self.modules.only_for_tests.insert(path);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !only_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        if module.content.is_some() {
            self.modules.files.insert(self.module.clone(), self.file);
        }
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.use_tree(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.mention(names, line(&path.segments[0].ident), None);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.tokens(list.tokens.clone());
    }

    /// Skipped, because `pub(in crate::a)` is no import.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn line(ident: &Ident) -> usize {
    ident.span().start().line
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether there is a `#[cfg(test)]`, or a `#[cfg(all(test, …))]`.
fn only_for_tests(attributes: &[Attribute]) -> bool {
    let needs_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(|meta| needs_test(&meta))
    };
    attributes.iter().any(needs_test)
}

fn needs_test(meta: &Meta) -> bool {
    match meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|parts| parts.iter().any(needs_test)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
