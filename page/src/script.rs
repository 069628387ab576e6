//! The modules of `site` as one script, so that one hash in the policy names all of it and an old browser needs no modules.
//!
//! ```text
//! import { a, b } from './x.js';     const { a, b } = module_x;
//! export function f() { … }    →     const module_x = (() => { function f() { … } return { f }; })();
//! ```
//! Each module stays a scope of its own. Only these two forms are known, one line each; anything else that imports or exports is refused.
//! Lines of comment and the white space around a line are left out: phones fetch them, and nobody reads them there.

use anyhow::{Context as _, Result, bail, ensure};

/// One script of a module and all that it imports, each before whoever imports it. `modules`: names (`x.js`) and sources.
pub(crate) fn bundle(modules: &[(&str, &str)], entry: &str) -> Result<String> {
    let mut order = Vec::new();
    visit(modules, entry, &mut Vec::new(), &mut order)?;
    written(&order)
}

/// The same for a script that runs in a page after that of `first`: what is in the first is not in it again. Constants of one script of a page are
/// there for the next, so an import is the same line in both. `more`: the modules of the second alone.
pub(crate) fn bundle_after(
    (modules, first): (&[(&str, &str)], &str),
    more: &[(&str, &str)],
    entry: &str,
) -> Result<String> {
    let mut order = Vec::new();
    visit(modules, first, &mut Vec::new(), &mut order)?;
    let first_count = order.len();
    visit(&[modules, more].concat(), entry, &mut Vec::new(), &mut order)?;
    written(&order[first_count..])
}

fn written(order: &[(&str, &str)]) -> Result<String> {
    let mut script = String::from("'use strict';\n");
    for (name, text) in order {
        script += &wrapped(name, text)?;
    }
    Ok(script)
}

fn visit<'a>(
    modules: &[(&'a str, &'a str)],
    name: &str,
    above: &mut Vec<&'a str>,
    order: &mut Vec<(&'a str, &'a str)>,
) -> Result<()> {
    let (name, text) =
        *modules.iter().find(|(known, _)| *known == name).with_context(|| format!("there is no module {name}"))?;
    ensure!(!above.contains(&name), "modules import each other in a circle: {above:?} {name}");
    if order.contains(&(name, text)) {
        return Ok(());
    }
    above.push(name);
    for line in text.lines() {
        if let Some((_, imported)) = import(line).with_context(|| name.to_owned())? {
            visit(modules, imported, above, order)?;
        }
    }
    above.pop();
    order.push((name, text));
    Ok(())
}

/// The names and the module of an `import` line; `None` for any other line.
fn import(line: &str) -> Result<Option<(&str, &str)>> {
    if !line.starts_with("import") {
        return Ok(None);
    }
    let parts = line
        .strip_prefix("import { ")
        .and_then(|rest| rest.split_once(" } from './"))
        .and_then(|(names, rest)| Some((names, rest.strip_suffix("';")?)));
    Ok(Some(parts.with_context(|| format!("an import of another form: {line}"))?))
}

/// The line without `export`, and the name that it exports, if it does.
fn export(line: &str) -> Result<(&str, Option<&str>)> {
    let Some(rest) = line.strip_prefix("export ") else {
        ensure!(!line.starts_with("export"), "an export of another form: {line}");
        return Ok((line, None));
    };
    let declared = ["async function ", "function ", "const "].iter().find_map(|word| rest.strip_prefix(word));
    let name = declared.and_then(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
    match name.filter(|name| !name.is_empty()) {
        Some(name) => Ok((rest, Some(name))),
        None => bail!("an export of another form: {line}"),
    }
}

/// A script or stylesheet without lines of comment, and without the white space around lines. A text over several lines would be changed by
/// that, so it is refused.
pub(crate) fn slim(text: &str) -> Result<String> {
    let mut slim = String::with_capacity(text.len());
    for line in text.lines().map(str::trim) {
        let ends = line.matches('`').count().is_multiple_of(2) && !line.ends_with('\\');
        ensure!(ends, "a text over several lines: {line}");
        let comment = line.starts_with("//") || (line.starts_with("/*") && line.find("*/") == Some(line.len() - 2));
        if !comment && !line.is_empty() {
            slim += line;
            slim.push('\n');
        }
    }
    Ok(slim)
}

fn variable(module: &str) -> String {
    format!("module_{}", module.trim_end_matches(".js").replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

fn wrapped(name: &str, text: &str) -> Result<String> {
    let (mut body, mut exports) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some((names, imported)) = import(line)? {
            body += &format!("const {{ {names} }} = {};\n", variable(imported));
            continue;
        }
        let (line, exported) = export(line).with_context(|| name.to_owned())?;
        exports.extend(exported);
        body += line;
        body.push('\n');
    }
    let body = slim(&body).with_context(|| name.to_owned())?;
    Ok(format!("const {} = (() => {{\n{body}return {{ {} }};\n}})();\n", variable(name), exports.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_module_is_a_scope_before_whoever_imports_it() {
        let modules = [
            ("a.js", "import { f, X } from './b-c.js';\nf(X);\n"),
            (
                "b-c.js",
                "// Ours.\nconst own = 1;\nexport function f(x) {\n  // It.\n  return x;\n}\n\nexport const X = own;\n",
            ),
        ];
        let script = bundle(&modules, "a.js").unwrap();
        let expected = "'use strict';
const module_b_c = (() => {
const own = 1;
function f(x) {
return x;
}
const X = own;
return { f, X };
})();
const module_a = (() => {
const { f, X } = module_b_c;
f(X);
return {  };
})();
";
        assert_eq!(script, expected);
    }

    #[test]
    fn a_second_script_has_only_what_the_first_has_not() {
        let modules = [("a.js", "import { f } from './b.js';\nf();\n"), ("b.js", "export const f = 1;\n")];
        let more =
            [("c.js", "import { f } from './b.js';\nimport { g } from './d.js';\n"), ("d.js", "export const g = 2;\n")];
        let script = bundle_after((&modules, "a.js"), &more, "c.js").unwrap();
        let expected = "'use strict';
const module_d = (() => {
const g = 2;
return { g };
})();
const module_c = (() => {
const { f } = module_b;
const { g } = module_d;
return {  };
})();
";
        assert_eq!(script, expected);
        // The first one cannot wait for the second.
        let early = [("a.js", "import { g } from './d.js';\n")];
        assert!(bundle_after((&early, "a.js"), &more, "c.js").is_err() && bundle(&early, "a.js").is_err());
    }

    #[test]
    fn what_nobody_reads_is_left_out() {
        let style = "/* One. */\na {\n  b: c; /* Two. */\n}\n/* d */ e /* f */\n\n";
        assert_eq!(slim(style).unwrap(), "a {\nb: c; /* Two. */\n}\n/* d */ e /* f */\n");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (text, problem) in [
            ("import './b.js';", "an import of another form"),
            ("import { f } from 'b';", "an import of another form"),
            ("import {\n  f,\n} from './b.js';", "an import of another form"),
            ("import { f } from './none.js';", "there is no module none.js"),
            ("import { f } from './a.js';", "in a circle"),
            ("export default 1;", "an export of another form"),
            ("export { f };", "an export of another form"),
            ("f(`\n  x`);", "a text over several lines"),
        ] {
            let error = format!("{:#}", bundle(&[("a.js", text)], "a.js").unwrap_err());
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
