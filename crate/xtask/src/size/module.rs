//! Reads the sizes of the parts of a Wasm module.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use rustc_demangle::demangle;
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

pub struct Module {
    pub total: usize,
    pub code: usize,
    pub data: usize,
    /// The custom sections: names, and descriptions that the binding step reads and removes.
    pub custom: usize,
    pub functions: Vec<Function>,
}

pub struct Function {
    /// Demangled, without the hash.
    pub name: String,
    pub bytes: usize,
}

impl Module {
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let (mut code, mut data, mut custom, mut imported) = (0, 0, 0, 0);
        let (mut sizes, mut names) = (Vec::new(), BTreeMap::new());
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        imported += u32::from(matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                    }
                }
                Payload::CodeSectionStart { range, .. } => code = range.len(),
                Payload::CodeSectionEntry(body) => sizes.push(body.range().len()),
                Payload::DataSection(section) => data = section.range().len(),
                Payload::CustomSection(section) => {
                    custom += section.range().len();
                    if let KnownCustom::Name(section) = section.as_known() {
                        for subsection in section {
                            if let Name::Function(functions) = subsection? {
                                for named in functions {
                                    let named = named?;
                                    names.insert(named.index, named.name);
                                }
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        if names.is_empty() {
            bail!("it has no names of functions; the binding step removes them");
        }
        let function = |(index, bytes)| {
            let name = names.get(&index).map_or_else(|| format!("function {index}"), |name| readable(name));
            Function { name, bytes }
        };
        let functions = (imported..).zip(sizes).map(function).collect();
        Ok(Self { total: bytes.len(), code, data, custom, functions })
    }
}

fn readable(name: &str) -> String {
    format!("{:#}", demangle(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"\0asm\x01\0\0\0";
    const TYPE: &[u8] = b"\x01\x04\x01\x60\0\0";
    /// One function is imported, so the first with code has the index 1.
    const IMPORT: &[u8] = b"\x02\x07\x01\x01a\x01b\0\0";
    const FUNCTIONS: &[u8] = b"\x03\x03\x02\0\0";
    const CODE: &[u8] = b"\x0a\x08\x02\x02\0\x0b\x03\0\x01\x0b";
    const NAMES: &[u8] = b"\0\x2a\x04name\x01\x23\x02\x01\x1b_ZN1a1f17h0123456789abcdefE\x02\x03mem";

    #[test]
    fn each_function_has_its_own_name_and_size() {
        let module = Module::read(&[HEADER, TYPE, IMPORT, FUNCTIONS, CODE, NAMES].concat()).unwrap();
        let functions: Vec<_> = module.functions.iter().map(|f| (f.name.as_str(), f.bytes)).collect();
        assert_eq!(functions, [("a::f", 2), ("mem", 3)]);
        assert_eq!((module.code, module.data), (8, 0));
    }

    #[test]
    fn a_module_without_names_is_refused() {
        assert!(Module::read(&[HEADER, TYPE, IMPORT, FUNCTIONS, CODE].concat()).is_err());
    }
}
