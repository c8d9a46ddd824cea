-- Whether the instance drains: it does if the one row is there.

CREATE TABLE draining (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    since INTEGER NOT NULL,
    -- For people; empty = nothing was said.
    reason TEXT NOT NULL
) STRICT;
