-- Connected mode: what the control plane has acknowledged of a task, and what the agent is to it.

-- NULL: nothing was acknowledged.
ALTER TABLE known_tasks ADD COLUMN reported TEXT;
-- `container=status`, separated by blanks, in order of the names; neither part can hold a blank or `=`.
ALTER TABLE known_tasks ADD COLUMN reported_containers TEXT;

-- One row a fact: the container instance that this host is registered as, the number of the last manifest.
CREATE TABLE control_plane (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
