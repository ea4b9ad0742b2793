use super::*;

#[test]
fn imports_of_values_and_of_types_and_side_effects_are_read() {
    let text = "
import { b } from \"./b.js\";
import type { C } from './c.js';
import d, { type E } from \"./d.js\"
import * as f from \"./f.js\";
import \"./g.js\";
";
    assert_eq!(imported(text), ["b.ts:2", "c.ts:3", "d.ts:4", "f.ts:5", "g.ts:6"]);
}

#[test]
fn what_is_exported_from_elsewhere_is_imported() {
    let text = "export * from \"./b.js\";\nexport type { C } from \"./c.js\";\nexport {\n  d,\n  e as f,\n} from \"./d.js\";";
    assert_eq!(imported(text), ["b.ts:1", "c.ts:2", "d.ts:6"]);
}

#[test]
fn dynamic_imports_and_types_in_place_are_read() {
    let text = "const b = await import(\"./b.js\");\nlet c: import(\"./c.js\").C;\nlet d = `${await import(\"./d.js\")}`;";
    assert_eq!(imported(text), ["b.ts:1", "c.ts:2", "d.ts:3"]);
}

#[test]
fn the_text_of_comments_strings_and_regular_expressions_is_no_import() {
    let text = "
// import { b } from \"./b.js\";
/* import \"./b.js\"; */
const b = 'import \"./b.js\"' + `import \"./b.js\"` + \"\\\"; import './b.js'\";
const quote = /[\"/]/.test(x) || y / 2;
const tag = <p>Don't import</p>;
import { c } from \"./c.js\";
";
    assert_eq!(imported(text), ["c.ts:7"]);
}

#[test]
fn other_packages_properties_and_own_exports_are_no_imports() {
    let text = "
import { b } from \"b\";
export { own };
export type Own = { from: \"./b.js\" };
const url = new URL(\"./b.js\", import.meta.url);
loader.import(\"./b.js\");
from(\"./b.js\");
";
    assert!(imported(text).is_empty());
}

#[test]
fn a_path_is_looked_up_from_the_folder_of_its_file() {
    let sources = sources(&[
        (
            "a/b/x.ts",
            "import \"./y.js\";\nimport \"../z.js\";\nimport \"../../wasm.js\";\nimport \"../../../out.js\";",
        ),
        ("a/b/y.ts", ""),
        ("a/z.tsx", ""),
        ("wasm.d.ts", ""),
    ]);
    let found: Vec<_> = imports(&sources).into_iter().map(|import| import.to).collect();
    assert_eq!(found, ["a/b/y.ts", "a/z.tsx", "wasm.d.ts"]);
}

fn imported(text: &str) -> Vec<String> {
    let others = ["b.ts", "c.ts", "d.ts", "f.ts", "g.ts"].map(|file| (file, ""));
    let imports = imports(&sources(&[&[("a.ts", text)], &others[..]].concat()));
    imports.iter().map(|import| format!("{}:{}", import.to, import.line)).collect()
}

fn sources(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}
