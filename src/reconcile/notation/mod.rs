//! A small text notation for a task, what is known of it and what has just been seen, for the tables of this
//! engine's tests: one line a thing, times in seconds, and the decision as text. Tests are data, so that a change
//! of a signature rewrites this folder and no table.
//!
//! ```text
//! def app! needs=db:HEALTHY stop=5 probe        a container of the definition; ! = essential
//! known app RUNNING id since=50 health=HEALTHY  what is known of it
//! saw app exited code=3 at=90                   what an inspect has just shown
//! did app start failed transient no answer      what came of a step
//! ```

mod read;

mod inputs;

mod scene;

mod show;

mod words;

pub(super) use scene::Scene;
