//! A text with holes: `{{name}}`. What is put into one is not looked at again.

use anyhow::{Context as _, Result, bail};

/// The template with every hole filled. An error if one has no content, or a content no hole.
pub(crate) fn fill(template: &str, contents: &[(&str, &str)]) -> Result<String> {
    let mut text =
        String::with_capacity(template.len() + contents.iter().map(|(_, content)| content.len()).sum::<usize>());
    let mut filled = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("a hole of the template does not end")?;
        let (_, content) = contents
            .iter()
            .find(|(known, _)| *known == name)
            .with_context(|| format!("the template has a hole {{{{{name}}}}} that nothing fills"))?;
        text += before;
        text += content;
        filled.push(name);
        rest = after;
    }
    if let Some((name, _)) = contents.iter().find(|(name, _)| !filled.contains(name)) {
        bail!("the template has no hole {{{{{name}}}}}");
    }
    Ok(text + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hole_is_filled_once_and_no_content_is_a_template() {
        assert_eq!(fill("a {{x}} b {{y}}", &[("x", "{{y}}"), ("y", "2")]).unwrap(), "a {{y}} b 2");
        for (template, contents) in
            [("{{x}}", &[][..]), ("{{x", &[("x", "")]), ("", &[("x", "")]), ("{{x}}", &[("x", ""), ("y", "")])]
        {
            assert!(fill(template, contents).is_err(), "{template:?} {contents:?}");
        }
    }
}
