-- Ids that containers ask the agent with; what the metadata endpoints show of containers, so that it can be shown
-- while Docker hangs.

-- NULL: the task has no such role, or arrived before there were ids.
ALTER TABLE tasks ADD COLUMN task_role_id TEXT;
ALTER TABLE tasks ADD COLUMN execution_role_id TEXT;
-- `container=id`, separated by blanks, in order of the names; neither part can hold a blank or `=`.
ALTER TABLE tasks ADD COLUMN endpoint_ids TEXT;

ALTER TABLE containers ADD COLUMN created_at INTEGER;
-- A probe is there if its exit code is.
ALTER TABLE containers ADD COLUMN probe_exit_code INTEGER;
ALTER TABLE containers ADD COLUMN probe_output TEXT;

CREATE TABLE networks (
    task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    container TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    ipv4 TEXT NOT NULL,
    ipv4_prefix INTEGER NOT NULL,
    ipv4_gateway TEXT NOT NULL,
    ipv6 TEXT NOT NULL,
    ipv6_prefix INTEGER NOT NULL,
    ipv6_gateway TEXT NOT NULL,
    mac TEXT NOT NULL,
    PRIMARY KEY (task, container, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE mounts (
    task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    container TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    PRIMARY KEY (task, container, position)
) STRICT, WITHOUT ROWID;
