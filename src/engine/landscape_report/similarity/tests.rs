//! The tables and the page on small exact numbers, on holes and on hostile names.

use super::*;
use crate::engine::report_html::tests::tag_counts;

fn report() -> SimilarityReport {
    let square = |a: Option<f64>, b: Option<f64>, c: Option<f64>, own: f64| {
        let own = Some(own);
        vec![vec![own, a, b], vec![a, own, c], vec![b, c, own]]
    };
    SimilarityReport {
        adapters: vec!["a<b".into(), "B, \"x\"".into(), "c".into()],
        ranks: vec![2, 2, 4],
        update_norms: vec![1.0, 2.0, f64::NAN],
        tables: vec![
            PairTable { measure: Measure::UpdateDistance, values: square(Some(1.5), Some(3.0), Some(2.0), 0.0) },
            PairTable { measure: Measure::UpdateCosine, values: square(Some(0.5), None, Some(f64::NAN), 1.0) },
        ],
        modules: vec![ModulePair {
            left: 0,
            right: 1,
            layer: 3,
            module: "q_proj".into(),
            update_distance: 1.5,
            angles_a_degrees: vec![10.0, 20.0, 60.0],
            angles_b_degrees: vec![],
        }],
        states: vec![
            StateTable { name: "after layer 1".into(), values: square(Some(0.75), Some(0.5), None, 1.0) },
            StateTable { name: "output".into(), values: square(Some(0.25), Some(0.125), Some(0.5), 1.0) },
        ],
        tasks: vec!["law".into()],
        examples: 512,
        version: "0.1.0".into(),
        secs: 1.0,
        ..SimilarityReport::default()
    }
}

#[test]
fn pairs_become_lines_with_empty_cells_for_what_is_not_known() {
    assert_eq!(
        similarity_csv(&report()),
        "left,right,factor_distance,factor_rms,factor_cosine,update_distance,update_cosine,angle_a_degrees,angle_b_degrees,cka_mean,cka_after_layer_1,cka_output\n\
         a<b,\"B, \"\"x\"\"\",,,,1.5,0.5,,,,0.75,0.25\n\
         a<b,c,,,,3,,,,,0.5,0.125\n\
         \"B, \"\"x\"\"\",c,,,,2,,,,,,0.5\n"
    );
    assert_eq!(
        modules_csv(&report()),
        "left,right,layer,module,update_distance,angle_a_least_degrees,angle_a_mean_degrees,angle_a_greatest_degrees,\
         angle_b_least_degrees,angle_b_mean_degrees,angle_b_greatest_degrees\n\
         a<b,\"B, \"\"x\"\"\",3,q_proj,1.5,10,30,60,,,\n"
    );
}

#[test]
fn json_comes_back() {
    let text = serde_json::to_string(&report()).unwrap();
    assert!(text.contains("\"measure\":\"update_distance\""), "{text}");
    let read: SimilarityReport = serde_json::from_str(&text).unwrap();
    assert!(read.update_norms[2].is_nan());
    assert_eq!((read.value(Measure::UpdateCosine, 1, 2), read.value(Measure::UpdateDistance, 2, 0)), (None, Some(3.0)));
    assert_eq!((read.modules, read.states), (report().modules, report().states));
}

#[test]
fn the_page_tells_the_nearest_and_the_farthest_and_escapes_names() {
    let html = render_similarity(&report());
    let counts = tag_counts(&html);
    assert_eq!((counts["h1"], counts["script"], counts["style"], counts["svg"]), (1, 1, 1, 1));
    // adapters, two measures, two states, modules, tasks, settings
    assert_eq!(counts["table"], 8, "{counts:?}");
    assert!(html.contains(
        "By their updates a&lt;b and B, &quot;x&quot; are nearest, 1.500 apart; a&lt;b and c are farthest, 3.000 apart."
    ));
    assert!(!html.contains("a<b"));
    // the ends of the ramp
    let pairs = html.split("id=\"states\"").next().unwrap();
    for shade in [0, SHADES - 1] {
        let cell = format!("background:{};color", colour(shade));
        assert_eq!(pairs.matches(&cell).count(), 2, "{cell}: distances 1.5 and 3, on both sides of the diagonal");
    }
    for outside in ["https://", "url(", "@import", "src=", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let words = html.split("<script>").next().unwrap();
    assert!(!words.contains("NaN") && !words.contains(">inf"));
}

#[test]
fn nothing_at_all_is_a_page_too() {
    let html = render_similarity(&SimilarityReport::default());
    assert!(html.contains("No pair of adapters has a finite distance."));
    let two = SimilarityReport { adapters: vec!["a".into(), "b".into()], ..report() };
    assert!(
        render_similarity(&two)
            .contains("The updates of a and b are 1.500 apart. CKA of the model&#39;s output states is 0.250.")
            || render_similarity(&two)
                .contains("The updates of a and b are 1.500 apart. CKA of the model's output states is 0.250.")
    );
}
