//! Placeholders that deploy scripts leave in task definitions: found, named, and filled from variables.
//!
//! Two kinds of fields differ in what an unfilled one means. In a *strict* field (names, images, ARNs, numbers)
//! nothing legal looks like a placeholder. *Free* text (commands, environment values, log options) may hold `$X` for a
//! shell, `{{.Name}}` for Docker or `<b>` for a browser, so it is left as written unless its variable is given.
//!
//! **Invariant.** A filled-in value is never searched again, and finding takes linear time.

use std::collections::BTreeMap;

/// Longest placeholder, in bytes between its brackets; what is longer is text.
const MAX_INNER_BYTES: usize = 200;

/// What a field's text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// No legal value looks like a placeholder.
    Strict,
    /// The same, for the name of a variable or option: a word in capitals is just a name here.
    Label,
    /// Shell, templates and markup are legal.
    Free,
}

/// A text with every known placeholder replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    /// The text.
    pub(super) text: String,
    /// Those left, in order, that a reader of the file would take for placeholders.
    pub(super) unfilled: Vec<Unfilled>,
}

/// One placeholder without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfilled {
    /// As written, with its brackets.
    pub(super) token: String,
    /// Name of the variable that fills it.
    pub(super) name: String,
}

/// Replaces what `variables` give a value for.
pub(super) fn fill(text: &str, variables: &BTreeMap<String, String>, field: Field) -> Filled {
    let mut filled = Filled::default();
    let mut rest = text;
    let plain = |part: &str| match field {
        Field::Strict if !variables.is_empty() => fill_words(part, variables),
        Field::Strict | Field::Label | Field::Free => part.to_owned(),
    };
    while let Some(at) = next_start(rest, field) {
        let (before, candidate) = rest.split_at(at);
        filled.text.push_str(&plain(before));
        let Some(found) = leading(candidate) else {
            // Of a run of dollars only the last can begin something, so a long run is passed in one step.
            let dollars = candidate
                .len()
                .saturating_sub(candidate.trim_start_matches('$').len());
            let (text_only, after) = candidate.split_at(dollars.saturating_sub(1).max(1));
            filled.text.push_str(text_only);
            rest = after;
            continue;
        };
        let (token, after) = candidate.split_at(found.len);
        let value = variables
            .get(&found.name)
            .or_else(|| variables.get(found.inner))
            .or_else(|| variables.get(token))
            .filter(|_| field != Field::Free || token == text || found.is_unlike_code());
        if let Some(value) = value {
            filled.text.push_str(value);
        } else {
            filled.text.push_str(token);
            if field != Field::Free || found.is_loud(token == text) {
                filled.unfilled.push(Unfilled {
                    token: token.to_owned(),
                    name: found.name,
                });
            }
        }
        rest = after;
    }
    filled.text.push_str(&plain(rest));
    filled
}

/// The variable name of the placeholder that `text` begins with, if it does.
pub(super) fn leading_name(text: &str) -> Option<String> {
    leading(text).map(|found| found.name)
}

/// Whether `text` begins with the call of a template that yields JSON: `${jsonencode(x)}`, `{{ x | tojson }}`.
pub(super) fn begins_with_json(text: &str) -> bool {
    let end = text.find(['\n', '}', '>']).unwrap_or(text.len());
    let call = text.get(..end.min(text.floor_char_boundary(MAX_INNER_BYTES)));
    let is_template = ["${", "{{", "#{", "<%"]
        .iter()
        .any(|open| text.starts_with(open));
    is_template && call.is_some_and(|call| call.to_ascii_lowercase().contains("json"))
}

/// Words of a strict text that people write where a value has to go: `YOUR_ACCOUNT_ID`, `REPLACE_ME`, `XXXXXXXX`.
pub(super) fn suspect_words(text: &str) -> impl Iterator<Item = &str> {
    words(text).filter(|word| looks_like_stand_in(word))
}

/// The first word of a text that is all capitals, as stand-ins often are.
pub(super) fn shouted_word(text: &str) -> Option<&str> {
    words(text).find(|word| is_shouted(word))
}

