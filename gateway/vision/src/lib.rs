//! What a picture shows. Pictures in, numbers out: nothing here knows MQTT, the engine, a clock or the disk (but for model files and the pictures that
//! `tuoan vision` is given), and no picture leaves by it but with faces blurred.
//!
//! | module | holds |
//! |---|---|
//! | [`picture`] | a picture in memory; bounded decoding of foreign bytes |
//! | [`files`] | paths become frames: pictures, GIF, H.264 in MP4 |
//! | [`models`] | the models' contracts, what happens before and after them |
//! | [`modelfile`] | a model's file and what must hold before it is used |
//! | [`eye`] | the models put together: who and what is in a picture |
//! | [`integrity`] | whether a camera still sees: covered, moved, frozen, looped, ... |
//! | [`overlay`] | what was seen, drawn on the picture |
//! | [`blur`] | faces made unrecognisable before anything is stored or shown |
//! | [`people`], [`posture`] | reports of several passes become people; how they hold the body |
//! | [`runtime`] | which program runs the models |
//! | [`sight`] | what one frame shows: people, poses, faces, things |
//! | [`scene`] | people over time: tracks, heights, counts, and a detector a hazard |
//! | [`setup`] | what an installer says of a camera: areas, floor, duty |
//! | [`fault`] | what is wrong with that, for files and for pages |
pub mod blur;
pub mod eye;
pub mod fault;
pub mod files;
pub mod integrity;
pub mod modelfile;
pub mod models;
pub mod overlay;
pub mod people;
pub mod picture;
pub mod posture;
pub mod runtime;
pub mod scene;
pub mod setup;
pub mod sight;
