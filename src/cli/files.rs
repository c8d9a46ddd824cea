//! What is wrong with files of the watched directory, for the commands that show tasks: such a file may have none.

use super::client::Client;
use super::output::{plain, wrap};
use crate::api::observe::files::wire::TaskFiles;

/// Columns before the further lines of one thing.
const INDENT: usize = 2;

/// Each thing that is wrong, in lines of that width. An agent that cannot be asked has been told of already.
pub(super) async fn problems(client: &Client, width: usize) -> Vec<String> {
    let files: TaskFiles = client.get("/v1/files").await.unwrap_or_default();
    lines(&files, width)
}

fn lines(files: &TaskFiles, width: usize) -> Vec<String> {
    let directory = files.problem.iter().map(|problem| {
        let directory = files.directory.as_deref().unwrap_or_default();
        plain(&format!("task files in {directory}: {problem}"))
    });
    let each = files.files.iter().flat_map(|file| {
        let problems = file.problems.iter();
        problems.map(|problem| plain(&format!("task file {}: {problem}", file.name)))
    });
    directory
        .chain(each)
        .flat_map(|text| hanging(&text, width))
        .collect()
}

/// Lines of which all but the first are indented.
fn hanging(text: &str, width: usize) -> Vec<String> {
    let mut lines = wrap(text, width.saturating_sub(INDENT));
    for line in lines.iter_mut().skip(1) {
        line.insert_str(0, &" ".repeat(INDENT));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::observe::files::wire::TaskFile;

    #[test]
    fn each_problem_is_a_line_with_its_file() {
        let files = TaskFiles {
            directory: Some("/tasks".to_owned()),
            problem: Some("it is gone".to_owned()),
            files: vec![TaskFile {
                name: "web".to_owned(),
                state: "REJECTED".to_owned(),
                task_arn: None,
                until: None,
                problems: vec![
                    "family: is\nmissing".to_owned(),
                    "containerDefinitions: is missing, and so is much else".to_owned(),
                ],
                warnings: Vec::new(),
            }],
        };
        let expected = [
            "task files in /tasks: it is gone",
            "task file web: family: is missing",
            "task file web: containerDefinitions:",
            "  is missing, and so is much else",
        ];
        assert_eq!(lines(&files, 40), expected);
    }
}