fn is_shouted(word: &str) -> bool {
    let shouted = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    word.trim_matches('_').len() > 2
        && word.chars().all(shouted)
        && word.contains(|c: char| c.is_ascii_uppercase())
}

const STARTS: [char; 7] = ['$', '{', '#', '<', '%', '[', '@'];

/// Where the next placeholder may begin. `__X__` is told from a word that only has underscores by standing alone, and
/// is a name of its own in the place of one.
fn next_start(text: &str, field: Field) -> Option<usize> {
    let mut within_word = false;
    for (at, c) in text.char_indices() {
        if STARTS.contains(&c) {
            return Some(at);
        }
        let begins_word = c == '_' && !within_word && field != Field::Label;
        if begins_word && leading_underscores(text.get(at..)?).is_some() {
            return Some(at);
        }
        within_word = c.is_ascii_alphanumeric() || c == '_';
    }
    None
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `$$$X$$$`, of three and more.
    Dollars,
    /// `${{ X }}`.
    DollarBraces,
    /// `{{ X }}`, `{{{ X }}}`.
    Braces,
    /// `${X}`.
    DollarBrace,
    /// `$(X)`.
    DollarParen,
    /// `#{X}`, `#{X}#`.
    HashBrace,
    /// `<%= X %>`.
    Erb,
    /// `<X>`, `<<X>>`.
    Angle,
    /// `%X%`, `%%X%%`, `@X@`, `@@X@@`, `##X##`.
    Percent,
    /// `__X__`.
    Underscores,
    /// `[[X]]`.
    Squares,
    /// `[X]`.
    Square,
    /// `{X}`.
    Brace,
    /// `$X`.
    Dollar,
}

/// Bracketed forms in the order in which they are tried: of those that begin alike the longer ones first.
const BRACKETS: [(&str, &str, Form); 18] = [
    ("${{", "}}", Form::DollarBraces),
    ("{{{", "}}}", Form::Braces),
    ("{{", "}}", Form::Braces),
    ("${", "}", Form::DollarBrace),
    ("$(", ")", Form::DollarParen),
    ("#{", "}#", Form::HashBrace),
    ("#{", "}", Form::HashBrace),
    ("##", "##", Form::Percent),
    ("<%=", "%>", Form::Erb),
    ("<<", ">>", Form::Angle),
    ("<", ">", Form::Angle),
    ("%%", "%%", Form::Percent),
    ("%", "%", Form::Percent),
    ("@@", "@@", Form::Percent),
    ("@", "@", Form::Percent),
    ("[[", "]]", Form::Squares),
    ("[", "]", Form::Square),
    ("{", "}", Form::Brace),
];

struct Found<'a> {
    form: Form,
    inner: &'a str,
    name: String,
    len: usize,
}

impl Found<'_> {
    /// Whether it may be filled inside of a longer free text: `[X]`, `{X}` and `$(X)` are too common in patterns and
    /// scripts.
    fn is_unlike_code(&self) -> bool {
        !matches!(
            self.form,
            Form::Squares | Form::Square | Form::Brace | Form::DollarParen
        )
    }

    /// Whether it is worth a warning in free text.
    fn is_loud(&self, whole_text: bool) -> bool {
        match self.form {
            Form::Dollars | Form::DollarBraces | Form::HashBrace | Form::Erb => true,
            // Docker's own templates are `{{.Name}}`, with functions `{{json .}}`.
            Form::Braces => !self.inner.contains('.') || self.inner.contains(['`', '"', '\'']),
            Form::DollarBrace
            | Form::DollarParen
            | Form::Angle
            | Form::Percent
            | Form::Underscores
            | Form::Squares
            | Form::Dollar => whole_text,
            Form::Square | Form::Brace => false,
        }
    }
}

