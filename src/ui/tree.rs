//! The window's tree of names, roles and places, for whoever reads it on a page: eframe has no screen reader's tree there.

use crate::platform;
use egui::{Context, FullOutput, Plugin};
use serde_json::{Map, Value, json};

/// Tells the tree to the page after every frame.
pub struct TreeForPage;

impl Plugin for TreeForPage {
    fn debug_name(&self) -> &'static str {
        "tree for the page"
    }

    fn setup(&mut self, ctx: &Context) {
        ctx.enable_accesskit();
    }

    fn output_hook(&mut self, _: &Context, output: &mut FullOutput) {
        let Some(update) = &output.platform_output.accesskit_update else { return };
        let nodes = update.nodes.iter().map(|(id, node)| {
            let mut told = Map::new();
            told.insert("id".into(), json!(format!("{id:?}")));
            told.insert("role".into(), json!(format!("{:?}", node.role())));
            for (name, text) in [("label", node.label()), ("value", node.value())] {
                if let Some(text) = text {
                    told.insert(name.into(), json!(text));
                }
            }
            if let Some(number) = node.numeric_value() {
                told.insert("number".into(), json!(number));
            }
            if let Some(on) = node.toggled() {
                told.insert("toggled".into(), json!(format!("{on:?}")));
            }
            if node.is_disabled() {
                told.insert("disabled".into(), json!(true));
            }
            if let Some(place) = node.bounds() {
                told.insert("bounds".into(), json!([place.x0, place.y0, place.x1, place.y1]));
            }
            Value::Object(told)
        });
        platform::show_tree(&Value::Array(nodes.collect()).to_string());
    }
}
