-- What was asked of each task, and what was observed of it; images; the timeline; what could not be read.
-- Rules: docs/adr/0003-store-schema.md. Times are milliseconds since 1970 UTC.

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY NOT NULL,
    arn TEXT NOT NULL UNIQUE,
    generation INTEGER NOT NULL,
    -- The definition as canonical text, and which form of it.
    definition_version INTEGER NOT NULL,
    definition TEXT NOT NULL,
    network_as TEXT,
    ignore_compatibilities INTEGER NOT NULL,
    origin TEXT NOT NULL,
    origin_file TEXT,
    status TEXT NOT NULL,
    stop_reason_name TEXT,
    stop_reason_message TEXT,
    remove INTEGER NOT NULL,
    arrived_at INTEGER NOT NULL,
    -- Over the columns above but the id; NULL = written by code that did not know all columns.
    checksum INTEGER
) STRICT;

-- One row a task, made together with it: a task without one is damaged.
CREATE TABLE known_tasks (
    task INTEGER PRIMARY KEY NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    observed_generation INTEGER NOT NULL,
    admitted_at INTEGER,
    stop_name TEXT,
    stop_message TEXT,
    stop_at INTEGER,
    pull_started_at INTEGER,
    pull_stopped_at INTEGER,
    started_at INTEGER,
    execution_stopped_at INTEGER,
    stopped_at INTEGER,
    -- Over the columns above and every row of the tables below that belongs to the task.
    checksum INTEGER
) STRICT;

CREATE TABLE containers (
    task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    docker_id TEXT,
    image_id TEXT,
    image_digest TEXT,
    started_at INTEGER,
    running_since INTEGER,
    -- An exit is there if exit_at is; its code may still be unknown.
    exit_at INTEGER,
    exit_code INTEGER,
    exit_oom_killed INTEGER,
    reason_name TEXT,
    reason_message TEXT,
    health TEXT NOT NULL,
    health_since INTEGER,
    restart_count INTEGER NOT NULL,
    last_restart_at INTEGER,
    stop_requested_at INTEGER,
    degraded_log INTEGER NOT NULL,
    settles_at INTEGER,
    -- A retry is there if its step is.
    retry_step TEXT,
    retry_failures INTEGER,
    retry_not_before INTEGER,
    retry_reason_name TEXT,
    retry_reason_message TEXT,
    removed INTEGER NOT NULL,
    PRIMARY KEY (task, name)
) STRICT, WITHOUT ROWID;

-- Published ports, in Docker's order.
CREATE TABLE bindings (
    task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    container TEXT NOT NULL,
    position INTEGER NOT NULL,
    container_port INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    bind_ip TEXT NOT NULL,
    host_port INTEGER NOT NULL,
    PRIMARY KEY (task, container, position)
) STRICT, WITHOUT ROWID;

-- Host ports chosen for container port ranges.
CREATE TABLE reservations (
    task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    container TEXT NOT NULL,
    position INTEGER NOT NULL,
    mapping INTEGER NOT NULL,
    first_host_port INTEGER NOT NULL,
    count INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    PRIMARY KEY (task, container, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE resources (
    task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    -- Empty where the task can have only one of the kind.
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    retry_step TEXT,
    retry_failures INTEGER,
    retry_not_before INTEGER,
    retry_reason_name TEXT,
    retry_reason_message TEXT,
    PRIMARY KEY (task, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE conditions (
    task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    container TEXT,
    cause TEXT NOT NULL,
    message TEXT NOT NULL,
    since INTEGER NOT NULL,
    deadline INTEGER,
    next_action TEXT NOT NULL,
    next_at INTEGER,
    PRIMARY KEY (task, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE images (
    id INTEGER PRIMARY KEY NOT NULL,
    reference TEXT NOT NULL UNIQUE,
    image_id TEXT NOT NULL,
    pulled_at INTEGER,
    last_used_at INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    checksum INTEGER
) STRICT;

-- Outlives the task that it tells of, hence no reference.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    arn TEXT NOT NULL,
    at INTEGER NOT NULL,
    container TEXT,
    kind TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_task ON events (arn, sequence);

-- Rows that could not be read, as text, for people.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at INTEGER NOT NULL,
    -- What the rows belonged to, as far as it could be read.
    subject TEXT NOT NULL,
    why TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT;

-- Oldest reader that can still use this schema; see the ADR.
PRAGMA user_version = 1;