fn leading(text: &str) -> Option<Found<'_>> {
    if let Some(found) = leading_dollars(text).or_else(|| leading_underscores(text)) {
        return Some(found);
    }
    for (open, close, form) in BRACKETS {
        if let Some(after) = text.strip_prefix(open)
            && let Some(found) = bracketed(after, open, close, form)
        {
            return Some(found);
        }
    }
    let after = text.strip_prefix('$')?;
    let name = identifier(after);
    (!name.is_empty()).then(|| Found {
        form: Form::Dollar,
        inner: name,
        name: name.to_owned(),
        len: name.len().saturating_add(1),
    })
}

fn leading_dollars(text: &str) -> Option<Found<'_>> {
    let window = text.get(..text.floor_char_boundary(MAX_INNER_BYTES))?;
    if !window.starts_with("$$$") {
        return None;
    }
    let after = window.trim_start_matches('$');
    let inner = after.split('$').next().filter(|inner| is_plain(inner))?;
    let tail = after.get(inner.len()..)?;
    if !tail.starts_with("$$$") {
        return None;
    }
    let rest = tail.trim_start_matches('$');
    Some(Found {
        form: Form::Dollars,
        inner,
        name: inner.to_owned(),
        len: window.len().saturating_sub(rest.len()),
    })
}

/// In capitals only: `__init__` and its like are names.
fn leading_underscores(text: &str) -> Option<Found<'_>> {
    let word = identifier(text.strip_prefix("__")?);
    let inner = word.strip_suffix("__")?;
    let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let good = inner.starts_with(|c: char| c.is_ascii_uppercase())
        && inner.len() <= MAX_INNER_BYTES
        && inner.chars().all(capital);
    good.then(|| Found {
        form: Form::Underscores,
        inner,
        name: inner.to_owned(),
        len: word.len().saturating_add(2),
    })
}

fn bracketed<'a>(after: &'a str, open: &str, close: &str, form: Form) -> Option<Found<'a>> {
    let window = after.get(..after.floor_char_boundary(MAX_INNER_BYTES))?;
    let end = window.find(close)?;
    let inner = window.get(..end)?.trim();
    let good = match form {
        Form::DollarBraces | Form::Braces | Form::DollarBrace | Form::HashBrace | Form::Erb => {
            !inner.is_empty() && !inner.contains(['{', '}', '\n'])
        }
        Form::Angle | Form::Squares | Form::Square | Form::Brace => {
            is_plain(inner) && inner.starts_with(|c: char| c.is_ascii_alphabetic())
        }
        Form::Percent | Form::DollarParen => identifier(inner) == inner && !inner.is_empty(),
        Form::Dollars | Form::Underscores | Form::Dollar => false,
    };
    let len = open.len().checked_add(end)?.checked_add(close.len())?;
    good.then(|| Found {
        form,
        inner,
        name: bare_name(inner),
        len,
    })
}

/// The name in the brackets: of a template call like `` must_env `X` `` its first quoted argument, else everything up
/// to a default or filter (`X:-1`, `X | upper`).
fn bare_name(inner: &str) -> String {
    let quoted = ['`', '"', '\'']
        .iter()
        .filter_map(|&quote| {
            let mut parts = inner.split(quote);
            let before = parts.next()?;
            let argument = parts.next()?;
            parts.next()?;
            (!argument.is_empty() && !before.contains('|')).then_some((before.len(), argument))
        })
        .min();
    if let Some((_, argument)) = quoted {
        return argument.to_owned();
    }
    let name = inner
        .split([':', '|'])
        .next()
        .unwrap_or(inner)
        .trim()
        .trim_start_matches('.');
    if name.is_empty() { inner } else { name }.to_owned()
}

fn is_plain(text: &str) -> bool {
    let good =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.' | ':' | '/');
    !text.is_empty() && text.len() <= MAX_INNER_BYTES && text.chars().all(good)
}

/// The longest prefix that is a shell variable name.
fn identifier(text: &str) -> &str {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return "";
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn is_word_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_word_character(c))
        .filter(|word| !word.is_empty())
}

