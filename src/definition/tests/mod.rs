//! Whole documents through the way in: the forms people use, one small document a mistake, and the public corpus.

mod check;

mod forms;

mod values;

mod placeholders;

mod rules;

mod corpus;
