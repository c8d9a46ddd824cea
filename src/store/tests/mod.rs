//! Tests of the store on real files.

mod world;

mod basics;

mod bounds;

mod checkpoint;

mod rows;

mod damaged_rows;

mod damaged_files;

mod cut_off;

mod refused;

mod versions;