fn looks_like_stand_in(word: &str) -> bool {
    const PARTS: [&str; 9] = [
        "your",
        "replace_",
        "replaceme",
        "replace-",
        "replaced_by",
        "placeholder",
        "changeme",
        "change_me",
        "xxxx",
    ];
    const WHOLE: [&str; 4] = [
        "account_id",
        "account-id",
        "aws_account_id",
        "aws-account-id",
    ];
    if word.len() > MAX_INNER_BYTES {
        return false;
    }
    let lower = word.to_ascii_lowercase();
    PARTS.iter().any(|part| lower.contains(part)) || WHOLE.contains(&lower.as_str())
}

/// Replaces whole words that are the name of a variable, where that name can only be a stand-in: `REGION`, `your-id`.
fn fill_words(text: &str, variables: &BTreeMap<String, String>) -> String {
    let is_stand_in = |word: &str| is_shouted(word) || looks_like_stand_in(word);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_word_character) {
        let (before, from_word) = rest.split_at(start);
        let end = from_word
            .find(|c| !is_word_character(c))
            .unwrap_or(from_word.len());
        let (word, after) = from_word.split_at(end);
        out.push_str(before);
        match variables.get(word) {
            Some(value) if is_stand_in(word) => out.push_str(value),
            _ => out.push_str(word),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn names(text: &str, field: Field) -> Vec<String> {
        let filled = fill(text, &BTreeMap::new(), field);
        assert_eq!(filled.text, text, "unfilled text stays as written");
        filled.unfilled.into_iter().map(|u| u.name).collect()
    }

    #[test]
    fn finds_every_form_in_a_strict_field() {
        let cases = [
            ("<IMAGE1_NAME>", "IMAGE1_NAME"),
            ("a/<your bucket>:1", "your bucket"),
            ("${VAR}", "VAR"),
            ("${VAR:-latest}", "VAR"),
            ("${aws_ecr.repo.url}", "aws_ecr.repo.url"),
            ("{{ x }}", "x"),
            ("{{image-tag}}", "image-tag"),
            ("nginx:{{ env `TAG` `latest` }}", "TAG"),
            ("{{ must_env \"ID\" }}", "ID"),
            ("{{ x | default('y') }}", "x"),
            ("{{ .Values.tag }}", "Values.tag"),
            ("$$$ROLE$$$", "ROLE"),
            ("$$$$NETWORK_MODE$$$$", "NETWORK_MODE"),
            ("arn:aws:iam::$ACCOUNT_ID:role/r", "ACCOUNT_ID"),
            ("app:%BUILD_NUMBER%", "BUILD_NUMBER"),
            ("arn:aws:iam::[account id]:role/r", "account id"),
            ("#{Image}", "Image"),
            ("<%= image %>", "image"),
            ("{INSERT ticket/issue ID}", "INSERT ticket/issue ID"),
            ("${{ secrets.DB }}", "secrets.DB"),
            ("a-#{TOKEN}#", "TOKEN"),
            ("<<U>>", "U"),
            ("{{{W}}}", "W"),
            ("[[ X ]]", "X"),
            ("app:%%TAG%%", "TAG"),
            ("app:@@TAG@@", "TAG"),
            ("app:@TAG@", "TAG"),
            ("app:$(Build_Id)", "Build_Id"),
            ("app:##TAG##", "TAG"),
            ("arn:aws:iam::__ACCOUNT__:role/r", "ACCOUNT"),
        ];
        for (text, name) in cases {
            assert_eq!(names(text, Field::Strict), [name], "{text}");
        }
    }

    #[test]
    fn ordinary_values_hold_none() {
        for text in [
            "nginx:1.2",
            "[::1]:5000/a",
            "a$",
            "$1",
            "100%",
            "<>",
            "{{}}",
            "a < b",
            "$",
            "${}",
            "$$",
            "app@sha256:0",
            "/app/__init__.py",
            "A__B__C",
            "__",
            "____",
            "a##b",
        ] {
            assert!(names(text, Field::Strict).is_empty(), "{text}");
        }
        assert!(
            names("__NAME__", Field::Label).is_empty(),
            "a name of its own"
        );
    }

    #[test]
    fn free_text_keeps_shell_templates_and_markup() {
        for text in [
            "echo $HOME ${X:-1} $$",
            "<html><body>hi</body></html>",
            "{{.Name}}/{{.ID}}",
            "{{json .Config}}",
            "date +%Y%m%d",
            "[INFO] x",
            "{a}",
            "$env:PATH",
            "now: $(date)",
            "if [[ x ]]; then",
            "cat <<EOF >>file",
            "user:p@ss@host",
            "Logging__LogLevel__Default",
            "python -m __MAIN__",
        ] {
            assert!(names(text, Field::Free).is_empty(), "{text}");
        }
        assert_eq!(names("a {{ssm `/x`}}", Field::Free), ["/x"]);
        assert_eq!(names("$$$X$$$", Field::Free), ["X"]);
        assert_eq!(names("<your-bucket>", Field::Free), ["your-bucket"]);
        assert_eq!(names("$DB_HOST", Field::Free), ["DB_HOST"]);
        for whole in [
            "${{ X }}", "#{X}#", "<<X>>", "{{{X}}}", "[[X]]", "%%X%%", "@@X@@", "@X@", "$(X)",
            "##X##", "__X__",
        ] {
            assert_eq!(names(whole, Field::Free), ["X"], "{whole}");
        }
    }

    #[test]
    fn given_variables_are_filled_everywhere_and_not_searched_again() {
        let given = variables(&[("A", "${B}"), ("B", "no"), ("account id", "1"), ("T", "2")]);
        for (text, expected) in [
            ("x-${A}-y", "x-${B}-y"),
            ("echo $A", "echo ${B}"),
            ("$AB", "$AB"),
            ("<T>{{ T }}$$$T$$$", "222"),
            ("{{ must_env `T` }}", "2"),
            ("[account id]", "1"),
            ("grep [account id] {T}", "grep [account id] {T}"),
            ("${{ T }}#{T}#<<T>>{{{T}}}%%T%%@@T@@@T@##T##", "22222222"),
            ("x-__T__-__T__", "x-2-2"),
            ("[[T]]", "2"),
            ("$(T)", "2"),
            ("echo $(T) [[ T ]]", "echo $(T) [[ T ]]"),
            ("a__T__b", "a__T__b"),
        ] {
            assert_eq!(fill(text, &given, Field::Free).text, expected, "{text}");
        }
    }

    #[test]
    fn bare_words_are_filled_where_they_can_only_be_stand_ins() {
        let given = variables(&[
            ("REGION", "eu-1"),
            ("your-account-id", "123"),
            ("web", "NO"),
        ]);
        let fill = |text, field| fill(text, &given, field).text;
        assert_eq!(
            fill("your-account-id.example.REGION/web:1", Field::Strict),
            "123.example.eu-1/web:1"
        );
        assert_eq!(
            fill("AWS_REGION REGIONS", Field::Strict),
            "AWS_REGION REGIONS"
        );
        assert_eq!(fill("REGION", Field::Free), "REGION");
        assert_eq!(fill("REGION", Field::Label), "REGION");
        let given = variables(&[("A", "REGION"), ("REGION", "eu-1")]);
        assert_eq!(
            super::fill("${A}/REGION", &given, Field::Strict).text,
            "REGION/eu-1"
        );
    }

    #[test]
    fn names_words_that_stand_for_something_else() {
        let found: Vec<&str> =
            suspect_words("arn:aws:iam::YOUR_ACCOUNT_ID:role/REPLACE_ME,XXXXXXXX,web").collect();
        assert_eq!(found, ["YOUR_ACCOUNT_ID", "REPLACE_ME", "XXXXXXXX"]);
    }

    #[test]
    fn many_openings_without_an_end_are_read_once() {
        let text = "<a".repeat(20_000);
        assert!(names(&text, Field::Strict).is_empty());
        let text = "__A ".repeat(20_000);
        assert!(names(&text, Field::Strict).is_empty());
        let text = "$".repeat(40_000);
        assert!(names(&text, Field::Strict).is_empty());
    }
}
