-- What ECS says of a task for its containers to read; NULL: nothing.

ALTER TABLE tasks ADD COLUMN launch_type TEXT;
ALTER TABLE tasks ADD COLUMN service_name TEXT;
-- `container=arn`, separated by blanks, in order of the names; no name can hold a blank or `=`, no ARN a blank.
ALTER TABLE tasks ADD COLUMN container_arns TEXT;
